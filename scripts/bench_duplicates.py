"""How long near-duplicates of a whole index take, in which memory, and how many pairs are found.

    made-up vectors around centres, a tenth of them near-duplicates ─► an index ─► time and memory
    the same ─► all pairs by NumPy ─► the share that is found where only some are compared

    python -m scripts.bench_duplicates --documents 25000,100000,1000000       # an embedded folder
    python -m scripts.bench_duplicates --store http://127.0.0.1:9210 --documents 5000,25000
    python -m scripts.bench_duplicates --recall --documents 20000,100000

Memory is what the process has added at its peak, without the pages of files that the system keeps for it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np

from esclip import ImageRecord, IndexSchema, Space, Store, StoredDocument
from esclip._concurrency.streams import batches
from esclip._core.types import Vectors, unit_rows
from esclip._search.duplicates import find_duplicates
from esclip._search.vector_groups import VectorGroups
from esclip.stores import open_store
from scripts.measure import anonymous_mebibytes, machine, sampled

__all__ = ["main"]

DIM = 512
CENTRES = 2_000
THRESHOLDS = (0.95, 0.9)
BLOCK = 10_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", help="the address of an engine; without, an embedded folder")
    parser.add_argument("--documents", default="25000,100000", help="numbers of documents")
    parser.add_argument("--recall", action="store_true", help="measure which pairs are found instead")
    given = parser.parse_args(arguments)
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    counts = list(map(int, given.documents.split(",")))
    if given.recall:
        print("| vectors | cosine | pairs | found |\n|---|---|---|---|")
        for count in counts:
            _recall(np.concatenate(list(_vectors(count))))
        return
    print("| documents | cosine | groups | s | processor s | memory added |\n|---|---|---|---|---|---|")
    for count in counts:
        with (
            TemporaryDirectory(prefix="bench-duplicates-") as folder,
            _filled(given.store or folder, count) as store,
        ):
            for threshold in THRESHOLDS:
                _row(store, count, threshold)


def _vectors(count: int) -> Iterator[Vectors]:
    """Pages of vectors around centres in one cone; one in ten is near one of the page before it."""
    rng = np.random.default_rng(1)
    cone = rng.standard_normal(DIM, dtype=np.float32)
    centres = cone + 1.2 * rng.standard_normal((CENTRES, DIM), dtype=np.float32)
    scales = np.linspace(1.5, 0.1, DIM, dtype=np.float32)  # a few dimensions have most of the variance
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        of_centre = centres[rng.integers(0, CENTRES, size)]
        rows = unit_rows(of_centre + 0.7 * scales * rng.standard_normal((size, DIM), dtype=np.float32))
        copies = size // 10
        spread = rng.uniform(0.05, 0.5, (copies, 1)).astype(np.float32)
        noise = unit_rows(scales * rng.standard_normal((copies, DIM), dtype=np.float32))
        rows[-copies:] = unit_rows(rows[:copies] + spread * noise)
        yield rows


@contextmanager
def _filled(address: str, count: int) -> Iterator[Store]:
    """A store with so many documents, removed after."""
    store = open_store(address, f"bench-duplicates-{uuid4().hex}")
    store.ensure_index(IndexSchema(Space("random", "random", "none", "none", DIM), ()))
    with store.bulk_load():
        for number, rows in enumerate(_vectors(count)):
            documents = [
                StoredDocument(ImageRecord(f"{number:05}-{n:05}", "nowhere", "", "1"), row)
                for n, row in enumerate(rows)
            ]
            for page in batches(documents, 1000 if "://" in address else BLOCK):
                assert store.upsert(page) == []
    try:
        yield store
    finally:
        store.drop()
        store.close()


def _row(store: Store, count: int, threshold: float) -> None:
    before, start, processor = anonymous_mebibytes(), time.perf_counter(), time.process_time()
    with sampled(anonymous_mebibytes) as memory:
        groups = len(find_duplicates(store, (), threshold, lambda _: None))
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    added = memory[0] - before
    print(
        f"| {count:,} | {threshold} | {groups:,} | {seconds:.1f} | {processor:.1f} | {added} MiB |",
        flush=True,
    )


def _recall(vectors: Vectors) -> None:
    """The share of the pairs whose pictures are in one group where cells are compared."""
    for threshold in THRESHOLDS:
        pairs = [
            (start + at, to)
            for start in range(0, len(vectors), 1000)
            for at, to in np.argwhere(vectors[start : start + 1000] @ vectors.T >= threshold + 1e-6).tolist()
            if start + at < to
        ]
        with VectorGroups(all_pairs=0) as groups:
            groups.add(vectors)
            group_of = {
                int(row): n for n, rows in enumerate(groups.find(threshold, lambda _: None)) for row in rows
            }
        found = sum(group_of.get(first, -1) == group_of.get(second, -2) for first, second in pairs)
        print(
            f"| {len(vectors):,} | {threshold} | {len(pairs):,} | {found / max(1, len(pairs)):.5f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
