"""Finds files below folders, and notes their state."""

from __future__ import annotations

from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """Gives all files below a folder but hidden ones, in order."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def stamp(files: list[Path]) -> list[tuple[str, int, int]]:
    """Gives the name, size and time of change of each file."""
    return [(str(file.resolve()), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
