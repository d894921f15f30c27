"""The vectors of the null queries, kept beside the exported text tower that made them.

    texts ─┬─ the null queries ─┬─ in the file ─► their vectors, without the tower
           │                    └─ else ────────► encoded, and written into the file
           └─ others ───────────────────────────► encoded

Every ingest that measures what scores mean needs them, and they are the same for each index of a model:
without the file the text tower would be loaded for nothing else. Other texts are not kept on disk
(`text_cache.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from esclip._core.null_queries import NULL_TEXTS
from esclip._core.types import Vectors
from esclip._files.atomic import write_atomically

_NAME = f"null-queries-{hashlib.sha256(repr(NULL_TEXTS).encode()).hexdigest()[:16]}.f32"
_FLOAT = np.dtype("<f4")


class NullVectorFile:
    """Encodes texts as `encode` does, and keeps the vectors of `NULL_TEXTS` in a file."""

    def __init__(
        self, encode: Callable[[Sequence[str]], Vectors], find_folder: Callable[[], Path | None]
    ) -> None:
        """`find_folder` gives the exported text tower's folder, None where there is none yet."""
        self._encode = encode
        self._find_folder = find_folder

    def encode_texts(self, texts: Sequence[str], dim: int) -> Vectors:
        """Rows of unit length, shape (n, dim)."""
        folder = self._find_folder() if tuple(texts) == NULL_TEXTS else None
        if folder is None:
            return self._encode(texts)
        vectors = _read(folder / _NAME, dim)
        if vectors is None:
            vectors = self._encode(texts)
            with suppress(OSError):  # the folder may be read-only
                write_atomically(folder / _NAME, vectors.astype(_FLOAT).tobytes())
        return vectors


def _read(path: Path, dim: int) -> Vectors | None:
    """The rows of a file, shape (n, dim); None where it is not there, or not whole."""
    size = len(NULL_TEXTS) * dim * _FLOAT.itemsize
    try:
        with path.open("rb") as file:
            data = file.read(size + 1)
    except OSError:
        return None
    if len(data) != size:
        return None
    rows = np.frombuffer(data, _FLOAT).reshape(-1, dim).astype(np.float32)
    return rows if np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3) else None
