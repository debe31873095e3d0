"""Names that a user gives: of what comes with pixelseq, or of paths."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

PREFIX = "bundled:"
"""What can stand before the name of what comes with pixelseq, so that no file or folder here is meant."""


def bundled_name(text: str, names: Collection[str]) -> str | None:
    """Gives the name of what comes with pixelseq, if a text is one.

    Args:
        text: what the user gave, with or without `PREFIX` before it.
        names: the names of what comes with pixelseq.

    Returns:
        The name without `PREFIX`; None where the text is something else.

    Raises:
        ValueError: nothing of that name comes with pixelseq, or there is a path of that name, too.
    """
    name = text.removeprefix(PREFIX)
    if name not in names:
        if name != text:
            raise ValueError(f"{text} does not come with pixelseq; choose from {', '.join(sorted(names))}")
        return None
    if name == text and os.path.lexists(text):
        raise ValueError(f"{text} comes with pixelseq and is a path here, too; write {PREFIX}{text} or ./{text}")
    return name


def as_path(text: str | Path) -> Path:
    """Gives the path that a user wrote, with ~ for the home folder; an unknown user's stays as it is."""
    return Path(os.path.expanduser(text))
