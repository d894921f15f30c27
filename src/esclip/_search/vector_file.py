"""Vectors in a temporary file: rows of float32, appended page by page, read as an array."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from esclip._core.types import Vectors
from esclip._errors import StoreError, error_text
from esclip._errors.escaping import escape

Rows: TypeAlias = npt.NDArray[np.int64]
"""Numbers of vectors in the order in which they were added, shape (n,)."""


class VectorFile:
    """Context manager: an array of which the system keeps in memory as much as there is room for."""

    def __init__(self) -> None:
        """Make the file; like the methods, raises `StoreError` where it can't be written."""
        self._rows = self._dim = 0
        with _writing(0):
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="esclip-")  # noqa: SIM115 - closed on exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):  # what a full disk left in the buffer
            self._file.close()

    def append(self, vectors: Vectors) -> None:
        """Keep some more vectors of the same dimension."""
        with _writing(self._file.tell()):
            self._file.write(np.ascontiguousarray(vectors, dtype=np.float32).data)
        self._rows += len(vectors)
        self._dim = vectors.shape[1]

    def read(self) -> Vectors:
        """All vectors, at least one, shape (n, d); to be used as long as the file is open."""
        with _writing(self._file.tell()):
            self._file.flush()
        return np.asarray(np.memmap(self._file, np.float32, "r", shape=(self._rows, self._dim)))


@contextmanager
def _writing(written: int) -> Iterator[None]:
    """Within it, what the system refuses is raised as `StoreError`."""
    try:
        yield
    except OSError as error:
        folder = (
            f"temporary folder {escape(tempfile.gettempdir())}" if tempfile.tempdir else "temporary folder"
        )
        raise StoreError(
            f"the {folder} can't hold the vectors to compare: {error_text(error)} after "
            f"{written / 1e6:,.1f} MB; free some space there, or set TMPDIR to a folder with more"
        ) from error
