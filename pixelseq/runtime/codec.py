"""Turns dataclasses into JSON and back, checks every value against its declared type, and finds damage by digests."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

T = TypeVar("T")

DIGEST = "digest"
"""The field of a sealed object that has the SHA-256 of all others."""


def to_plain(value: Any) -> Any:
    """Turns a dataclass, and those inside it, into what JSON can hold: dicts, lists, numbers and texts."""
    from pydantic import TypeAdapter

    return TypeAdapter(type(value)).dump_python(value, mode="json")


def from_plain(kind: type[T], values: Any, what: str) -> T:
    """Builds a dataclass from what `to_plain` made of it.

    Args:
        kind: the class to build.
        values: dicts, lists, numbers, texts; every field of the class and no other.
        what: the name of the values in error messages.

    Raises:
        ValueError: an unknown or a missing field, a value of another type or out of its range, NaN or an infinity.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        text = json.dumps(values, allow_nan=False)  # NaN would pass the checks of ranges
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    try:
        # Read from JSON, a list passes for a tuple, but a text does not pass for a number.
        found = TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        raise ValueError(f"{what}: {_first_line(error)}") from error
    written = to_plain(found)
    if unlike := sorted(_names(written) ^ _names(values)):
        raise ValueError(f"{what}: these fields are unknown or missing: {', '.join(unlike)}")
    return found


def to_sealed(values: dict[str, Any]) -> str:
    """Writes an object as JSON, with a digest of it as its last field, by which `unsealed` finds damage."""
    return json.dumps({**values, DIGEST: _digest(values)}, indent=2) + "\n"


def unsealed(values: dict[str, Any], what: str) -> dict[str, Any]:
    """Takes the digest off an object that `to_sealed` has written and `read_object` has read.

    Args:
        values: the object.
        what: its name in error messages.

    Raises:
        ValueError: the object has no digest, or another one.
    """
    found = {name: value for name, value in values.items() if name != DIGEST}
    if values.get(DIGEST) != _digest(found):
        raise ValueError(f"{what} is damaged or edited: it has not the digest that it was written with")
    return found


def read_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Parses a text as a JSON object.

    Args:
        text: the JSON.
        what: the name of the text in error messages.

    Raises:
        ValueError: the text is not JSON, or not an object.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(dict[str, Any]).validate_json(text)
    except ValidationError as error:
        raise ValueError(f"{what}: {_first_line(error)}") from error


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _first_line(error: Any) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def _names(values: Any, prefix: str = "") -> set[str]:
    """Gives the dotted names of the fields of nested objects."""
    if not isinstance(values, dict) or not values:
        return {prefix}
    return {name for key, value in values.items() for name in _names(value, f"{prefix}.{key}" if prefix else key)}
