"""The configuration: validated, and the same after a round trip through JSON."""

from __future__ import annotations

import json

import pytest
from helpers import resealed
from hypothesis import given
from hypothesis import strategies as st

from pixelseq import ModelConfig, PixelFormat
from pixelseq.imaging.preprocessing import Preprocessing
from pixelseq.model.checkpoint import config_from_json, config_to_json
from pixelseq.model.trained_on import TrainedOn
from pixelseq.runtime.codec import to_plain, to_sealed

KINDS = st.builds(
    PixelFormat,
    channels=st.integers(1, 9),
    levels=st.integers(2, 300),
    kind=st.sampled_from(["ordinal", "categorical"]),
) | st.text(st.characters(categories=["L", "N"]), min_size=2, max_size=9).filter(lambda t: len(set(t)) == len(t)).map(
    lambda legend: PixelFormat(1, len(legend), "categorical", legend)
)

SIZES = st.tuples(st.integers(1, 10**6), st.integers(1, 10**6))
RECORDS = st.builds(
    TrainedOn,
    data=st.text(max_size=20),
    size=SIZES,
    smallest=SIZES,
    largest=SIZES,
    preprocessing=st.builds(
        Preprocessing,
        resize=st.none() | SIZES,
        crop=st.none() | SIZES,
        binarize=st.booleans(),
        value_range=st.none() | st.just((0.0, 4095.5)),
    ),
    step=st.none() | st.integers(0, 10**9),
    validation_bits_per_dim=st.none() | st.floats(0, 1e6),
)


@given(
    KINDS,
    st.lists(st.sampled_from(["row", "diagonal", "conv"]), max_size=4),
    st.integers(1, 99),
    st.sampled_from([3, 5, 7]),
    st.floats(0, 0.99),
    st.booleans(),
    RECORDS,
)
def test_round_trip(
    pixel_format: PixelFormat,
    blocks: list[str],
    hidden: int,
    kernel: int,
    dropout: float,
    mixture: bool,
    trained_on: TrainedOn,
) -> None:
    head = "logistic_mixture" if mixture and pixel_format.ordered else "softmax"
    config = ModelConfig(pixel_format, hidden, tuple(blocks), kernel, dropout=dropout, head=head)  # type: ignore[arg-type]
    assert config_from_json(config_to_json(config, None, "a1")) == (config, None, "a1")
    assert config_from_json(config_to_json(config, trained_on, "b2")) == (config, trained_on, "b2")


def test_format_version_3_is_read() -> None:
    text = """{"format_version": 3, "channels": 1, "levels": 3, "hidden": 16, "blocks": ["row"], "context_kernel": 7,
    "context_blocks": 0, "head_features": 64, "head": "categorical", "mixtures": 10, "pixels": "categorical",
    "dropout": 0.05, "legend": "#-o"}"""
    expected = ModelConfig(
        PixelFormat(1, 3, "categorical", "#-o"), hidden=16, blocks=("row",), context_blocks=0, dropout=0.05
    )
    assert config_from_json(text) == (expected, None, None)


def test_format_versions_4_and_5_are_read() -> None:
    fields = json.loads(config_to_json(ModelConfig(hidden=7), None, "a1"))
    del fields["digest"]
    assert config_from_json(json.dumps(fields | {"format_version": 5})) == (ModelConfig(hidden=7), None, "a1")
    del fields["trained_on"], fields["sha256"]
    assert config_from_json(json.dumps(fields | {"format_version": 4})) == (ModelConfig(hidden=7), None, None)


