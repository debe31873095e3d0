"""Initial values of the parameters behind LSTM gates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

STATE_SCALE = 0.5


@torch.no_grad()
def init_gates(bias: Tensor, state_to_state: Tensor) -> None:
    """Opens the forget gates (bias 1), and damps orthogonal state-to-state maps: a state neither dies nor grows.

    Args:
        bias: [..., 4D], the bias of the input-to-state map, gates in the order o, f, i, g.
        state_to_state: [..., D, 4D], one map per neighbour.
    """
    D = state_to_state.shape[-2]
    bias.zero_()
    bias.view(-1, 4 * D)[:, D : 2 * D] = 1
    for neighbour in state_to_state.view(-1, D, 4 * D):
        for gate in neighbour.split(D, dim=1):
            nn.init.orthogonal_(gate, gain=STATE_SCALE)
