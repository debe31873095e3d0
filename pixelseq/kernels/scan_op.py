"""Registers scans as torch ops, so that autograd, autocast, torch.compile and export see one op per scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Forward = Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]
Backward = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def register(name: str, forward: Forward, backward: Backward) -> Forward:
    """Registers a scan as `pixelseq::NAME`, differentiable once, and vectorised by torch.vmap.

    Args:
        name: the name of the op.
        forward: maps gates_is [..., 4D] and weight_ss [..., D, 4D] to hidden and cell [..., D] and the activated gates
            [..., 4D]; `empty_results` makes these.
        backward: maps the gradient of hidden, weight_ss, and what forward gave, to the gradients of gates_is and
            weight_ss.

    Returns:
        The op.
    """
    forward_op = torch.library.custom_op(f"pixelseq::{name}", forward, mutates_args=())
    backward_op = torch.library.custom_op(f"pixelseq::{name}_backward", backward, mutates_args=())
    forward_op.register_fake(empty_results)

    @backward_op.register_fake
    def _(grad_hidden: Tensor, weight_ss: Tensor, hidden: Tensor, cell: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
        return torch.empty_like(gates), weight_ss.new_empty(weight_ss.shape)

    def keep(ctx: Any, inputs: tuple[Tensor, Tensor], output: tuple[Tensor, Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[1], *output)
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)

    def differentiate(ctx: Any, grad_hidden: Tensor | None, *_: None) -> tuple[Tensor | None, Tensor | None]:
        if grad_hidden is None:
            return None, None
        gradients: tuple[Tensor, Tensor] = backward_op(grad_hidden, *ctx.saved_tensors)
        return gradients

    def vectorise(
        info: Any, dims: tuple[int | None, int | None], gates_is: Tensor, weight_ss: Tensor
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[int, int, int]]:
        gates, weights = (
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip((gates_is, weight_ss), dims, strict=True)
        )
        if dims[1] is None:  # one batch of all images
            together = forward_op(gates.flatten(0, 1), weight_ss)
            hidden, cell, activated = (tensor.unflatten(0, gates.shape[:2]) for tensor in together)
        else:
            each = [forward_op(*pair) for pair in zip(gates, weights, strict=True)]
            hidden, cell, activated = (torch.stack(tensors) for tensors in zip(*each, strict=True))
        return (hidden, cell, activated), (0, 0, 0)

    forward_op.register_autograd(differentiate, setup_context=keep)
    forward_op.register_vmap(vectorise)
    return forward_op


def empty_results(gates_is: Tensor, weight_ss: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Makes unfilled hidden and cell [..., D], the cell in float32 at least, and gates [..., 4D], all contiguous."""
    hidden = gates_is.new_empty(*gates_is.shape[:-1], weight_ss.shape[-2])
    cell = torch.empty_like(hidden, dtype=torch.promote_types(hidden.dtype, torch.float32))
    return hidden, cell, gates_is.new_empty(gates_is.shape)
