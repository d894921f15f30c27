"""What size does to an index: time, memory, recall, latency, and what it takes to add to it.

    made-up pictures ─► Store.upsert ─► searches like texts and like pictures ─► recall@10, milliseconds
                                    └─► fingerprints of an ingest's page, 1,000 and 10,000 pictures more

    python -m scripts.bench_scale                                          # an embedded folder
    python -m scripts.bench_scale --documents 10000,100000,1000000
    python -m scripts.bench_scale --processor                              # where others use the machine too
    python -m scripts.bench_scale --store http://127.0.0.1:9210
    python -m scripts.bench_scale --store http://127.0.0.1:9210 --index big --documents 1000000   # is kept
    python -m scripts.bench_scale --store http://127.0.0.1:9210 --index big --add --candidates 600 2400 10000
    python -m scripts.bench_scale --store http://127.0.0.1:9210 --index big --add --merge

Vectors are those of `scripts/cross_modal.py`. Each size is an index of its own. Memory is this process's
highest so far, so that sizes stand in rising order. A named index that is there is measured with what it
holds, which are the first pictures, and not written again; `--add` without numbers leaves it as it is.
`--merge` has an engine merge each shard to one segment before anything is measured.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeAlias
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import requests

from esclip import ImageRecord, IndexSchema, IndexSettings, KnnSearch, Space, Store, StoredDocument
from esclip._concurrency.streams import batches
from esclip._core.index_settings import FLOAT, VECTOR_LEVELS
from esclip._core.types import Vector, Vectors
from esclip.stores import open_store
from scripts.cross_modal import CrossModal, nearest_ids
from scripts.measure import machine, peak_mebibytes

__all__ = ["main", "merge"]

K = 10
PAGE = 1000
"""Documents of a call of `upsert`, and ids of a call of `fingerprints`: an ingest's."""
MORE = (1_000, 10_000)
"""Pictures that are added after the first measures, where no others are asked for."""
ROUNDS = 5
"""Of reading fingerprints."""

