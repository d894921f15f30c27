"""What is found, how exact scores are, how long it takes and what it takes up, at each level of vectors.

made-up pictures ─► an index a level ─► the same searches in each, in turn ─► recall, errors of scores, p50
                                    └─► what the store says of its size    ─► beside what a plan says

    python -m scripts.bench_vectors http://127.0.0.1:9210 http://127.0.0.1:9212 /tmp/folder
    python -m scripts.bench_vectors STORE --documents 100000 --levels float int8

Vectors are those of `scripts/cross_modal.py`. Every answer is compared with float64 cosines to all vectors. A
level that a store refuses is a line that says so. The exit status is 1 where recall, scores or a plan are not
what they should be.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import requests

import esclip
from esclip import ConfigError, Field, FieldType, IndexSchema, IndexSettings, Space, Stats, Store
from esclip._core.filters import Condition, OneOf
from esclip._core.index_settings import VECTOR_LEVELS
from esclip._core.searches import KnnSearch
from esclip._core.types import ImageRecord, StoredDocument, Vector, Vectors
from esclip.encoders.unloaded import UnloadedEncoder
from esclip.stores import is_server, open_store
from scripts.cross_modal import CrossModal

__all__ = ["main"]

DIM = 512
FILTER = Field("rare", FieldType.BOOLEAN)
"""True for a document in a hundred."""
SHARE = 100
DOCUMENT_BYTES = 60
"""On disk of a document here beside its vector: it has hardly more than an id."""
INDEX = "bench_vectors"
MIN_RECALL = 0.98
MAX_ERROR = 1e-5
PLAN_WITHIN = 0.15
"""The share by which what a store says may differ from a plan."""
CODES, GRAPH = {"float": "vec", "int8": "veq", "bit": "veb"}, "vex"
"""Suffixes of Lucene's files of the vectors that are compared first, and of their graph."""
SPACE = Space("made up", "made up", weights="none", preprocessing="none", dim=DIM)


@dataclass(frozen=True, slots=True)
class View:
    """A kind of search."""

    name: str
    k: int = 10
    first: int = 0
    where: tuple[Condition, ...] = ()
    exact: bool = False


VIEWS = (
    View("the best 10"),
    View("hits 91 to 100", k=100, first=90),
    View("the best 10 of 1 %", where=(OneOf(FILTER, (True,)),)),
    View("the best 10, exact", exact=True),
)


@dataclass(slots=True)
class Found:
    """What searches of a kind have given at a level."""

    recalls: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=lambda: [0.0])
    seconds: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of what is found and one of sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("stores", nargs="+", help="addresses of stores, or folders")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=200, help="of each kind")
    parser.add_argument("--exact", type=int, default=20, help="of them also compared with all documents")
    parser.add_argument("--levels", nargs="+", default=VECTOR_LEVELS, choices=VECTOR_LEVELS)
    given = parser.parse_args(arguments)
    data = CrossModal(DIM)
    vectors = np.concatenate([*data.pictures(given.documents)])
    queries = {"pictures": data.picture_queries(given.queries), "texts": data.text_queries(given.queries)}
    faults: list[str] = []
    for address in given.stores:
        with ExitStack() as opened:
            stores = {
                level: opened.enter_context(open_store(address, f"{INDEX}_{level}")) for level in given.levels
            }
            filled = {level: store for level, store in stores.items() if _fill(store, level, vectors)}
            faults += _print_found(filled, vectors, queries, given.exact)
            faults += _print_sizes(filled, vectors)
            for store in filled.values():
                store.drop()
    if faults:
        sys.exit("\n".join(faults))


def _fill(store: Store, level: str, vectors: Vectors) -> bool:
    """Write all vectors; False where the store refuses the level."""
    if store.schema() is not None:
        store.drop()
    began = time.perf_counter()
    try:
        store.ensure_index(IndexSchema(SPACE, (FILTER,), settings=IndexSettings(level)))
    except ConfigError as error:
        print(f"{level}: {error}\n")
        return False
    with store.bulk_load():
        for start in range(0, len(vectors), 500):
            assert store.upsert([*_documents(vectors, start, start + 500)]) == []
    print(f"{level}: {len(vectors):,} documents in {time.perf_counter() - began:.1f} s", flush=True)
    return True


def _documents(vectors: Vectors, start: int, stop: int) -> Iterator[StoredDocument]:
    for n, vector in enumerate(vectors[start:stop], start):
        metadata = {FILTER.name: n % SHARE == 0}
        yield StoredDocument(ImageRecord(str(n), f"/{n}", f"/{n}", "1", metadata=metadata), vector)


