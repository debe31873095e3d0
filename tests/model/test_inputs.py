"""NumPy arrays where tensors go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from helpers import small_model

from pixelseq import complete, evaluate, log_known
from pixelseq.model.inputs import as_tensor

IMAGES = np.random.default_rng(0).integers(0, 5, (3, 1, 4, 6))


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


ARRAYS = {
    **{kind: IMAGES.astype(kind) for kind in ("uint8", "int8", "uint16", "int32", "int64", "uint64", ">i2")},
    "backwards": IMAGES[:, :, ::-1].copy()[:, :, ::-1],
    "by-columns": np.asfortranarray(IMAGES),
    "read-only": read_only(IMAGES),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_give_what_tensors_give(name: str) -> None:
    model, images, array = small_model(levels=5), torch.from_numpy(IMAGES), ARRAYS[name]
    assert torch.equal(model(array), model(images))
    assert torch.equal(model.nll(array), model.nll(images))
    for batch in (array, list(array)):
        assert evaluate(model, batch) == evaluate(model, list(images))
    known = IMAGES[:, 0] % 2 == 0
    for mask in (known, known[:, None], torch.from_numpy(known)[:, None]):
        assert torch.equal(complete(model, array, mask), complete(model, images, torch.from_numpy(known)))
        assert torch.equal(log_known(model, array, mask, 3), log_known(model, images, torch.from_numpy(known), 3))


def test_steps_take_arrays() -> None:
    model = small_model(levels=5, channels=3)
    pixel = np.array([[1, 4, 2]])
    states = [model.init_state(1, 2) for _ in range(2)]
    features = [model.step(state) for state in states]
    earlier = pixel[:, :2]
    one, other = (model.pixel_log_probs(features[k], (earlier, torch.from_numpy(earlier))[k]) for k in range(2))
    assert torch.equal(one, other)
    model.feed(states[0], pixel)
    model.feed(states[1], torch.from_numpy(pixel))
    assert torch.equal(model.step(states[0]), model.step(states[1]))


def test_an_array_is_copied() -> None:
    array = IMAGES.copy()
    tensor = as_tensor(array, "images")
    array[:] = 0
    assert tensor.tolist() == IMAGES.tolist()


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (IMAGES.tolist(), "a list"),
        (IMAGES.astype(float), "a NumPy array of float64"),
        (IMAGES.astype(object), "a NumPy array of object"),
        (None, "a NoneType"),
    ],
    ids=["list", "float", "object", "none"],
)
def test_what_is_neither_is_refused(values: Any, got: str) -> None:
    model = small_model(levels=5)
    message = f"cannot be {got}; give a torch tensor or a NumPy array of integers or bools"
    for call in (model, model.nll, lambda images: complete(model, images, np.ones((4, 6), bool))):
        with pytest.raises(TypeError, match=f"images {message}"):
            call(values)
    with pytest.raises(TypeError, match=f"known {message}"):
        complete(model, IMAGES, values)
    state = model.init_state(3, 6)
    model.step(state)
    with pytest.raises(TypeError, match=f"the pixel {message}"):
        model.feed(state, values)


def test_masks_of_other_sizes_and_types_are_refused() -> None:
    model = small_model(levels=5)
    with pytest.raises(ValueError, match=r"known is \[3, 2, 4, 6\]; .* \[4, 6\], \[3, 4, 6\] or \[3, 1, 4, 6\]"):
        complete(model, IMAGES, np.ones((3, 2, 4, 6), bool))
    with pytest.raises(ValueError, match=r"known is torch.uint8; expected bool"):
        complete(model, IMAGES, np.ones((4, 6), np.uint8))
    with pytest.raises(ValueError, match=r"images are torch.bool; expected integer levels"):
        model.nll(IMAGES > 2)
