"""Batches that cannot fit are refused before training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import small_model

from pixelseq.data import Images, Store, View
from pixelseq.training import memory
from pixelseq.training.config import TrainConfig
from pixelseq.training.memory import check_memory, kept_bytes_per_pixel, total_memory

CPU = torch.device("cpu")


def images(side: int) -> Images:
    return Images.of(Store.of([torch.zeros(1, side, side, dtype=torch.uint8)] * 3))


def test_what_autograd_keeps_is_counted() -> None:
    narrow, wide, deep = (
        kept_bytes_per_pixel(small_model(hidden=hidden, blocks=blocks).float())
        for hidden, blocks in ((4, ("row",)), (8, ("row",)), (4, ("row",) * 3))
    )
    # A Row LSTM of D features needs its 4 D gates at least.
    assert narrow > 4 * 4 * 4
    assert wide - narrow > 4 * 4 * 4
    assert deep - narrow > 2 * 4 * 4 * 4


@pytest.mark.parametrize(
    ("fields", "processes", "parts"),
    [
        ({"batch_size": 12}, 1, 1),
        ({"batch_size": 12}, 2, 2),
        ({"batch_size": 12, "accumulate": 3}, 2, 6),
        ({"batch_size": 12, "batch_pixels": 9000}, 1, 12),
        ({"batch_size": 12, "precision": "bfloat16"}, 1, 2),
    ],
)
def test_a_part_of_a_batch_must_fit(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], processes: int, parts: int
) -> None:
    config, model = TrainConfig(**fields), small_model().float()  # type: ignore[arg-type]
    needed = kept_bytes_per_pixel(model) * 12 * 100 * 100 / parts
    monkeypatch.setattr(memory, "total_memory", lambda _: 1.01 * needed)
    check_memory(config, model, images(100), CPU, processes)
    monkeypatch.setattr(memory, "total_memory", lambda _: 0.99 * needed)
    with pytest.raises(ValueError, match=r"images of 100x100 at once needs more than .* choose `crop`, `resize`, a"):
        check_memory(config, model, images(100), CPU, processes)
    check_memory(config, model, replace(images(100), view=View(crop=(70, 70))), CPU, processes)


def test_a_container_is_no_larger_than_it_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LIMIT", tmp_path / "memory.max")
    whole = total_memory(CPU)
    assert whole > 2**20
    for text, expected in (("max\n", whole), ("1048576\n", 2**20), (f"{10**18}\n", whole)):
        (tmp_path / "memory.max").write_text(text)
        assert total_memory(CPU) == expected
