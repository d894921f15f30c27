"""What size does to an index: time, memory, recall, latency, and what it takes to add to it.

    made-up pictures ─► Store.upsert ─► searches like texts and like pictures ─► recall@10, milliseconds
                                    └─► fingerprints of an ingest's page, 1,000 and 10,000 pictures more

    python -m scripts.bench_scale                                          # an embedded folder
    python -m scripts.bench_scale --documents 10000,100000,1000000
    python -m scripts.bench_scale --store http://127.0.0.1:9210

Vectors are those of `scripts/cross_modal.py`. Each size is an index of its own. Memory is this process's
highest so far, so that sizes stand in rising order.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

import numpy as np

from esclip import ImageRecord, IndexSchema, KnnSearch, Space, Store, StoredDocument
from esclip._concurrency.streams import batches
from esclip._core.types import Vector, Vectors
from esclip.stores import open_store
from scripts.cross_modal import CrossModal, nearest_ids
from scripts.measure import machine, peak_mebibytes

__all__ = ["main"]

K = 10
PAGE = 1000
"""Documents of a call of `upsert`, and ids of a call of `fingerprints`: an ingest's."""
MORE = (1_000, 10_000)
"""Pictures that are added after the first measures."""
ROUNDS = 5
"""Of reading fingerprints."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row a size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", help="the address of an engine; without, an embedded folder")
    parser.add_argument("--documents", default="10000,100000", help="sizes, the smallest first")
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    given = parser.parse_args(arguments)
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    added = "".join(f" add {more:,}, s | recall after: texts, pictures |" for more in MORE)
    print(
        f"\n| documents | written, s | on disk | memory, MiB | recall@{K} texts, pictures | p50 texts, "
        f"pictures, ms | {PAGE:,} fingerprints, ms |{added}\n|{'---|' * (7 + 2 * len(MORE))}"
    )
    with TemporaryDirectory(prefix="bench-scale-") as folder:
        for size in given.documents.split(","):
            store = open_store(given.store or folder, f"bench-scale-{uuid4().hex}")
            try:
                cells = _measure(store, CrossModal(), int(size), given.queries)
                print(f"| {' | '.join(cells)} |", flush=True)
            finally:
                store.drop()
                store.close()


def _measure(store: Store, data: CrossModal, size: int, queries: int) -> Iterator[str]:
    texts, pictures = data.text_queries(queries), data.picture_queries(queries)
    space = Space("made up", "made up", weights="none", preprocessing="none", dim=data.dim)
    store.ensure_index(IndexSchema(space))
    written = _write(store, _numbered(data, 0, size))
    yield f"{size:,}"
    yield f"{written:.1f}"
    info = store.info()
    yield f"{(info.bytes or 0) / 1e6:,.0f} MB" if info else ""
    yield f"{peak_mebibytes():,}"
    found = [_search(store, data, size, some) for some in (texts, pictures)]
    yield ", ".join(f"{recall:.3f}" for recall, _ in found)
    yield ", ".join(f"{milliseconds:.1f}" for _, milliseconds in found)
    yield f"{_read_fingerprints(store, size):.1f}"
    for more in MORE:
        yield f"{_write(store, _numbered(data, size, size + more)):.1f}"
        size += more
        yield ", ".join(f"{_search(store, data, size, some)[0]:.3f}" for some in (texts, pictures))


def _numbered(data: CrossModal, start: int, end: int) -> Iterator[tuple[int, Vector]]:
    """The vectors from one number to another, with their numbers."""
    vectors = enumerate(chain.from_iterable(data.pictures(end)))
    return ((number, vector) for number, vector in vectors if number >= start)


def _write(store: Store, vectors: Iterable[tuple[int, Vector]]) -> float:
    """Seconds that writing takes, the vector index included and the making of vectors not."""
    seconds = 0.0
    began = time.perf_counter()
    with store.bulk_load():
        for page in batches(vectors, PAGE):
            documents = [
                StoredDocument(ImageRecord(f"{number:010}", "nowhere", "", "1"), vector)
                for number, vector in page
            ]
            began = time.perf_counter()
            assert store.upsert(documents) == []
            seconds += time.perf_counter() - began
        began = time.perf_counter()
    return seconds + time.perf_counter() - began


def _search(store: Store, data: CrossModal, size: int, queries: Vectors) -> tuple[float, float]:
    """Recall, and milliseconds of a search by itself."""
    nearest = nearest_ids(data.pictures(size), queries, K)
    store.search(KnnSearch(queries[0], K))  # opens files
    right, taken = 0, []
    for query, best in zip(queries, nearest.tolist(), strict=True):
        began = time.perf_counter()
        (hits,) = store.search(KnnSearch(query, K))
        taken.append(1000 * (time.perf_counter() - began))
        right += len({int(hit.id) for hit in hits} & set(best))
    return right / nearest.size, median(taken)


def _read_fingerprints(store: Store, size: int) -> float:
    """Milliseconds of reading those of a page, as an ingest does for each."""
    taken = []
    for seed in range(ROUNDS):
        numbers = np.random.default_rng(seed).integers(0, size, PAGE)
        ids = [f"{number:010}" for number in numbers.tolist()]
        began = time.perf_counter()
        store.fingerprints(ids)
        taken.append(1000 * (time.perf_counter() - began))
    return median(taken)


if __name__ == "__main__":
    main()
