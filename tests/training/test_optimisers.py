"""The optimizer, the learning rate and the random numbers of a step."""

from __future__ import annotations

import pytest
import torch
from helpers import small_model

from pixelseq.training.optimisers import build_optimizer, schedule_factor, seed_step, set_learning_rate


def test_the_learning_rate_warms_up_and_follows_a_cosine_or_stays() -> None:
    factors = [schedule_factor("cosine", step, warmup=4, done=(step - 4) / 8) for step in range(13)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1.0]
    assert factors[8] == pytest.approx(0.5)
    assert factors[12] == pytest.approx(0)
    assert [schedule_factor("constant", step, warmup=2, done=0.5) for step in range(4)] == [0.5, 1, 1, 1]


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("rmsprop", torch.optim.RMSprop)])
def test_optimizers_train_what_is_not_frozen(name: str, kind: type) -> None:
    model = small_model()
    model.encoder.requires_grad_(False)
    optimizer = build_optimizer(name, model.parameters(), 0.1, 0.0)
    assert isinstance(optimizer, kind)
    frozen = {id(parameter) for parameter in model.encoder.parameters()}
    assert not frozen & {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25]


def test_every_step_and_process_has_its_own_random_numbers() -> None:
    def draw(*where: int) -> float:
        seed_step(*where)
        return torch.rand(()).item()

    places = [(s, step, rank) for s in (0, 1) for step in (0, 1, 2) for rank in (0, 1)]
    drawn = [draw(*place) for place in places]
    assert len(set(drawn)) == len(places)
    assert [draw(*place) for place in places] == drawn


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no optimizer 'sgd'; choose from adamw, rmsprop"):
        build_optimizer("sgd", small_model().parameters(), 0.1, 0.0)
    with pytest.raises(ValueError, match="no schedule 'linear'; choose from cosine, constant"):
        schedule_factor("linear", 5, warmup=2, done=0.5)
