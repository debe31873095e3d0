"""The reference scans against loops over single pixels, written from the equations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pixelseq.kernels import lstm_cell
from pixelseq.kernels.diagonal_scan.reference import diagonal_scan
from pixelseq.kernels.row_scan.reference import row_scan

SHAPES = [(1, 1, 1, 1), (2, 1, 5, 3), (2, 5, 1, 3), (3, 4, 7, 2), (2, 9, 6, 5), (1, 3, 3, 4)]
ids = "B{0[0]}-H{0[1]}-W{0[2]}-D{0[3]}".format


def cell_by_hand(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """o, f, i, g of one pixel, spelled out."""
    D = len(cell)
    o, f, i = (1 / (1 + torch.exp(-gates[k * D : (k + 1) * D])) for k in range(3))
    g = torch.tanh(gates[3 * D : 4 * D])
    new = f * cell + i * g
    return o * torch.tanh(new), new


def row_scan_by_hand(gates_is: Tensor, weight_ss: Tensor) -> Tensor:
    B, H, W, _ = gates_is.shape
    K, D, _ = weight_ss.shape
    h = torch.zeros(B, H, W, D, dtype=gates_is.dtype)
    for b in range(B):
        c = torch.zeros(W, D, dtype=gates_is.dtype)
        for i in range(H):
            for j in range(W):
                gates = gates_is[b, i, j]
                for k in range(K):
                    x = j + k - K // 2
                    if i > 0 and 0 <= x < W:
                        gates = gates + h[b, i - 1, x] @ weight_ss[k]
                h[b, i, j], c[j] = cell_by_hand(gates, c[j])
    return h


def diagonal_scan_by_hand(gates_is: Tensor, weight_ss: Tensor) -> Tensor:
    B, H, W, _, _ = gates_is.shape
    D = weight_ss.shape[2]
    h = torch.zeros(B, H, W, 2, D, dtype=gates_is.dtype)
    for b in range(B):
        for s, columns in enumerate([range(W), reversed(range(W))]):
            order = list(columns)
            back = -1 if s == 0 else 1
            for i in range(H):
                c = torch.zeros(D, dtype=gates_is.dtype)
                for j in order:
                    gates = gates_is[b, i, j, s]
                    if i > 0:
                        gates = gates + h[b, i - 1, j, s] @ weight_ss[s, 0]
                    if 0 <= j + back < W:
                        gates = gates + h[b, i, j + back, s] @ weight_ss[s, 1]
                    h[b, i, j, s], c = cell_by_hand(gates, c)
    return h


def test_lstm_cell_gate_order() -> None:
    # D = 1: o = 0.5, f = 1, i = 0, g = tanh(1): the cell is kept, half of its tanh is shown.
    gates = torch.tensor([0.0, 50.0, -50.0, 1.0], dtype=torch.float64)
    hidden, cell = lstm_cell(gates, torch.tensor([0.7], dtype=torch.float64))
    torch.testing.assert_close(cell, torch.tensor([0.7], dtype=torch.float64))
    torch.testing.assert_close(hidden, 0.5 * torch.tensor([0.7], dtype=torch.float64).tanh())
    # i = 1, f = 0: the cell is the candidate's tanh, not its sigmoid.
    gates = torch.tensor([50.0, -50.0, 50.0, -1.0], dtype=torch.float64)
    _, cell = lstm_cell(gates, torch.tensor([0.7], dtype=torch.float64))
    torch.testing.assert_close(cell, torch.tensor([-1.0], dtype=torch.float64).tanh())


@pytest.mark.parametrize("shape", SHAPES, ids=ids)
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_row_scan_equals_the_equations(shape: tuple[int, int, int, int], kernel: int) -> None:
    B, H, W, D = shape
    gates_is = torch.randn(B, H, W, 4 * D, dtype=torch.float64)
    weight_ss = torch.randn(kernel, D, 4 * D, dtype=torch.float64)
    torch.testing.assert_close(row_scan(gates_is, weight_ss), row_scan_by_hand(gates_is, weight_ss))


@pytest.mark.parametrize("shape", SHAPES, ids=ids)
def test_diagonal_scan_equals_the_equations(shape: tuple[int, int, int, int]) -> None:
    B, H, W, D = shape
    gates_is = torch.randn(B, H, W, 2, 4 * D, dtype=torch.float64)
    weight_ss = torch.randn(2, 2, D, 4 * D, dtype=torch.float64)
    torch.testing.assert_close(diagonal_scan(gates_is, weight_ss), diagonal_scan_by_hand(gates_is, weight_ss))


@pytest.mark.parametrize("shape", [(2, 3, 4, 2), (1, 4, 2, 1), (1, 1, 3, 2)], ids=ids)
def test_gradients_equal_finite_differences(shape: tuple[int, int, int, int]) -> None:
    B, H, W, D = shape
    gates = torch.randn(B, H, W, 2, 4 * D, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 2, D, 4 * D, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(diagonal_scan, (gates, weight))
    assert torch.autograd.gradcheck(
        row_scan,
        (gates[:, :, :, 0].detach().requires_grad_(), weight[0].detach()[[0, 1, 0]].requires_grad_()),
    )
