"""What an ingest asks and writes for each page, in embedded indexes of different sizes, side by side.

    python -m scripts.bench_writes                                        # 10,000 and a million documents
    python -m scripts.bench_writes --documents 10000,10000000 --dim 16

Ids are those of URLs: hashes, in no order. Rows are written around the store, which is faster, and their ids
indexed as it does. Times are of the processor, for the machine may be shared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import lance
import numpy as np
import pyarrow as pa

from esclip import ImageRecord, IndexSchema, Space, StoredDocument
from esclip._core.types import unit_rows
from esclip.stores.lance import maintenance
from esclip.stores.lance.rows import document_table
from esclip.stores.lance.store import LanceStore
from scripts.measure import machine, measure, print_table

__all__ = ["main"]

PAGE = 1000
"""Documents of a call, as in an ingest."""
BLOCK = 65_536
"""Rows of a fragment."""
ROUNDS = 9


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table a question."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", default="10000,1000000", help="sizes, the baseline first")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path, help="where to make the indexes; default: a temporary one")
    given = parser.parse_args(arguments)
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    sizes = [int(size) for size in given.documents.split(",")]
    with TemporaryDirectory(prefix="bench-writes-", dir=given.folder) as folder:
        pages = [_Pages(Path(folder), size, given.dim) for size in sizes]
        for question in pages[0].questions():
            measures = {f"{each.size:,}": each.questions()[question] for each in pages}
            rows = measure(measures, unit="ms", rounds=ROUNDS, baseline=f"{sizes[0]:,}")
            print_table(f"{question}, {given.dim} dimensions", rows)


class _Pages:
    """An index of a size, and pages of documents that it has and that it lacks."""

    def __init__(self, folder: Path, size: int, dim: int) -> None:
        self.size, self._dim = size, dim
        self._rng = np.random.default_rng(size)
        self._next = size
        self._store = LanceStore(folder, f"n{size}")
        self._store.ensure_index(_schema(dim))
        for start in range(0, size, BLOCK):
            _append(folder / f"n{size}.lance", range(start, min(size, start + BLOCK)), dim)
        dataset = lance.dataset(folder / f"n{size}.lance")
        maintenance.index_ids(dataset, maintenance.IndexThresholds())

    def questions(self) -> Mapping[str, Callable[[], float]]:
        """Milliseconds of the processor, by what is done with a page."""
        return {
            "fingerprints of new pictures": partial(self._read, self._new),
            "fingerprints of stored ones, as they were written": partial(self._read, self._in_order),
            "fingerprints of stored ones, anywhere": partial(self._read, self._anywhere),
            "upsert of new ones": partial(self._write, self._new),
            "upsert of stored ones, as they were written": partial(self._write, self._in_order),
            "upsert of stored ones, anywhere": partial(self._write, self._anywhere),
            "update of stored ones, as they were written": partial(self._update, self._in_order),
            "update of stored ones, anywhere": partial(self._update, self._anywhere),
        }

    def _new(self) -> Sequence[int]:
        self._next += PAGE
        return range(self._next - PAGE, self._next)

    def _in_order(self) -> Sequence[int]:
        start = int(self._rng.integers(0, max(1, self.size - PAGE)))
        return range(start, min(self.size, start + PAGE))

    def _anywhere(self) -> Sequence[int]:
        numbers: list[int] = self._rng.choice(self.size, min(self.size, PAGE), replace=False).tolist()
        return numbers

    def _read(self, page: Callable[[], Sequence[int]]) -> float:
        ids = [_id(number) for number in page()]
        began = time.process_time()
        self._store.fingerprints(ids)
        return 1000 * (time.process_time() - began)

    def _write(self, page: Callable[[], Sequence[int]]) -> float:
        documents = _documents(page(), self._dim)
        began = time.process_time()
        assert self._store.upsert(documents) == []
        return 1000 * (time.process_time() - began)

    def _update(self, page: Callable[[], Sequence[int]]) -> float:
        records = [document.record for document in _documents(page(), self._dim)]
        began = time.process_time()
        assert self._store.update(records) == []
        return 1000 * (time.process_time() - began)


def _schema(dim: int) -> IndexSchema:
    return IndexSchema(Space("made up", "made up", weights="none", preprocessing="none", dim=dim))


def _id(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()[:24]


def _documents(numbers: Sequence[int], dim: int) -> list[StoredDocument]:
    vectors = unit_rows(np.random.default_rng(numbers[0]).standard_normal((len(numbers), dim)))
    return [
        StoredDocument(ImageRecord(_id(number), "nowhere", "", "1"), vector)
        for number, vector in zip(numbers, vectors, strict=True)
    ]


def _append(path: Path, numbers: Sequence[int], dim: int) -> None:
    """Rows that are copies of one, but for ids and vectors."""
    one = document_table(_documents(numbers[:1], dim), _schema(dim))
    rows = one.take(pa.array(np.zeros(len(numbers), dtype=np.int64)))
    vectors = unit_rows(
        np.random.default_rng(numbers[0]).standard_normal((len(numbers), dim), dtype=np.float32)
    )
    for name, values in (
        ("id", pa.array([_id(number) for number in numbers])),
        ("vector", pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim)),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), one.schema.field(name), values)
    lance.write_dataset(rows, path, mode="append")


if __name__ == "__main__":
    main()
