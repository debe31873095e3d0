"""What the numbers of an image mean, validated."""

from __future__ import annotations

import pytest

from pixelseq import PixelFormat


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": 0}, "channels is 0"),
        ({"channels": True}, "channels is True"),
        ({"levels": 1}, "levels is 1"),
        ({"levels": 2.5}, r"levels is 2\.5"),
        ({"kind": "nominal"}, "'nominal'; choose from ordinal, categorical"),
        ({"levels": 3, "legend": "ab"}, "'ab'; expected a text of 3 characters"),
        ({"levels": 2, "legend": "aa"}, "printable and all different"),
        ({"levels": 2, "legend": "a\n"}, "printable and all different"),
        ({"levels": 2, "legend": 5}, "the legend is 5"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_field_out_of_range_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PixelFormat(**fields)  # type: ignore[arg-type]


def test_the_order_of_levels() -> None:
    assert PixelFormat().ordered
    assert not PixelFormat(levels=2, kind="categorical", legend="#-").ordered
