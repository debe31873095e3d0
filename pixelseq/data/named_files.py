"""The files of pictures that a command line names, and the names of what is made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from pixelseq.data.files import files_below, is_picture, left_out
from pixelseq.imaging.read import SUFFIXES
from pixelseq.runtime.scripts import is_one_file

Found = tuple[list[Path], list[str]]
"""Files, and what was not read or decided, one line each."""


def pictures_below(folder: Path) -> Found:
    """Finds the pictures below a folder."""
    files, notes = files_below(folder)
    pictures = [file for file in files if is_picture(file)]
    return pictures, [*notes, *left_out(sorted(set(files).difference(pictures)), "picture")]


def find_named(
    named: Sequence[Path], below: Callable[[Path], Found] = pictures_below, others: Sequence[str] = ()
) -> Found:
    """Gives the files that `image` names, folders replaced by what is found below them.

    Args:
        named: files and folders.
        below: finds the files below a folder.
        others: what it finds besides pictures.

    Raises:
        ValueError: there are none, or a folder holds none.
    """
    paths: list[Path] = []
    said: list[str] = []
    for path in named:
        files, notes = below(path) if path.is_dir() else ([path], [])
        said += [f"{path}: {note}" for note in notes]
        if not files:
            kinds = [f"pictures ({', '.join(sorted(SUFFIXES))})", *others]
            raise ValueError(f"the folder {path} holds {' and '.join(f'no {kind}' for kind in kinds)}")
        paths += files
    if not paths:
        raise ValueError("`image` names no pictures")
    return paths, said


def check_apart(
    out: Path, paths: Sequence[Path], named: Sequence[Path], also: Sequence[Path] = (), what: str = "pictures"
) -> None:
    """Raises ValueError where `out` is what is read, or among it.

    Args:
        out: one file to write, or a folder.
        paths: the files of pictures.
        named: the files and folders that `image` names.
        also: other files and folders that are read.
        what: what is read, for the message.
    """
    place = out.resolve()
    if place in {path.resolve() for path in (*paths, *also)}:
        raise ValueError(f"`out` is {out}, which is read; give another name")
    read = [path.resolve() for path in (*named, *also) if path.is_dir()]
    beside = [path.resolve().parent for path in paths if not is_one_file(out)]
    if place in beside or any(place.is_relative_to(folder) for folder in read):
        raise ValueError(f"`out` is {out}, where the {what} are; give another folder")


def name_below(path: Path, named: Sequence[Path]) -> str:
    """Names a file of those that `image` names: as below the folder that is named, without its ending."""
    folders = (folder for folder in named if folder.is_dir() and path.is_relative_to(folder))
    folder = next(folders, path.parent)
    return path.relative_to(folder).with_suffix("").as_posix()


def check_names(paths: Sequence[Path], named: Sequence[Path], made: str) -> None:
    """Raises ValueError where what is made of two files, such as "completions", would have one name."""
    names = [name_below(path, named) for path in paths]
    counts = Counter(names)
    if alike := [str(path) for path, name in zip(paths, names, strict=True) if counts[name] > 1]:
        raise ValueError(f"{made} are named after images, and these have one name: {', '.join(alike[:5])}")
