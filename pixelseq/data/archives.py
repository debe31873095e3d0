"""Pictures in a .zip, read as those of a folder are: nothing is unpacked to the disk, and one at a time in memory."""

from __future__ import annotations

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from pixelseq.data.array_files import check_members
from pixelseq.data.files import is_hidden, left_out
from pixelseq.imaging.read import SUFFIXES
from pixelseq.imaging.signatures import LONGEST, begins_a_picture

MOST_BYTES = 2**28
"""The most bytes of a picture's file; what is larger is more likely meant to fill the memory."""
MOST_FILES = 2**21
"""The most files in a .zip."""
DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile raises for damaged files."""


@dataclass(frozen=True)
class Member:
    """A file in an open .zip."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def read_bytes(self, size: int = MOST_BYTES) -> bytes:
        """Reads the first `size` bytes of the file, or all where it has fewer.

        Raises:
            ValueError: it is damaged.
        """
        try:
            with self.archive.open(self.info) as file:
                return file.read(min(size, self.info.file_size))  # not more, whatever it claims to be
        except DAMAGED as error:
            raise ValueError(f"it is damaged: {' '.join(str(error).split())}") from error


def list_pictures(path: Path) -> tuple[dict[Path, str], list[str]]:
    """Lists the pictures in a .zip.

    Args:
        path: the .zip.

    Returns:
        The name of each picture in the .zip by its path, as if the .zip were a folder; and notes on what is left out.

    Raises:
        ValueError: the .zip is damaged, encrypted, larger than the limits, or holds names that lead out of it.
    """
    pictures: dict[Path, str] = {}
    others: list[Path] = []
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > MOST_FILES:
                raise ValueError(f"it holds {len(infos)} files; at most {MOST_FILES} are read")
            check_members(path, infos)
            for info in infos:
                parts = info.filename.replace("\\", "/").split("/")  # some programs write the separators of Windows
                if ".." in parts or "" in parts:
                    raise ValueError(f"it names {info.filename!r}, which leads out of it")
                if any(is_hidden(part) for part in parts):
                    continue
                if path.joinpath(*parts) in pictures:
                    raise ValueError(f"it holds {info.filename} twice")
                _check(info)
                member = Member(archive, info)
                is_picture = path.joinpath(*parts).suffix.lower() in SUFFIXES
                if is_picture or begins_a_picture(member.read_bytes(LONGEST)):
                    pictures[path.joinpath(*parts)] = info.filename
                else:
                    others.append(path.joinpath(*parts))
    except DAMAGED as error:
        raise ValueError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not pictures:
        raise ValueError(f"{path} holds no pictures; unpack it, and give the path of what is in it")
    return pictures, left_out(others, "picture")


def _check(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & 1:
        raise ValueError(f"{info.filename} is encrypted; unpack it, and give the path of the folder")
    if info.file_size > MOST_BYTES:
        raise ValueError(f"{info.filename} has {info.file_size} bytes; a picture may have {MOST_BYTES}")
