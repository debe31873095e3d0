"""Which files the rows of a table may name: a table that a stranger made must not read what else the disk holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HUB = "hf://"


@dataclass(frozen=True)
class RowFiles:
    """The files that rows of a table may name.

    Paths that are not absolute are taken from the first folder.
    """

    folders: tuple[Path, ...]
    """The folders, at any depth below which files may be named."""
    hub: bool = False
    """Whether files of the hub may be named."""

    def read(self, name: str) -> bytes | Path:
        """Gives the path of a file that a row names, or the content of one of the hub.

        Raises:
            ValueError: the row may not name it.
        """
        if "://" not in name and "::" not in name and "\0" not in name:
            path = (self.folders[0] / name).resolve()
            if any(path.is_relative_to(folder.resolve()) for folder in self.folders):
                return path
            raise ValueError(f"a row names the file {name!r}; rows may name files below {self.folders[0]} alone")
        if not self.hub or not name.startswith(HUB) or "::" in name:
            expected = f"files of the hub ({HUB}...)" if self.hub else f"files below {self.folders[0]}"
            raise ValueError(f"a row names {name!r}; rows may name {expected} alone")
        import fsspec

        with fsspec.open(name, "rb") as file:
            content: bytes = file.read()
        return content
