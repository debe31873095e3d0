"""Opens tables in JSON by the datasets library, which must not be given everything that is called so."""

from __future__ import annotations

import glob
from typing import Any

import numpy as np

from pixelseq.data.splits import ALL
from pixelseq.data.table_files import in_a_line

MAX_DEPTH = 60
"""The most lists and objects within one another in JSON; the parsers of pyarrow end the process at thousands."""
SCANNED_AT_ONCE = 2**20

_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_NO_MARKS = bytes(set(range(256)) - set(b'[]{}"\n'))


def load_json(splits: dict[str, list[str]], streaming: bool = False) -> dict[str, Any]:
    """Opens JSON files by the datasets library, once they are known not to be more than it can read.

    Raises:
        ValueError: the files cannot be read.
    """
    import datasets

    # datasets keeps the name "all" for the sum of its splits.
    names = {split: "train" if split == ALL else split for split in splits}
    every = [file for files in splits.values() for file in files]
    for file in every:
        _check_json(file)
    with in_a_line(every[0] if len(every) == 1 else f"one of {len(every)} files such as {every[0]}"):
        files = {names[split]: [glob.escape(file) for file in splits[split]] for split in splits}
        loaded = datasets.load_dataset("json", data_files=files, streaming=streaming)
    return {split: loaded[name] for split, name in names.items()}


def _check_json(file: str) -> None:
    """Raises ValueError for a file that is no text of JSON, such as an archive, which datasets would unpack, or whose
    values lie too deep within one another."""
    depth = 0
    with in_a_line(file), open(file, "rb") as opened:
        if not opened.read(SCANNED_AT_ONCE).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
            raise ValueError("it holds no JSON objects")
        opened.seek(0)
        while lines := opened.readlines(SCANNED_AT_ONCE):
            text = b"".join(lines)
            if b"\0" in text:
                raise ValueError("it is no text")
            marks = np.frombuffer(text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_MARKS), np.uint8)
            quotes = np.cumsum(marks == ord('"'), dtype=np.int32)
            before = np.maximum.accumulate(np.where(marks == ord("\n"), quotes, 0))  # no string goes on in a next line
            depths = depth + np.cumsum(np.where((quotes - before) % 2, 0, _STEPS[marks]), dtype=np.int32)
            depths -= np.minimum(np.minimum.accumulate(depths), 0)
            if depths.max(initial=0) > MAX_DEPTH:
                raise ValueError(f"its values lie more than {MAX_DEPTH} deep within one another")
            depth = int(depths[-1]) if len(depths) else depth
