"""Vectors as JSON lines, as a NumPy file, or as a Parquet file; written as they come.

.npy                one row for each input, in order: of NaN where there is no vector
.parquet            columns id, input, kind, vector: rows with a vector only
.jsonl, .json, -    the same as lines of JSON
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import numpy as np

from esclip._cli.output.console import json_line, print_json
from esclip._core.types import Vector
from esclip._files.atomic import open_atomically


class VectorRow(NamedTuple):
    """What is written of an input."""

    id: int
    """Its place among the inputs, from 0."""
    input: str
    kind: str
    """`text` or `image`."""
    vector: Vector | None
    """None: there is none, which was told on stderr."""


Write: TypeAlias = Callable[[Sequence[VectorRow]], None]
"""Writes some more rows."""


def is_known(path: Path) -> bool:
    """Whether the suffix names a format."""
    return path.suffix.lower() in _WRITERS


def formats() -> str:
    """The suffixes, to be shown."""
    return ", ".join(_WRITERS)


@contextmanager
def vector_writer(path: Path | None, dim: int) -> Iterator[Write]:
    """Context manager: writes vectors of `dim` numbers to a file, which appears at the end; None: to stdout.

    Raises `OSError`; then nothing is left behind.
    """
    if path is None:
        yield _print_lines
        return
    with open_atomically(path) as file, _WRITERS[path.suffix.lower()](file, dim) as write:
        yield write


def _print_lines(rows: Sequence[VectorRow]) -> None:
    for row in rows:
        if row.vector is not None:
            print_json(row._asdict())


@contextmanager
def _json_lines(file: BinaryIO, dim: int) -> Iterator[Write]:
    def write(rows: Sequence[VectorRow]) -> None:
        lines = (json_line(row._asdict()) for row in rows if row.vector is not None)
        file.writelines(f"{line}\n".encode("utf-8", "backslashreplace") for line in lines)

    yield write


@contextmanager
def _npy(file: BinaryIO, dim: int) -> Iterator[Write]:
    """The header has room for any number of rows, and is written again at the end."""
    missing, count = np.full(dim, np.nan, np.float32), 0

    def write(rows: Sequence[VectorRow]) -> None:
        nonlocal count
        vectors = [missing if row.vector is None else row.vector for row in rows]
        file.write(np.asarray(vectors, dtype="<f4").tobytes())
        count += len(rows)

    def write_header() -> None:
        shape = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
        np.lib.format.write_array_header_1_0(file, shape)

    write_header()
    yield write
    file.seek(0)
    write_header()


@contextmanager
def _parquet(file: BinaryIO, dim: int) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {
        "id": pa.int64(),
        "input": pa.string(),
        "kind": pa.string(),
        "vector": pa.list_(pa.float32(), dim),
    }
    schema = pa.schema(list(kinds.items()))
    with pq.ParquetWriter(file, schema) as writer:

        def write(rows: Sequence[VectorRow]) -> None:
            whole = [row for row in rows if row.vector is not None]
            columns = {
                "id": [row.id for row in whole],
                "input": [row.input.encode("utf-8", "backslashreplace").decode() for row in whole],
                "kind": [row.kind for row in whole],
                "vector": [row.vector for row in whole],
            }
            if whole:
                writer.write_table(pa.table(columns, schema=schema))

        yield write


_WRITERS = {".npy": _npy, ".parquet": _parquet, ".jsonl": _json_lines, ".json": _json_lines}