def _print_found(
    stores: Mapping[str, Store], vectors: Vectors, queries: Mapping[str, Vectors], exact: int
) -> Iterator[str]:
    """Print a row a level and view, the columns of both kinds of queries; gives what is below the bounds."""
    engine = _info(next(iter(stores.values()))).engine
    print(f"\n| {engine} | | recall, pictures / texts | largest error of a score | p50, ms |\n{'|---' * 5}|")
    for view in VIEWS:
        found = {
            kind: _search_all(stores, vectors, some[:exact] if view.exact else some, view)
            for kind, some in queries.items()
        }
        for level in stores:
            each = [by_level[level] for by_level in found.values()]
            recalls = [float(np.mean(one.recalls)) for one in each]
            error = max(max(one.errors) for one in each)
            times = " / ".join(f"{1000 * median(one.seconds):.1f}" for one in each)
            shown = " / ".join(f"{recall:.4f}" for recall in recalls)
            print(f"| `{level}` | {view.name} | {shown} | {error:.1e} | {times} |", flush=True)
            if min(recalls) < MIN_RECALL or error > MAX_ERROR:
                yield f"{engine}, {level}, {view.name}: recall {shown}, scores off by {error:.1e}"


def _search_all(
    stores: Mapping[str, Store], vectors: Vectors, queries: Vectors, view: View
) -> Mapping[str, Found]:
    """Run each query in all stores, one after the other."""
    found = {level: Found() for level in stores}
    rows = np.arange(0, len(vectors), SHARE if view.where else 1)
    for query in queries:
        cosines = vectors[rows].astype(np.float64) @ query.astype(np.float64)
        for level, store in stores.items():
            _search(store, query, view, rows, cosines, found[level])
    return found


def _search(store: Store, query: Vector, view: View, rows: Any, cosines: Any, found: Found) -> None:
    began = time.perf_counter()
    (hits,) = store.search(KnnSearch(query, view.k, view.where, view.exact))
    found.seconds.append(time.perf_counter() - began)
    best = {*rows[np.argsort(-cosines)[view.first : view.k]].tolist()}
    scores = {int(hit.id): hit.score for hit in hits[view.first :]}
    found.recalls.append(len(scores.keys() & best) / len(best))
    found.errors += [abs(score - cosines[np.searchsorted(rows, id)]) for id, score in scores.items()]


def _print_sizes(stores: Mapping[str, Store], vectors: Vectors) -> Iterator[str]:
    """Print bytes of a document as the store says them, beside a plan's; gives what is out of bounds."""
    engine = _info(next(iter(stores.values()))).engine
    print(f"\n| {engine} | on disk | plan | | in memory | plan | |\n{'|---' * 7}|")
    for level, store in stores.items():
        memory = _memory(store, level)
        info = _info(store)  # after a merge
        stats = Stats.of(info, store.index, store.address)
        planned = esclip.plan(
            len(vectors), encoder=UnloadedEncoder(SPACE), index=stats, document_bytes=DOCUMENT_BYTES
        ).values
        old = "disk_opensearch_2" if engine.startswith("OpenSearch 2.") else "disk"
        pairs = (
            (info.bytes, planned.get("disk_after_ingest", planned[old])),
            (memory, planned["memory"]),
        )
        cells = []
        for measured, computed in pairs:
            if measured is None:
                cells += ["", f"{computed / len(vectors):,.0f}", ""]
                continue
            off = measured / computed - 1
            cells += [f"{measured / len(vectors):,.0f}", f"{computed / len(vectors):,.0f}", f"{off:+.1%}"]
            if abs(off) > PLAN_WITHIN:
                yield f"{engine}, {level}: {measured:,} bytes, and {computed:,.0f} by the plan"
        print(f"| `{level}` | {' | '.join(cells)} |", flush=True)


def _info(store: Store) -> esclip.IndexInfo:
    info = store.info()
    assert info is not None
    return info


def _memory(store: Store, level: str) -> int | None:
    """Bytes of what searches compare first, and of its graph, by the store's files; None: it doesn't tell.

    Elasticsearch tells of the files in a segment, OpenSearch only where a merge has left them apart.
    """
    if not is_server(store.address):
        folder = Path(store.address) / f"{store.index}.lance" / "_indices"
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    index, files = f"{store.address}/{store.index}", (CODES[level], GRAPH)
    requests.put(f"{index}/_settings", json={"index.compound_format": False}, timeout=60)
    requests.post(f"{index}/_forcemerge?max_num_segments=1&flush=true", timeout=600).raise_for_status()
    time.sleep(12)  # an engine's figures are ten seconds old
    answer = requests.get(f"{index}/_stats?include_segment_file_sizes=true", timeout=60).json()
    totals = answer["_all"]["primaries"]
    if "off_heap" in totals.get("dense_vector", {}):
        off_heap = totals["dense_vector"]["off_heap"]
        return sum(int(off_heap[f"total_{name}_size_bytes"]) for name in files)
    sizes = {name: one["size_in_bytes"] for name, one in totals["segments"]["file_sizes"].items()}
    known = sizes.keys() >= {*files} and "cfs" not in sizes
    return sum(int(sizes[name]) for name in files) if known else None


if __name__ == "__main__":
    main()