def test_format_version_6_is_read() -> None:
    config = ModelConfig(classes=3, condition_dropout=0.5)
    fields = json.loads(config_to_json(config, None, "a1")) | {"format_version": 6}
    del fields["digest"], fields["text_encoder"]
    assert config_from_json(to_sealed(fields)) == (config, None, "a1")
    with pytest.raises(ValueError, match="digest"):
        config_from_json(json.dumps(fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pixel_format": 3}, "pixel_format is 3; expected a PixelFormat"),
        ({"hidden": 2.5}, r"hidden is 2\.5"),
        ({"context_kernel": 4}, "context_kernel is 4; it must be odd"),
        ({"context_kernel": 1}, "context_kernel is 1"),
        ({"blocks": ("row", "colum")}, "'colum'; choose from row, diagonal, conv"),
        ({"blocks": 5}, "blocks is 5"),
        ({"head": "gaussian"}, "'gaussian'; choose from softmax, logistic_mixture"),
        ({"mixtures": 0}, "mixtures is 0"),
        ({"head": "logistic_mixture", "pixel_format": PixelFormat(kind="categorical")}, "needs ordered levels"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
        ({"text_encoder": "any/one"}, "text_encoder is 'any/one', and vector_features is 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_field_out_of_range_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**fields)  # type: ignore[arg-type]


RECORD = to_plain(TrainedOn("digits", (8, 8), (8, 8), (8, 8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown or missing: colour"),
        ({"format_version": 99}, "format_version 99; this pixelseq reads 3 to 8"),
        ({"format_version": None}, "format_version None"),
        ({"format_version": 2}, "format_version 2"),
        ({"hidden": "many"}, "hidden: Input should be a valid integer"),
        ({"hidden": 1.5}, "hidden: Input should be a valid integer"),
        ({"hidden": True}, "hidden: Input should be a valid integer"),
        ({"blocks": "row"}, "blocks: Input should be a valid"),
        ({"blocks": ["rows"]}, "'rows'; choose from row, diagonal, conv"),
        ({"pixel_format": {"channels": 1, "levels": 3, "kind": "ordinal"}}, "missing: pixel_format.legend"),
        ({"pixel_format": None}, "pixel_format: Input should be"),
        ({"trained_on": {"data": "digits"}}, "trained_on: size: Field required"),
        ({"trained_on": RECORD | {"size": [0, 8]}}, r"size is \(0, 8\); each side must be at least 1"),
        (
            {
                "trained_on": RECORD
                | {"preprocessing": {"resize": [8, 0], "crop": None, "value_range": None, "binarize": False}}
            },
            "resize is",
        ),
        ({"sha256": None}, "sha256 is None; expected a text"),
        ({"hidden": 65537}, "hidden is 65537; it must be a whole number from 1 to 65536"),
        ({"context_blocks": 10**7}, "context_blocks is 10000000"),
        ({"mixtures": 1025}, "mixtures is 1025"),
        ({"context_kernel": 1025}, "context_kernel is 1025"),
        ({"blocks": ["row"] * 100_000}, "blocks has 100000 names; at most 1024"),
        ({"pixel_format": to_plain(PixelFormat()) | {"levels": 65537}}, "levels is 65537"),
        ({"pixel_format": to_plain(PixelFormat()) | {"channels": 1025}}, "channels is 1025"),
        ({"trained_on": RECORD | {"colour": 1}}, "trained_on: these fields are unknown or missing: colour"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_json_that_is_no_configuration(change: dict[str, object], message: str) -> None:
    text = resealed(config_to_json(ModelConfig(), None, ""), **change)
    with pytest.raises(ValueError, match=message) as caught:
        config_from_json(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["hidden", "trained_on", "sha256"])
def test_a_missing_key_is_named(name: str) -> None:
    fields = json.loads(config_to_json(ModelConfig(), None, ""))
    del fields[name], fields["digest"]
    with pytest.raises(ValueError, match=f"unknown or missing: {name}"):
        config_from_json(to_sealed(fields))


NO_OBJECTS = ["{", "[]", "", "3", "[" * 100_000, '{"a":' * 100_000, '{"hidden": ' + "9" * 100_000 + "}"]


@pytest.mark.parametrize("text", NO_OBJECTS, ids=lambda text: f"{text[:3]}-{len(text)}")
def test_text_that_is_no_json_object(text: str) -> None:
    with pytest.raises(ValueError, match="the configuration"):
        config_from_json(text)
