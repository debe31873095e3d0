"""Keeps the result of a finished run in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pixelseq.runtime.codec import read_object, to_sealed, unsealed
from pixelseq.runtime.files import atomic_write

RESULT = "result.json"


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Writes the result of a run to result.json, with a digest."""
    with atomic_write(folder / RESULT) as beside:
        beside.write_text(to_sealed(result))


def read_result(folder: Path) -> dict[str, Any] | None:
    """Reads the result of the run in a folder; gives None if there is none.

    Raises:
        ValueError: it is damaged.
    """
    path = folder / RESULT
    return unsealed(read_object(path.read_bytes(), str(path)), str(path)) if path.exists() else None
