"""What a checkpoint remembers of the images it was made for."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import small_model

from pixelseq import PixelRNN
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.trained_on import TrainedOn

COLUMNS = TrainedOn("columns", (24, 8), (8, 8), (48, 8))


@pytest.mark.parametrize(
    ("size", "far"),
    [
        *[((8, 8), False), ((48, 8), False), ((4, 8), False), ((3, 8), True), ((96, 8), False), ((97, 8), True)],
        *[((24, 4), False), ((24, 3), True), ((24, 16), False), ((24, 17), True)],
    ],
)
def test_quite_another_size_gets_a_line(size: tuple[int, int], far: bool) -> None:
    note = COLUMNS.size_note(*size)
    assert (note is not None) == far
    if note:
        assert note.startswith(f"{size[0]}x{size[1]} (rows x columns) is quite another size")
        assert note.endswith("8x8 to 48x8")


def test_it_is_saved_with_the_model(tmp_path: Path) -> None:
    model = small_model().float()
    assert model.trained_on is None
    model.save_pretrained(tmp_path / "bare")
    assert PixelRNN.from_pretrained(tmp_path / "bare").trained_on is None
    model.trained_on = TrainedOn("pictures", (32, 32), (32, 32), (32, 32), Preprocessing((32, 32))).after(7, 12.5, 0.25)
    model.save_pretrained(tmp_path / "known")
    assert PixelRNN.from_pretrained(tmp_path / "known").trained_on == model.trained_on
