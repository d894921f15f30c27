"""What is found, and how exact scores are, at each level of an index's vectors, on real stores.

    python -m scripts.bench_vectors http://127.0.0.1:9210 http://127.0.0.1:9212 /tmp/folder
    python -m scripts.bench_vectors STORE --documents 100000 --levels int8

Vectors are made up: pictures around 200 centres inside one cone; half of the queries are like pictures, half
like texts, which lie in a cone of their own, at cosines of .2 to their best pictures, as CLIP's do. Every
answer is compared with float64 cosines to all vectors. A level that a store refuses is a row that says so.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np

from esclip import ConfigError, Field, FieldType, IndexSchema, IndexSettings, Space, Store
from esclip._core.filters import Condition, OneOf
from esclip._core.index_settings import VECTOR_LEVELS
from esclip._core.searches import KnnSearch
from esclip._core.types import ImageRecord, StoredDocument, Vectors, unit_rows
from esclip.stores import open_store
from esclip.stores.sizes import layout_of

__all__ = ["main", "make_queries", "make_vectors"]

DIM, CENTRES = 512, 200
FILTER = Field("rare", FieldType.BOOLEAN)
"""True for a document in a hundred."""
DOCUMENT_BYTES = 60
"""On disk of a document here beside its vector: it has hardly more than an id."""
INDEX = "bench_vectors"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of a row a store, level and kind of search."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stores", nargs="+", help="addresses of stores, or folders")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    parser.add_argument("--levels", nargs="+", default=VECTOR_LEVELS, choices=VECTOR_LEVELS)
    given = parser.parse_args(arguments)
    vectors = make_vectors(given.documents)
    for address in given.stores:
        for level in given.levels:
            with open_store(address, f"{INDEX}_{level}") as store:
                if store.schema() is not None:
                    store.drop()
                try:
                    print(*_rows(store, level, vectors, given.queries), sep="\n", flush=True)
                except ConfigError as error:
                    print(f"{level}: {error}")
                    continue
                store.drop()


def make_vectors(documents: int) -> Vectors:
    """Pictures: around centres, in one cone."""
    rng = np.random.default_rng(1)
    cone, centres = rng.standard_normal(DIM), rng.standard_normal((CENTRES, DIM))
    noise = rng.standard_normal((documents, DIM))
    return unit_rows(1.2 * cone + centres[rng.integers(0, CENTRES, documents)] + 0.8 * noise)


def make_queries(vectors: Vectors, count: int) -> tuple[Vectors, Vectors]:
    """So many like pictures, each near a stored one, and like texts, in another cone."""
    rng = np.random.default_rng(2)
    chosen = vectors[rng.integers(0, len(vectors), 2 * count)]
    noise = rng.standard_normal((2 * count, DIM)) / np.sqrt(DIM)
    cone = rng.standard_normal(DIM) / np.sqrt(DIM)
    topics = chosen[count:] - vectors.mean(axis=0)
    return unit_rows(chosen[:count] + 0.5 * noise[:count]), unit_rows(
        cone + 0.35 * topics + 0.2 * noise[count:]
    )


def _rows(store: Store, level: str, vectors: Vectors, queries: int) -> Iterator[str]:
    began = time.perf_counter()
    _fill(store, level, vectors)
    seconds = time.perf_counter() - began
    rare: tuple[Condition, ...] = (OneOf(FILTER, (True,)),)
    for kind, some in zip(("pictures", "texts"), make_queries(vectors, queries), strict=True):
        yield _row(store, vectors, some, kind, 10)
        yield _row(store, vectors, some, f"{kind}, hits 91 to 100", 100, first=90)
        yield _row(store, vectors, some, f"{kind}, of 1 %", 10, where=rare)
        yield _row(store, vectors, some[:3], f"{kind}, exact", 10, exact=True)
    # last: an engine's figures are ten seconds old
    info = store.info()
    assert info is not None
    size = layout_of(info.engine, level)
    planned = size.disk(DIM).bytes + DOCUMENT_BYTES + (size.memory(DIM).bytes if size.embedded else 0)
    measured = (info.bytes or 0) / len(vectors)
    yield (
        f"{info.engine}, {level}: {len(vectors):,} documents in {seconds:.1f} s, {measured:,.0f} bytes each "
        f"on disk (planned {planned:,.0f}), {size.memory(DIM).bytes:,.0f} in memory by the formula"
    )


def _fill(store: Store, level: str, vectors: Vectors) -> None:
    space = Space("made up", "made up", weights="none", preprocessing="none", dim=DIM)
    store.ensure_index(IndexSchema(space, (FILTER,), settings=IndexSettings(level)))
    with store.bulk_load():
        for start in range(0, len(vectors), 500):
            documents = [
                StoredDocument(
                    ImageRecord(str(n), f"/{n}", f"/{n}", "1", metadata={FILTER.name: n % 100 == 0}), vector
                )
                for n, vector in enumerate(vectors[start : start + 500], start)
            ]
            assert store.upsert(documents) == []


def _row(
    store: Store,
    vectors: Vectors,
    queries: Vectors,
    kind: str,
    k: int,
    *,
    first: int = 0,
    where: tuple[Condition, ...] = (),
    exact: bool = False,
) -> str:
    """Recall, the largest error of a score, and the median time of a search."""
    recalls, errors, times = [], [0.0], []
    rows = np.arange(0, len(vectors), 100 if where else 1)
    for query in queries:
        began = time.perf_counter()
        (hits,) = store.search(KnnSearch(query, k, where, exact))
        times.append(time.perf_counter() - began)
        cosines = vectors[rows].astype(np.float64) @ query.astype(np.float64)
        best = rows[np.argsort(-cosines)[first:k]]
        found = {int(hit.id): hit.score for hit in hits[first:]}
        recalls.append(len(found.keys() & set(best.tolist())) / len(best))
        errors += [abs(score - cosines[np.searchsorted(rows, id)]) for id, score in found.items()]
    return (
        f"  {kind:26} recall {np.mean(recalls):.4f}  score off by {max(errors):.1e}  "
        f"p50 {1000 * median(times):.1f} ms"
    )


if __name__ == "__main__":
    main()
