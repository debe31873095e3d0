"""Dataclasses as JSON and back: every type is checked, every field is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelseq.runtime.codec import from_plain, read_object, to_plain, to_sealed, unsealed


@dataclass(frozen=True)
class Inner:
    """Checks itself."""

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"count is {self.count}")


@dataclass(frozen=True)
class Outer:
    """A field of each kind that configurations have."""

    inner: Inner = field(default_factory=Inner)
    names: tuple[str, ...] = ("a",)
    rate: float = 1.0
    most: int | None = None
    out: Path | None = None
    kind: Literal["this", "that"] | None = None
    on: bool = False


OUTERS = st.builds(
    Outer,
    st.builds(Inner, st.integers(0, 2**63 - 1)),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.just(Path("a/b")),
    st.sampled_from([None, "this", "that"]),
    st.booleans(),
)


@given(OUTERS)
def test_round_trip_through_text(value: Outer) -> None:
    assert from_plain(Outer, json.loads(json.dumps(to_plain(value))), "it") == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inner": {"count": -1}}, "inner: count is -1"),
        ({"inner": {"count": 1.5}}, "inner.count: Input should be a valid integer"),
        ({"inner": {"count": True}}, "inner.count: Input should be a valid integer"),
        ({"inner": None}, "inner: "),
        ({"rate": "2"}, "rate: Input should be a valid number"),
        ({"names": [1]}, "names.0: Input should be a valid string"),
        ({"names": "ab"}, "names: "),
        ({"kind": "other"}, "kind: Input should be 'this' or 'that'"),
        ({"on": 1}, "on: Input should be a valid boolean"),
        ({"more": 1}, "unknown or missing: more"),
        ({"more": {}}, "unknown or missing: more"),
        ({"inner": {}}, "unknown or missing: inner, inner.count"),
    ],
    ids=str,
)
def test_values_of_other_types_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^it: .*{message}") as caught:
        from_plain(Outer, to_plain(Outer()) | change, "it")
    assert "\n" not in str(caught.value)


def test_a_whole_number_is_a_number() -> None:
    assert from_plain(Outer, to_plain(Outer()) | {"rate": 2}, "it").rate == 2.0


@given(OUTERS)
def test_what_is_sealed_is_read_back(value: Outer) -> None:
    assert unsealed(read_object(to_sealed(to_plain(value)), "it"), "it") == to_plain(value)


@pytest.mark.parametrize("change", [{"rate": 2.0}, {"on": 0}, {"digest": None}, {"more": 1}, {"names": []}], ids=str)
def test_what_is_not_as_it_was_sealed_is_refused(change: dict[str, Any]) -> None:
    values = read_object(to_sealed(to_plain(Outer())), "it") | change
    with pytest.raises(ValueError, match=r"^it is damaged or edited: it has not the digest"):
        unsealed(values, "it")


def test_a_sealed_object_without_its_digest_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^it is damaged or edited"):
        unsealed(to_plain(Outer()), "it")


@pytest.mark.parametrize("text", ["", "[]", "3", "{", '{"a": 1', "[" * 100_000], ids=lambda text: text[:5] or "empty")
def test_text_that_is_no_object(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it: "):
        read_object(text, "it")
