"""Keeps compiled kernels on disk, in files that are compiled anew where they are damaged."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

DIGEST_SIZE = 32
"""The bytes of a digest, which a file begins with."""


class KernelCache(FunctionCache):
    """The cache of a kernel, in the folder that Numba chooses for it; a disk that is full keeps nothing.

    Args:
        function: the kernel before it is compiled.

    Raises:
        RuntimeError: no folder can be written.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = CheckedFiles(self.cache_path, self._impl.filename_base, stamp)
        self.keeps = True
        """Whether later processes find what has been compiled."""

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError:
            self.keeps = False


class CheckedFiles(IndexDataCacheFile):
    """The files of a cache, one for each signature, that begin with a digest of the rest.

    Numba's own would run as machine code whatever a power cut or a disk has left of them.
    """

    def save(self, key: Any, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(str(self._path(key))) as file:
            file.write(hashlib.sha256(content).digest() + content)

    def load(self, key: Any) -> Any:
        path = self._path(key)
        with contextlib.suppress(OSError):
            digest, content = (whole := path.read_bytes())[:DIGEST_SIZE], whole[DIGEST_SIZE:]
            if hashlib.sha256(content).digest() == digest:
                return pickle.loads(content)
            path.unlink()
        return None

    def _path(self, key: Any) -> Path:
        about = hashlib.sha256(repr((self._version, self._source_stamp, key)).encode()).hexdigest()
        return Path(self._cache_path, f"{Path(self._index_name).stem}.{about[:16]}.nbc")
