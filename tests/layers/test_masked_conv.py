"""Masks against arrays written by hand, and weights that no optimiser can unmask."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from pixelseq.layers import MaskedConv

MASK_A5 = [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
MASK_B3 = [[1, 1, 1], [1, 1, 0]]
MASK_B_ROW = [[1, 1, 0]]


@pytest.mark.parametrize(
    ("kernel", "mask_type", "rows", "expected"),
    [(5, "A", None, MASK_A5), (3, "B", None, MASK_B3), (3, "B", 1, MASK_B_ROW), (1, "B", None, [[1]])],
    ids=["A-5x5", "B-3x3", "B-3x1", "B-1x1"],
)
def test_masks(kernel: int, mask_type: str, rows: int | None, expected: list[list[int]]) -> None:
    conv = MaskedConv(2, 3, kernel, mask_type, rows)  # type: ignore[arg-type]
    assert conv.mask.tolist() == expected
    assert conv.masked_parameters == 6 * sum(row.count(0) for row in expected)


def test_equals_a_full_convolution_with_a_full_mask() -> None:
    conv = MaskedConv(2, 3, 3, "B").double()
    full = torch.zeros(3, 2, 3, 3, dtype=torch.float64)
    full[:, :, 0] = conv.weight[:, :, 0]
    full[:, :, 1, :2] = conv.weight[:, :, 1, :2]
    x = torch.randn(2, 4, 5, 2, dtype=torch.float64)
    expected = F.conv2d(x.permute(0, 3, 1, 2), full, conv.bias, padding=1).permute(0, 2, 3, 1)
    torch.testing.assert_close(conv(x), expected)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel is 4"):
        MaskedConv(1, 1, 4, "A")


def test_masked_weights_stay_masked_after_optimizer_weight_decay_and_averaging() -> None:
    conv = MaskedConv(2, 2, 5, "A").double()
    average = AveragedModel(conv, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    optimizer = torch.optim.AdamW(conv.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        conv(torch.randn(1, 4, 4, 2, dtype=torch.float64)).square().sum().backward()
        assert conv.weight.grad is not None
        assert not (conv.weight.grad * (1 - conv.mask)).any()
        optimizer.step()
        average.update_parameters(conv)
    x = torch.randn(1, 5, 5, 2, dtype=torch.float64)
    changed = x.clone()
    changed[0, 2, 2] += 1
    for trained in (conv, average.module):
        same = (trained(x) == trained(changed)).all(-1)[0]
        expected = torch.ones(5, 5, dtype=torch.bool)
        expected[2, 3:] = False
        expected[3:] = False
        assert torch.equal(same, expected)
        before = trained(x)
        with torch.no_grad():
            trained.weight.masked_fill_(trained.mask == 0, 1e6)
        assert torch.equal(trained(x), before)
