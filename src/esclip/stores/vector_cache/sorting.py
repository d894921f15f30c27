"""Documents in the order of their ids' hashes, whatever order they come in, in memory that doesn't grow.

tables ─► buckets by the first bits of the hash ─► on disk, when together they are too large for memory
                                                        └─► each read whole, sorted ─► tables in order
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

MEMORY_BYTES = 1 << 28
"""Of documents, before they go to disk."""

BUCKET_ROWS = 32_768
"""Documents of a bucket, less than twice as many: 130 MB with 512 dimensions, twice while it is sorted."""

MAX_BITS = 12
"""Of a hash that number the buckets: more files would each get little at a time."""


class HashSorter:
    """Takes tables with a column `id`, then gives their rows sorted by its SHA-256."""

    def __init__(self, folder: Path, rows: int, prefix: str) -> None:
        """`rows` is how many are expected. What goes to disk is in the folder, in files with the prefix."""
        self._bits = min(MAX_BITS, max(1, rows // BUCKET_ROWS).bit_length() - 1)
        self._files = [folder / f"{prefix}{number:04}" for number in range(1 << self._bits)]
        self._pending: list[list[pa.Table]] = [[] for _ in self._files]
        self._bytes = 0

    def add(self, table: pa.Table) -> None:
        """Take the rows of a table."""
        heads = b"".join(digest[:2] for digest in _hash_ids(table))
        buckets = np.frombuffer(heads, dtype=">u2").astype(np.int64) >> (16 - self._bits)
        table = table.take(np.argsort(buckets))
        ends = np.cumsum(np.bincount(buckets, minlength=len(self._files))).tolist()
        for pending, start, end in zip(self._pending, [0, *ends], ends, strict=False):
            if start < end:
                pending.append(table.slice(start, end - start))
        self._bytes += table.nbytes
        if self._bytes > MEMORY_BYTES:
            self._spill()

    def tables(self) -> Iterator[pa.Table]:
        """All rows in order, once."""
        for file, pending in zip(self._files, self._pending, strict=True):
            if found := [*_read(file), *pending]:
                pending.clear()
                table = pa.concat_tables(found)
                digests = _hash_ids(table)
                yield table.take(sorted(range(len(digests)), key=digests.__getitem__))
            file.unlink(missing_ok=True)

    def close(self) -> None:
        """Remove what is left on disk. Closing twice is harmless."""
        for file in self._files:
            file.unlink(missing_ok=True)

    def _spill(self) -> None:
        for file, pending in zip(self._files, self._pending, strict=True):
            if pending:
                table = pa.concat_tables(pending)
                with file.open("ab") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
                    stream.write_table(table)
                pending.clear()
        self._bytes = 0


def _hash_ids(table: pa.Table) -> list[bytes]:
    return [hashlib.sha256(id.encode()).digest() for id in table["id"].to_pylist()]


def _read(file: Path) -> Iterator[Any]:
    """The tables that were written into a file, one behind the other."""
    if not file.exists():
        return
    size = file.stat().st_size
    with file.open("rb") as source:
        while source.tell() < size:
            yield pa.ipc.open_stream(source).read_all()
