"""What ends a run early."""

from __future__ import annotations

import pytest

from pixelseq.training.stopping import FiniteGuard


def test_the_guard_stops_at_three_bad_steps_in_a_row() -> None:
    guard = FiniteGuard()
    finite = [True, False, False, True, False, False]
    assert [guard.allows(step, all_finite) for step, all_finite in enumerate(finite)] == finite
    guard = FiniteGuard(guard.bad_steps)  # as after a resume
    with pytest.raises(ValueError, match="3 steps in a row, the last of them step 7, are not finite"):
        guard.allows(7, False)


def test_the_guard_leaves_overflow_to_the_scaler() -> None:
    guard = FiniteGuard()
    assert not any(guard.allows(step, False, overflow=True) for step in range(16))
    assert [guard.allows(16, False), guard.allows(17, False)] == [False, False]
    assert not guard.allows(18, False, overflow=True)  # neither counts nor starts anew
    with pytest.raises(ValueError, match="the last of them step 19"):
        guard.allows(19, False)