Clock: TypeAlias = Callable[[], float]
"""What gives the seconds until now."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row a size, and a table of numbers of candidates where some are given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", help="the address of an engine; without, an embedded folder")
    parser.add_argument("--documents", default="10000,100000", help="sizes, the smallest first")
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    parser.add_argument("--vectors", choices=VECTOR_LEVELS, default=FLOAT, help="of an index that is made")
    parser.add_argument("--shards", type=int, help="of an index that is made in an engine")
    parser.add_argument("--m", type=int, help="edges in the graph of an index that is made")
    parser.add_argument("--index", help="keeps the index; measures one that is there without writing it")
    parser.add_argument("--add", type=int, nargs="*", default=MORE, help="pictures that are added then")
    parser.add_argument("--candidates", type=int, nargs="*", default=(), help="numbers to compare")
    parser.add_argument("--merge", action="store_true", help="each shard of an engine to one segment, before")
    parser.add_argument("--processor", action="store_true", help="seconds of this process's threads instead")
    given = parser.parse_args(arguments)
    clock = time.process_time if given.processor else time.perf_counter
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    added = "".join(f" add {more:,}, s | recall after: texts, pictures |" for more in given.add)
    print(
        f"\n| documents | written, s | on disk | memory, MiB | recall@{K} texts, pictures | p50 texts, "
        f"pictures, ms | {PAGE:,} fingerprints, ms |{added}\n|{'---|' * (7 + 2 * len(given.add))}"
    )
    settings = IndexSettings(given.vectors, shards=given.shards, m=given.m)
    sizes = [int(size) for size in given.documents.split(",")]
    with TemporaryDirectory(prefix="bench-scale-") as folder:
        for size in sizes[:1] if given.index else sizes:
            store = open_store(given.store or folder, given.index or f"bench-scale-{uuid4().hex}")
            try:
                _measure(Measured(store, CrossModal(), given.queries, clock), size, settings, given)
            finally:
                if not given.index:
                    store.drop()
                store.close()


class Measured:
    """An index with the first pictures, how many of them it holds, and queries of both kinds."""

    def __init__(self, store: Store, data: CrossModal, queries: int, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.data = data
        self.queries = (data.text_queries(queries), data.picture_queries(queries))
        self.size = 0
        self._nearest: list[npt.NDArray[np.int64]] = []

    def write(self, more: int) -> float:
        """Seconds that writing so many more takes."""
        self._nearest = []
        self.size += more
        return _write(self.store, _numbered(self.data, self.size - more, self.size), self.clock)

    def search(self, candidates: int | None = None) -> tuple[str, str]:
        """Recall, and milliseconds of a search by itself, of texts and pictures."""
        self._nearest = self._nearest or [
            nearest_ids(self.data.pictures(self.size), some, K) for some in self.queries
        ]
        found = [
            _search(self.store, some, nearest, candidates, self.clock)
            for some, nearest in zip(self.queries, self._nearest, strict=True)
        ]
        return ", ".join(f"{recall:.3f}" for recall, _ in found), ", ".join(f"{ms:.1f}" for _, ms in found)


def _measure(measured: Measured, size: int, settings: IndexSettings, given: argparse.Namespace) -> None:
    store = measured.store
    if found := store.info():
        measured.size, written = found.documents, ""
    else:
        space = Space("made up", "made up", weights="none", preprocessing="none", dim=measured.data.dim)
        store.ensure_index(IndexSchema(space, settings=settings))
        written = f"{measured.write(size):.1f}"
    if given.merge:
        merge(store)
    info = store.info()
    assert info is not None
    if info.largest_segment is not None:
        print(f"the largest segment has {info.largest_segment:,}", file=sys.stderr)
    cells = [f"{measured.size:,}", written, f"{(info.bytes or 0) / 1e6:,.0f} MB"]
    cells += [f"{peak_mebibytes():,}", *measured.search()]
    cells.append(f"{_read_fingerprints(store, measured.size, measured.clock):.1f}")
    for more in given.add:
        cells += [f"{measured.write(more):.1f}", measured.search()[0]]
    print(f"| {' | '.join(cells)} |", flush=True)
    if given.candidates:
        print(f"\n| candidates | recall@{K} texts, pictures | p50 texts, pictures, ms |\n{'|---' * 3}|")
    for candidates in given.candidates:
        print(f"| {candidates:,} | {' | '.join(measured.search(candidates))} |", flush=True)


def merge(store: Store) -> None:
    """Have an engine merge each shard of an index to one segment, and wait for it."""
    address = f"{store.address}/{store.index}/_forcemerge?max_num_segments=1&flush=true"
    requests.post(address, timeout=3600).raise_for_status()


def _numbered(data: CrossModal, start: int, end: int) -> Iterator[tuple[int, Vector]]:
    """The vectors from one number to another, with their numbers."""
    vectors = enumerate(chain.from_iterable(data.pictures(end)))
    return ((number, vector) for number, vector in vectors if number >= start)


def _write(store: Store, vectors: Iterable[tuple[int, Vector]], clock: Clock) -> float:
    """Seconds that writing takes, the vector index included and the making of vectors not."""
    seconds = 0.0
    began = clock()
    with store.bulk_load():
        for page in batches(vectors, PAGE):
            documents = [
                StoredDocument(ImageRecord(f"{number:010}", "nowhere", "", "1"), vector)
                for number, vector in page
            ]
            began = clock()
            assert store.upsert(documents) == []
            seconds += clock() - began
        began = clock()
    return seconds + clock() - began


def _search(
    store: Store, queries: Vectors, nearest: npt.NDArray[np.int64], candidates: int | None, clock: Clock
) -> tuple[float, float]:
    """Recall, and milliseconds of a search by itself."""
    store.search(KnnSearch(queries[0], K, candidates=candidates))  # opens files
    right, taken = 0, []
    for query, best in zip(queries, nearest.tolist(), strict=True):
        began = clock()
        (hits,) = store.search(KnnSearch(query, K, candidates=candidates))
        taken.append(1000 * (clock() - began))
        right += len({int(hit.id) for hit in hits} & set(best))
    return right / nearest.size, median(taken)


def _read_fingerprints(store: Store, size: int, clock: Clock) -> float:
    """Milliseconds of reading those of a page, as an ingest does for each."""
    taken = []
    for seed in range(ROUNDS):
        numbers = np.random.default_rng(seed).integers(0, size, PAGE)
        ids = [f"{number:010}" for number in numbers.tolist()]
        began = clock()
        store.fingerprints(ids)
        taken.append(1000 * (clock() - began))
    return median(taken)


if __name__ == "__main__":
    main()
