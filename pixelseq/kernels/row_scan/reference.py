"""The row scan in eager torch: the definition that every faster backend is held to.

Shapes: B batch, H rows, W columns, D hidden, K kernel width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelseq.kernels.lstm_cell import lstm_cell


def row_scan(gates_is: Tensor, weight_ss: Tensor) -> Tensor:
    """Runs a Row LSTM down an image, one row per step (van den Oord et al. 2016, section 3.1, equation 3).

        gates[i] = gates_is[i] + conv_K(h[i-1]);  c[i] = f * c[i-1] + i * g;  h[i] = o * tanh(c[i])

    Args:
        gates_is: [B, H, W, 4D], the input-to-state part of the gates, in the order o, f, i, g.
        weight_ss: [K, D, 4D], K odd; tap k reads column j + k - K // 2 of the row above.

    Returns:
        [B, H, W, D], the hidden state h.
    """
    B, _, W, _ = gates_is.shape
    K, D, _ = weight_ss.shape
    weight = weight_ss.reshape(K * D, 4 * D)
    hidden = cell = gates_is.new_zeros(B, W, D)
    rows = []
    for row_is in gates_is.unbind(1):
        padded = F.pad(hidden, (0, 0, K // 2, K // 2))
        window = torch.cat([padded[:, k : k + W] for k in range(K)], dim=-1)  # [B, W, K * D]
        hidden, cell = lstm_cell(row_is + window @ weight, cell)
        rows.append(hidden)
    return torch.stack(rows, dim=1)
