"""The vectors of the null queries, kept beside the exported text tower that made them.

Every ingest that measures what scores mean needs them, and they are the same for each index of a model:
without this file the text tower would be loaded for nothing else. Other texts are not kept on disk
(`text_cache.py`).
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from esclip._core.null_queries import NULL_TEXTS
from esclip._core.types import Vectors
from esclip._files.atomic import write_atomically

_NAME = f"null-queries-{hashlib.sha256(repr(NULL_TEXTS).encode()).hexdigest()[:16]}.f32"
_FLOAT = np.dtype("<f4")


def read_null_vectors(export: Path, dim: int) -> Vectors | None:
    """Read the rows of `NULL_TEXTS`, of unit length, shape (n, dim); None without a whole file of them."""
    size = len(NULL_TEXTS) * dim * _FLOAT.itemsize
    try:
        with (export / _NAME).open("rb") as file:
            data = file.read(size + 1)
    except OSError:
        return None
    if len(data) != size:
        return None
    rows = np.frombuffer(data, _FLOAT).reshape(-1, dim).astype(np.float32)
    return rows if np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3) else None


def keep_null_vectors(export: Path, vectors: Vectors) -> None:
    """Write the rows of `NULL_TEXTS`; nothing where the folder is read-only."""
    with suppress(OSError):
        write_atomically(export / _NAME, vectors.astype(_FLOAT).tobytes())
