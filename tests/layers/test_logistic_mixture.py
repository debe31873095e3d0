"""The discretised mixture of logistics against SciPy, as a distribution, and where its parameters are extreme."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import logistic
from torch import Tensor

from pixelseq.layers.logistic_mixture import mixture_log_prob

LEVELS = [2, 5, 17, 256]
MEANS = [-1e9, -300.0, -0.5, 0.0, 3.3, 128.49, 255.0, 1e4, 1e9]
LOG_SCALES = [-1e6, -5.0, -3.0, 0.0, 5.0, 15.0, 1e6]


def table(logits: Tensor, means: Tensor, log_scales: Tensor, V: int) -> Tensor:
    """[..., V] of the mixture of [..., K]."""
    return mixture_log_prob(*(tensor[..., None, :] for tensor in (logits, means, log_scales)), torch.arange(V), V)


def extremes(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Every pair of MEANS and LOG_SCALES as one component, and mixtures of all means of a scale."""
    pairs = torch.tensor(list(itertools.product(MEANS, LOG_SCALES)), dtype=dtype)
    means, log_scales = (pairs[:, k, None].expand(-1, 3).clone().requires_grad_() for k in (0, 1))
    logits = torch.tensor([0.0, 40.0, -900.0], dtype=dtype).expand_as(means).clone().requires_grad_()
    return logits, means, log_scales


@pytest.mark.parametrize("V", LEVELS)
@pytest.mark.parametrize(("mean", "scale"), [(1.2, 0.7), (-2.0, 3.0), (0.5, 0.1)])
def test_one_component_is_scipys_logistic(V: int, mean: float, scale: float) -> None:
    parameters = (torch.tensor([x], dtype=torch.float64) for x in (0.3, mean, np.log(scale)))
    cdf = logistic(mean, scale).cdf(np.arange(V - 1) + 0.5)
    expected = np.diff(np.concatenate([[0], cdf, [1]]))
    np.testing.assert_allclose(table(*parameters, V).exp(), expected, rtol=1e-9, atol=1e-15)


def test_two_components_by_hand() -> None:
    """Weights 1/4 and 3/4 at levels 0 and 2 of 0..2, scale 1/2: the edges 0.5 and 1.5 are 1 and 3 scales away."""
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    of_first = [sigmoid(1), sigmoid(3) - sigmoid(1), 1 - sigmoid(3)]
    logits = torch.tensor([1.0, 3.0], dtype=torch.float64).log()
    means = torch.tensor([0.0, 2.0], dtype=torch.float64)
    found = table(logits, means, torch.full_like(means, 0.5).log(), 3).exp()
    expected = [0.25 * p + 0.75 * q for p, q in zip(of_first, of_first[::-1], strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("V", LEVELS)
def test_sums_to_one_whatever_the_parameters(V: int, dtype: torch.dtype, tolerance: float) -> None:
    logits, means, log_scales = torch.randn(3, 2000, 10, dtype=dtype)
    ordinary = table(logits, V * (0.5 + means), 2 + 3 * log_scales, V)
    for log_probs in (ordinary, table(*extremes(dtype), V)):
        sums = log_probs.double().exp().sum(-1)
        assert (sums - 1).abs().max() < tolerance


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("V", LEVELS)
def test_extremes_have_finite_values_and_gradients(V: int, dtype: torch.dtype) -> None:
    parameters = extremes(dtype)
    log_probs = table(*parameters, V)
    assert log_probs.isfinite().all()
    for gradient in torch.autograd.grad(log_probs.sum(), parameters):
        assert gradient.isfinite().all()


def test_a_mean_far_outside_is_drawn_back() -> None:
    means = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    zeros = torch.zeros(2, 1)
    mixture_log_prob(zeros, means, zeros, torch.tensor([3, 3]), 5).sum().backward()
    assert means.grad is not None
    torch.testing.assert_close(means.grad, torch.tensor([[-1.0], [1.0]]))


def test_gradients_are_those_of_differences() -> None:
    parameters = [tensor.requires_grad_() for tensor in torch.randn(3, 4, 3, dtype=torch.float64)]
    levels = torch.tensor([0, 1, 3, 4])
    assert torch.autograd.gradcheck(lambda *p: mixture_log_prob(*p, levels, 5), parameters)
