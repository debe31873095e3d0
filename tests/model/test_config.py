"""The configuration: validated, and the same after a round trip through JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pixelseq import ModelConfig


@pytest.mark.parametrize("own", [{"pixels": "categorical"}, {"head": "logistic_mixture", "mixtures": 5}])
def test_round_trip(own: dict[str, Any]) -> None:
    config = ModelConfig(channels=3, levels=256, blocks=("diagonal", "conv"), dropout=0.1, **own)
    assert ModelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": 0}, "channels is 0"),
        ({"levels": 1}, "levels is 1"),
        ({"hidden": 2.5}, r"hidden is 2\.5"),
        ({"context_kernel": 4}, "context_kernel is 4; it must be odd"),
        ({"context_kernel": 1}, "context_kernel is 1"),
        ({"blocks": ("row", "colum")}, "'colum'; choose from row, diagonal, conv"),
        ({"blocks": 5}, "blocks is 5"),
        ({"head": "gaussian"}, "'gaussian'; choose from categorical, logistic_mixture"),
        ({"mixtures": 0}, "mixtures is 0"),
        ({"head": "logistic_mixture", "pixels": "categorical"}, "needs ordered levels"),
        ({"pixels": "nominal"}, "'nominal'; choose from ordinal, categorical"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_field_out_of_range_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown keys: colour"),
        ({"format_version": 99}, "format_version 99; this pixelseq reads 3"),
        ({"format_version": None}, "format_version None"),
        ({"levels": "many"}, "levels is 'many'"),
        ({"blocks": "row"}, "blocks is 'row'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_json_that_is_no_configuration(change: dict[str, object], message: str) -> None:
    fields = json.loads(ModelConfig().to_json()) | change
    with pytest.raises(ValueError, match=message):
        ModelConfig.from_json(json.dumps(fields))


def test_a_missing_key_is_named() -> None:
    fields = json.loads(ModelConfig().to_json())
    del fields["hidden"]
    with pytest.raises(ValueError, match="lacks keys: hidden"):
        ModelConfig.from_json(json.dumps(fields))


def test_text_that_is_not_json() -> None:
    with pytest.raises(ValueError, match="not JSON"):
        ModelConfig.from_json("{")
    with pytest.raises(ValueError, match="a JSON list"):
        ModelConfig.from_json("[]")
