"""The diagonal scan in eager torch: the definition that every faster backend is held to.

Shapes: B batch, H rows, W columns, D hidden, S = 2 directions (0 reads from the left, 1 from the right).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelseq.kernels.lstm_cell import lstm_cell


def diagonal_scan(gates_is: Tensor, weight_ss: Tensor) -> Tensor:
    """Runs both directions of a Diagonal BiLSTM over an image (van den Oord et al. 2016, section 3.2).

    From the left, with (i, j) = (row, column):

        gates[i,j] = gates_is[i,j] + h[i-1,j] @ weight_ss[s,0] + h[i,j-1] @ weight_ss[s,1]
        c[i,j] = f * c[i,j-1] + i * g;  h[i,j] = o * tanh(c[i,j])

    and from the right with j+1 for j-1. Both neighbours of a pixel lie on the diagonal before its own, so a step
    takes one diagonal of both directions, in all images of the batch.

    Args:
        gates_is: [B, H, W, 2, 4D], the input-to-state part of the gates, in the order o, f, i, g.
        weight_ss: [2, 2, D, 4D], direction, then neighbour (0 above, 1 beside).

    Returns:
        [B, H, W, 2, D], the hidden state h of each direction, each at its own pixel (not shifted).
    """
    B, H, W, _, _ = gates_is.shape
    D = weight_ss.shape[2]
    weight = weight_ss.reshape(2, 2 * D, 4 * D)
    orders = _diagonal_orders(H, W, gates_is.device)

    gates_by_direction = gates_is.flatten(1, 2).unbind(2)
    gates = torch.stack(
        [part.index_select(1, order).transpose(0, 1) for part, order in zip(gates_by_direction, orders, strict=True)]
    )  # [2, H * W, B, 4D], diagonal after diagonal

    first_rows = [max(0, d - W + 1) for d in range(H + W - 1)]
    sizes = [min(H, d + 1) - first_rows[d] for d in range(H + W - 1)]
    hidden = cell = gates.new_zeros(2, 0, B, D)
    hiddens = []
    for d, gates_d in enumerate(gates.split(sizes, dim=1)):
        # A zero before and behind stands for what lies outside the image: above row 0, beside the first column.
        padded_hidden, padded_cell = (F.pad(state, (0, 0, 0, 0, 1, 1)) for state in (hidden, cell))
        above = first_rows[d] - (first_rows[d - 1] if d else 0)
        beside = above + 1
        n = sizes[d]
        neighbours = torch.cat([padded_hidden[:, above : above + n], padded_hidden[:, beside : beside + n]], dim=-1)
        summed = torch.baddbmm(gates_d.flatten(1, 2), neighbours.flatten(1, 2), weight).unflatten(1, (n, B))
        hidden, cell = lstm_cell(summed, padded_cell[:, beside : beside + n])
        hiddens.append(hidden)

    by_direction = [
        h.index_select(0, order.argsort()).unflatten(0, (H, W))
        for h, order in zip(torch.cat(hiddens, dim=1), orders, strict=True)
    ]  # 2 x [H, W, B, D]
    return torch.stack(by_direction, dim=3).movedim(2, 0)


def _diagonal_orders(height: int, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Gives the raster positions [H * W] sorted by diagonal, then row: from the left, and from the right."""
    row = torch.arange(height, device=device)[:, None]
    column = torch.arange(width, device=device)
    order = ((row + column) * height + row).flatten().argsort()
    mirrored = (row * width + column.flip(0)).flatten()[order]
    return order, mirrored
