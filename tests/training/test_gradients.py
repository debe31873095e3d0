"""Gradients and likelihoods do not depend on padding or on the number of processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from helpers import ragged, small_model

from pixelseq.model.batch import Batch
from pixelseq.training.gradients import ImageNats, backward

# 7 images of 1 to 4 rows and two widths: two processes get 4 and 3 images, and unlike numbers of values. Of the batch
# of one image, the second process gets none.
SHARED = """
import json
import torch
from accelerate import Accelerator
from helpers import ragged, small_model
from pixelseq.data import Images, Store
from pixelseq.training.gradients import ImageNats, backward, evaluate_shared, sum_over_processes

torch.manual_seed(0)
model, images = small_model(2.0, levels=4), ragged(5, 4) + [image[:, :, :2] for image in ragged(2, 4)]
accelerator = Accelerator(cpu=True)
network = accelerator.prepare(ImageNats(model))
share = images[accelerator.process_index :: accelerator.num_processes]
seen = sum_over_processes(accelerator, backward(accelerator, network, share)[0])
backward(accelerator, network, images[:1][accelerator.process_index :: accelerator.num_processes])
held_out = evaluate_shared(accelerator, model, Images.of(Store.of(images)))
gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).tolist()
if accelerator.is_main_process:
    sums = {"seen": vars(seen), "held_out": vars(held_out)}
    print(json.dumps({"processes": accelerator.num_processes, "gradient": gradient, **sums}))
accelerator.wait_for_everyone()
accelerator.end_training()
"""


def test_padding_changes_neither_loss_nor_gradient() -> None:
    model = small_model(2.0, levels=4)
    images = ragged(5, 4)
    ImageNats(model)(Batch.of(images)).sum().backward()
    together = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    for image in images:
        model.nll(image[None]).sum().backward()
    alone = [parameter.grad for parameter in model.parameters()]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def run_shared(folder: Path, *launcher: str) -> dict[str, Any]:
    (folder / "shared.py").write_text(SHARED)
    tests = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, *launcher, folder / "shared.py"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [tests, tests.parent])), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_two_processes_have_the_gradient_and_the_likelihood_of_one(tmp_path: Path) -> None:
    one = run_shared(tmp_path)
    two = run_shared(tmp_path, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["gradient"] == pytest.approx(one["gradient"], rel=1e-9, abs=1e-12)
    for name in ("nll_nats", "images", "values"):
        assert two["seen"][name] == pytest.approx(one["seen"][name], rel=1e-12)
    assert one["held_out"] == two["held_out"]  # to the last digit
    assert one["held_out"]["nats_error"] > 0
    for name in ("nll_nats", "images", "values"):
        assert one["seen"][name] == pytest.approx(one["held_out"][name], rel=1e-12)


def test_a_batch_of_mixed_widths_has_the_gradient_of_its_images() -> None:
    model, images = small_model(2.0, levels=4), [*ragged(4, 4), *(image[:, :, :2] for image in ragged(3, 4))]
    accelerator = Accelerator(cpu=True)
    sums, _ = backward(accelerator, ImageNats(model), images)
    together = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    model.zero_grad()
    values = sum(image.numel() for image in images)
    alone = [model.nll(image[None]).sum() for image in images]
    (sum(alone) / values).backward()  # type: ignore[union-attr]
    assert sums.tolist() == pytest.approx([sum(nats.item() for nats in alone), 7, values], rel=1e-9)
    for one, parameter in zip(together, model.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, rtol=1e-9, atol=1e-9)


def test_a_batch_in_parts_has_its_gradient() -> None:
    model, images = small_model(2.0, levels=4), ragged(7, 4)
    accelerator = Accelerator(cpu=True)
    gradients = []
    for accumulate in (1, 3, 7, 9):
        model.zero_grad()
        sums, _ = backward(accelerator, ImageNats(model), images, accumulate)
        gradients.append(torch.cat([sums, *(p.grad.flatten() for p in model.parameters() if p.grad is not None)]))
    for gradient in gradients[1:]:
        torch.testing.assert_close(gradient, gradients[0], rtol=1e-9, atol=1e-9)


def test_levels_that_the_model_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="levels from 9 to 9; the model has 4 levels"):
        backward(Accelerator(cpu=True), ImageNats(small_model(levels=4)), [torch.full((1, 2, 3), 9)])


def test_a_loss_that_is_not_finite_makes_the_gradient_so() -> None:
    model, accelerator = small_model(2.0, levels=4), Accelerator(cpu=True)
    network = ImageNats(model)
    backward(accelerator, network, ragged(3, 4))
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
    network.forward = lambda batch: (
        torch.full((len(batch.levels),), torch.inf) + 0 * model.head.to_outputs[0].bias.sum()
    )
    backward(accelerator, network, ragged(3, 4))
    gradient = model.head.to_outputs[0].bias.grad
    assert gradient is not None
    assert not gradient.isfinite().any()


def test_processes_tell_each_other_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model, accelerator = small_model(2.0, levels=4), Accelerator(cpu=True)
    told: list[torch.Tensor] = []
    other = torch.tensor([[70.0, 2, 0, 1]], dtype=torch.float64)  # another process has 70 values in 2 parts

    def gather(tensor: torch.Tensor) -> torch.Tensor:
        told.append(tensor)
        return torch.cat([tensor, other])

    monkeypatch.setattr(accelerator, "gather", gather)
    images = ragged(3, 4)
    sums, told_by_all = backward(accelerator, ImageNats(model), images, told=(0, 2.5))
    values = sum(image.numel() for image in images)
    assert told_by_all == [0, 2.5]
    assert [tensor.tolist() for tensor in told] == [[[values, 1, 0, 2.5]]]
    assert sums.tolist()[1:] == [3, values]
    found = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
    model.zero_grad()
    (sum(model.nll(image[None]).sum() for image in images) / (values + 70)).backward()  # type: ignore[union-attr]
    torch.testing.assert_close(
        found, torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
    )
