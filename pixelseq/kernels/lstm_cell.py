"""The LSTM cell that every recurrence shares."""

from __future__ import annotations

from torch import Tensor


def lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Updates an LSTM cell from its summed gates (van den Oord et al. 2016, equation 3).

    Args:
        gates: [..., 4D], pre-activations in the order o, f, i, g.
        cell: [..., D], the previous cell state.

    Returns:
        hidden: [..., D], o * tanh(cell).
        cell: [..., D], f * cell + i * g.
    """
    D = cell.shape[-1]
    o, f, i = gates[..., : 3 * D].sigmoid().chunk(3, dim=-1)
    g = gates[..., 3 * D :].tanh()
    cell = f * cell + i * g
    return o * cell.tanh(), cell
