"""The optimizer, and the learning rate and random numbers of a step, which depend on its number alone.

A run that goes on has therefore neither a schedule nor random numbers to restore.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn


def build_optimizer(
    name: str, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Builds the optimizer of the parameters that are trained.

    Args:
        name: "adamw" (Loshchilov and Hutter 2019) or "rmsprop" (van den Oord et al. 2016, section 5.2).
        parameters: the parameters of the model; those that need no gradient are left out.
        learning_rate: the highest learning rate.
        weight_decay: the weight decay, decoupled in AdamW, L2 in RMSProp.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if name == "adamw":
        return torch.optim.AdamW(trained, learning_rate, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True)
    if name != "rmsprop":
        raise ValueError(f"no optimizer {name!r}; choose from adamw, rmsprop")
    return torch.optim.RMSprop(trained, learning_rate, alpha=0.95, weight_decay=weight_decay)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Sets the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def schedule_factor(name: str, step: int, warmup: int, done: float) -> float:
    """Gives the factor of the learning rate at `step`: linear from 0 over `warmup` steps, then a cosine or constant.

    Args:
        name: "cosine" or "constant".
        step: the steps taken.
        warmup: the steps of the warm-up.
        done: the part of what comes after the warm-up that is done, 0 to 1; the cosine ends with it.
    """
    if step < warmup:
        return (step + 1) / warmup
    if name == "constant":
        return 1.0
    if name != "cosine":
        raise ValueError(f"no schedule {name!r}; choose from cosine, constant")
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seeds torch for a step of a process, so that dropout is the same after a resume and differs between processes."""
    state = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]) >> 1)
