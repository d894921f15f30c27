"""How good and how fast searches are: recall under filters, words, exact searches, batches.

    random unit vectors, the hardest there are ─► an index ─► recall@10 against NumPy, and times
    256 texts ─► one call, 256 calls ─► their ratio

    python -m scripts.bench_search                                     # an embedded folder
    python -m scripts.bench_search --store http://127.0.0.1:9210       # an engine
    python -m scripts.bench_search --batch --models models             # texts, in an embedded folder
    python -m scripts.bench_search --alike --documents 10000           # where all vectors are the same

Vectors of real pictures lie in clusters, and are found more easily.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeAlias
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from esclip import (
    Condition,
    Field,
    FieldType,
    ImageRecord,
    IndexSchema,
    KeywordSearch,
    KnnSearch,
    Range,
    Search,
    Space,
    Store,
    StoredDocument,
    load_encoder,
    open_index,
)
from esclip._concurrency.streams import batches
from esclip._core.types import Vector, Vectors, unit_rows
from esclip._search.duplicates import find_duplicates
from esclip.stores import open_store
from scripts.bench_encode import models_in
from scripts.measure import machine, measure, print_table

__all__ = ["main"]

Numbers: TypeAlias = npt.NDArray[np.int64]

K = 10
PERCENTS = (100.0, 50.0, 10.0, 1.0, 0.1)
PLACE = Field("place", FieldType.INTEGER)
"""A number from 0 to 99,999, the same for one document in 100,000."""
BATCH = 256


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", help="the address of an engine; without, an embedded folder")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--batch", action="store_true", help="measure batches of texts instead")
    parser.add_argument("--alike", action="store_true", help="measure documents of one vector instead")
    parser.add_argument("--models", type=Path, help="a folder for the models; those it lacks are made")
    parser.add_argument("--size", choices=["full", "tiny"], default="full", help="of models that are made")
    parser.add_argument("--rounds", type=int, default=5, help="of batches")
    given = parser.parse_args(arguments)
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    with TemporaryDirectory(prefix="bench-search-") as folder:
        if given.batch:
            _batches(Path(folder), given)
        elif given.alike:
            vectors = np.repeat(_vectors(1, given.dim, seed=1), given.documents, axis=0)
            with _filled(given.store or folder, vectors) as store:
                _alike(store, vectors[0], _vectors(128, given.dim, seed=2))
        else:
            vectors = _vectors(given.documents, given.dim, seed=1)
            with _filled(given.store or folder, vectors) as store:
                _recalls(store, vectors, _vectors(given.queries, given.dim, seed=2))


def _vectors(count: int, dim: int, seed: int) -> Vectors:
    return unit_rows(np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32))


@contextmanager
def _filled(address: str, vectors: Vectors, space: Space | None = None) -> Iterator[Store]:
    """A store with these documents, removed after."""
    store = open_store(address, f"bench-search-{uuid4().hex}")
    space = space or Space("random", "random", "none", "none", vectors.shape[1])
    store.ensure_index(IndexSchema(space, (PLACE,)))
    start = time.perf_counter()
    with store.bulk_load():
        for page in batches(_documents(vectors), 1000):
            assert store.upsert(page) == []
    info = store.info()
    assert info is not None
    print(f"{info.documents:,} documents in {info.engine}, written in {time.perf_counter() - start:.0f} s\n")
    try:
        yield store
    finally:
        store.drop()
        store.close()


def _documents(vectors: Vectors) -> Iterator[StoredDocument]:
    places = _places(len(vectors))
    for number, vector in enumerate(vectors):
        words = " ".join(f"word{word}" for word in (number % 3, number % 100, number % 5000))
        metadata = {PLACE.name: int(places[number])}
        record = ImageRecord(f"{number:07}", "nowhere", "", "1", description=words, metadata=metadata)
        yield StoredDocument(record, vector)


def _places(count: int) -> Numbers:
    return np.random.default_rng(3).permutation(count) * 100_000 // count


def _recalls(store: Store, vectors: Vectors, queries: Vectors) -> None:
    places = _places(len(vectors))
    print(f"| search | hits | recall@{K} | p50, ms |\n|---|---|---|---|")
    for percent in PERCENTS:
        bound = round(percent * 1000)
        where = () if percent == 100 else (Range(PLACE, below=bound),)
        allowed = np.flatnonzero(places < bound)
        _row(f"{percent:g} % of the documents", store, queries, where, vectors, allowed)
    _row("the same as 100 %, exact", store, queries[:5], (), vectors, np.arange(len(vectors)), exact=True)
    for words in (("word7",), ("word1", "word7", "word777")):
        search = KeywordSearch(words, 200)
        taken = [_seconds(partial(store.search, search)) for _ in range(len(queries))]
        found = len(store.search(search)[0])
        print(f"| {len(words)} words, the best 200 | {found} | | {median(taken) * 1000:.1f} |")


def _alike(store: Store, vector: Vector, others: Vectors) -> None:
    """What ties cost: searches for the first ids, for scores alone as calibration does, and groups."""
    scores_only = [KnnSearch(row, 1, scores_only=True) for row in others]
    calls: dict[str, Callable[[], object]] = {
        "a search for that vector": lambda: store.search(KnnSearch(vector, K)),
        "20 searches for others": lambda: store.search(*(KnnSearch(row, K) for row in others[:20])),
        "128 searches for scores": lambda: store.search(*scores_only),
        "all duplicates": lambda: find_duplicates(store, (), 0.95, lambda _: None),
    }
    print("| search | s |\n|---|---|")
    for name, call in calls.items():
        print(f"| {name} | {_seconds(call):.2f} |", flush=True)


def _row(
    name: str,
    store: Store,
    queries: Vectors,
    where: tuple[Condition, ...],
    vectors: Vectors,
    allowed: Numbers,
    *,
    exact: bool = False,
) -> None:
    """Recall among the allowed documents, and the time of a search."""
    right, wanted, taken, fewest = 0, 0, [], K
    for query in queries:
        search: Search = KnnSearch(query, K, where, exact)
        start = time.perf_counter()
        (hits,) = store.search(search)
        taken.append(time.perf_counter() - start)
        cosines = vectors[allowed] @ query
        best = allowed[np.argsort(-cosines)[:K]]
        right += len({int(hit.id) for hit in hits} & set(best.tolist()))
        wanted += len(best)
        fewest = min(fewest, len(hits))
    print(f"| {name} | {fewest} | {right / wanted:.4f} | {median(taken) * 1000:.1f} |", flush=True)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _batches(folder: Path, given: argparse.Namespace) -> None:
    """256 texts in one call beside 256 calls, over 25,000 documents."""
    picture, text = (str(path) for path in models_in(given.models or folder / "models", given.size))
    encoder = load_encoder(picture, text)
    vectors = _vectors(min(given.documents, 25_000), encoder.space.dim, seed=1)
    with _filled(given.store or str(folder), vectors, encoder.space) as store:
        index = open_index(store, encoder=encoder)
        sentence = "a photo of two dogs that play in the snow before a red house at night"
        words = sentence.split()
        texts = [f"{number} {' '.join(words[: 2 + number % 14])}" for number in range(BATCH)]
        rows = measure(
            {
                f"{BATCH} calls": lambda: _seconds(lambda: [index.search_text(text) for text in texts]),
                f"one call of {BATCH}": lambda: _seconds(lambda: index.search_texts(texts)),
                f"{BATCH} calls of the text tower": lambda: _seconds(
                    lambda: [encoder.encode_texts([text]) for text in texts]
                ),
                f"one call of {BATCH} of the text tower": lambda: _seconds(
                    lambda: encoder.encode_texts(texts)
                ),
            },
            unit="s",
            rounds=given.rounds,
            baseline=f"{BATCH} calls",
        )
        print_table(f"{BATCH} texts", rows)


if __name__ == "__main__":
    main()
