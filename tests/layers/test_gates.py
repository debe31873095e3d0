"""Initial values behind the gates."""

from __future__ import annotations

import pytest
import torch

from pixelseq.layers import DiagonalBiLSTM, RowLSTM


@pytest.mark.parametrize("layer", [RowLSTM(8, 4), DiagonalBiLSTM(8, 4)], ids=["row", "diagonal"])
def test_forget_gates_start_open_and_states_are_mapped_orthogonally(layer: RowLSTM | DiagonalBiLSTM) -> None:
    bias = layer.input_to_state.bias.view(-1, 4, 4)
    assert bias[:, 1].eq(1).all()
    assert bias[:, [0, 2, 3]].eq(0).all()
    for gate in layer.state_to_state.reshape(-1, 4, 4, 4).transpose(1, 2).reshape(-1, 4, 4):
        torch.testing.assert_close(gate.T @ gate, 0.25 * torch.eye(4))
