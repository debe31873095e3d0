"""Bayes' rule and calibration, by known answers."""

from __future__ import annotations

import pytest
import torch
from helpers import all_images, small_model

from pixelseq import Condition
from pixelseq.model.classifier import Classification, calibration_error, posterior


def test_the_posterior_is_that_of_the_joint_distribution() -> None:
    model = small_model(3.0, classes=3, orders=2, condition_dropout=0.1)
    images, prior = all_images(2, 1, 2, 3), torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    with torch.no_grad():
        nats = -torch.stack([model.log_prob(images, Condition(label=torch.tensor([k]))) for k in range(3)], 1)
    found = posterior(nats, prior)
    joint = (-nats).exp() * prior  # [64, 3]
    assert joint.sum().item() == pytest.approx(1, abs=1e-12)
    image = joint.sum(1)
    torch.testing.assert_close(found, joint / image[:, None])
    torch.testing.assert_close((found * image[:, None]).sum(0), prior)  # the labels of all images are as the prior says
    assert found.std(0).min() > 1e-3  # images differ in what they say of each label


def test_a_posterior_of_unlikely_images_and_of_labels_that_do_not_occur() -> None:
    nats = torch.tensor([[5000.0, 5001.0, 4000.0]], dtype=torch.float64)
    found = posterior(nats, torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64))
    e = torch.tensor(1.0, dtype=torch.float64).exp()
    torch.testing.assert_close(found, torch.stack([e / (1 + e), 1 / (1 + e), 0 * e])[None])


@pytest.mark.parametrize(
    ("confidence", "correct", "expected"),
    [
        # Three of the 15 bins: 0.635 confident and half right; 0.97 and right; 0.4 and wrong.
        ([0.62, 0.95, 0.65, 0.99, 0.4], [True, True, False, True, False], (2 * 0.135 + 2 * 0.03 + 0.4) / 5),
        ([0.38, 0.4], [False, True], abs(1 - 0.78) / 2),  # a bin has its upper end
        ([0.41, 0.4], [False, True], (0.41 + 0.6) / 2),
        ([1.0, 1.0], [True, True], 0),
        ([1.0, 0.0], [False, True], 1),
    ],
)
def test_the_calibration_error_by_hand(confidence: list[float], correct: list[bool], expected: float) -> None:
    found = calibration_error(torch.tensor(confidence, dtype=torch.float64), torch.tensor(correct))
    assert found == pytest.approx(expected, abs=1e-12)


def test_what_is_said_is_counted() -> None:
    p = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1], [0.2, 0.1, 0.7]], dtype=torch.float64)
    found = Classification(torch.tensor([0, 2, 0, 1]), p)
    assert found.accuracy == 0.5
    assert found.accuracy_error == 0.25
    assert found.confusion.tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 1]]
    assert found.calibration_error == pytest.approx((0.5 + 0.2 + 0.6 + 0.7) / 4)  # four bins
    assert found.row(2, ("a", "b", "c")) == ("a", "b", 0.6)
