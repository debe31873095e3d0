"""The files of images that are to be completed, and those of their masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from pixelseq.data.files import files_below, is_picture, left_out
from pixelseq.data.texts import find_maps
from pixelseq.imaging.masks import RULES, Mark, find_masks, read_mask
from pixelseq.imaging.partial_text import read_text_mask
from pixelseq.imaging.text import TEXT


def images_below(folder: Path) -> tuple[list[Path], list[str]]:
    """Finds the text maps below a folder, or where there are none its pictures.

    Returns:
        The files, and what was not read or decided, one line each.
    """
    files, walked = files_below(folder)
    pictures = [file for file in files if is_picture(file)]
    maps, found = find_maps(folder, files, pictures, tables=[])
    notes = found if maps else left_out(sorted(set(files).difference(pictures)), "picture")
    return maps or pictures, [*walked, *notes]


def read_masks(
    mask: Path, mark: Mark | None, images: Sequence[Path], max_pixels: int
) -> tuple[dict[Path, Tensor], list[str]]:
    """Reads the mask of each image, all of one file or each of the one of its name in a folder.

    Args:
        mask: the file or the folder.
        mark: what is unknown in masks that are pictures; by default what the first rule that fits says.
        images: the files of the images.
        max_pixels: the most pixels of a mask.

    Returns:
        The masks [H, W], bool, True where a pixel is known, and how they were read, one line each.

    Raises:
        ValueError: a mask is missing or cannot be read.
    """
    files, notes = dict.fromkeys(images, mask), []
    if mask.is_dir():
        listed = files_below(mask, deep=False).files
        files, note = find_masks(
            mask, [file for file in listed if file.suffix.lower() == TEXT or is_picture(file)], images
        )
        notes += [note] if note else []
    known, rules = {}, {}
    for file in dict.fromkeys(files.values()):
        if file.suffix.lower() == TEXT:
            known[file], rules[file] = read_text_mask(file), "what is marked is drawn"
        else:
            known[file], found = read_mask(file, mark, max_pixels)
            rules[file] = RULES[found] + ("" if mark else " (another `mask_unknown` changes that)")
    for rule in dict.fromkeys(rules.values()):
        alike = [known[file] for file in known if rules[file] == rule]
        unknown, pixels = sum(int((~one).sum()) for one in alike), sum(one.numel() for one in alike)
        where = f"{mask} ({len(alike)} of {len(known)} masks)" if mask.is_dir() else str(mask)
        notes.append(f"{where}: {rule}: {unknown} of {pixels} pixels")
    return {path: known[file] for path, file in files.items()}, notes
