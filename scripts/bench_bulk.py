"""How fast documents go into an engine: esclip's store beside opensearch-py's two bulk helpers.

    made-up Unsplash records, random unit vectors ─► an index with our body and settings ─┬─► helpers.bulk
                                                                                          ├─► parallel_bulk
                                                                                          └─► esclip

    python -m scripts.bench_bulk --store http://127.0.0.1:9210             # documents a second, in turns
    python -m scripts.bench_bulk --store http://127.0.0.1:9210 --memory    # peak memory, by their number

Each begins with the same records and vectors, and ends when the last document is acknowledged. Start the
engine with ESCLIP_ENGINE_JAVA_OPTIONS='' and let nothing else run: client and engine share the cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cache, partial
from itertools import cycle, islice
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import numpy as np
from opensearchpy import OpenSearch, helpers

from esclip import Field, ImageRecord, IndexSchema, Space, StoredDocument
from esclip._concurrency.streams import batches, parallel_map
from esclip._core.settings import WRITE_SIZE
from esclip._core.types import unit_rows
from esclip.sources import open_source
from esclip.stores.engine.store import EngineStore
from esclip.stores.serialization import to_source
from scripts.make_unsplash import make_dataset
from scripts.measure import machine, measure, peak_mebibytes, print_table, run_python, write_json

__all__ = ["main"]

DIM = 512
PHOTOS = 500
"""Different records; each comes again and again under other ids."""
BULK = "opensearch-py, helpers.bulk"

Way = Callable[[EngineStore, Iterable[StoredDocument]], int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of rates, or of memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", required=True, help="the address of an engine")
    parser.add_argument("--documents", type=int, default=10_000, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=2, help="rounds before: the engine compiles its code")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--memory", action="store_true", help="measure memory instead")
    parser.add_argument("--counts", default="10000,1000000", help="numbers of documents, for --memory")
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.peak:
        print(_rate(given.store, _documents(given.peak), _esclip), peak_mebibytes())
    elif given.memory:
        _print_memory(given.store, given.counts.split(","))
    else:
        _compare(given)


def _compare(given: argparse.Namespace) -> None:
    documents = list(_documents(given.documents))
    rows = measure(
        {name: partial(_rate, given.store, documents, way) for name, way in WAYS.items()},
        unit="documents/s",
        rounds=given.rounds,
        baseline=BULK,
        warm_up=given.warm_up,
    )
    facts = {**machine(), "documents": f"{given.documents:,} a round, vectors of {DIM} dimensions"}
    for name, fact in facts.items():
        print(f"{name}: {fact}")
    print_table("documents into an engine", rows)
    if given.json:
        write_json(given.json, facts, rows)


def _print_memory(address: str, counts: Sequence[str]) -> None:
    """Peak memory of processes that write so many documents, made on the way."""
    print("| documents | documents/s | peak memory |\n|---|---|---|")
    for count in map(int, counts):
        rate, peak = run_python("-m", "scripts.bench_bulk", "--store", address, "--peak", str(count)).split()
        print(f"| {count:,} | {float(rate):.0f} | {peak} MiB |", flush=True)


def _documents(count: int) -> Iterator[StoredDocument]:
    """As many documents with all metadata of the Unsplash dataset."""
    rng = np.random.default_rng(0)
    for block in batches(islice(enumerate(cycle(_photos()[0])), count), WRITE_SIZE):
        vectors = unit_rows(rng.standard_normal((len(block), DIM), dtype=np.float32))
        for (number, record), vector in zip(block, vectors, strict=True):
            yield StoredDocument(replace(record, id=f"{record.id}-{number}"), vector)


@cache
def _photos() -> tuple[list[ImageRecord], tuple[Field, ...]]:
    with tempfile.TemporaryDirectory(prefix="bench-bulk-") as scratch:
        make_dataset(Path(scratch), PHOTOS)
        source = open_source([scratch])
        records = [record for record in source.records(Event()) if isinstance(record, ImageRecord)]
        return records, tuple(source.fields)


def _rate(address: str, documents: Iterable[StoredDocument], way: Way) -> float:
    """Documents a second, into an index of its own."""
    store = EngineStore(address, f"bench-bulk-{uuid4().hex}")
    space = Space(model="none", text_model="none", weights="none", preprocessing="none", dim=DIM)
    store.ensure_index(IndexSchema(space, _photos()[1]))
    try:
        with store.bulk_load():
            started = time.perf_counter()
            count = way(store, documents)
            seconds = time.perf_counter() - started
        info = store.info()
        if info is None or info.documents != count:
            raise SystemExit(f"{count} documents were written, and the index says {info}")
    finally:
        store.drop()
        store.close()
    return count / seconds


def _esclip(store: EngineStore, documents: Iterable[StoredDocument]) -> int:
    """As an ingest does."""

    def write(page: list[StoredDocument]) -> int:
        return len(page) - len(store.upsert(page))

    at_once = store.write_concurrency
    return sum(parallel_map(write, batches(documents, WRITE_SIZE), workers=at_once, window=at_once))


def _bulk(store: EngineStore, documents: Iterable[StoredDocument]) -> int:
    with closing(OpenSearch(store.address, timeout=60)) as client:
        written, _ = helpers.bulk(client, _actions(store, documents))
    return int(written)


def _parallel_bulk(store: EngineStore, documents: Iterable[StoredDocument]) -> int:
    with closing(OpenSearch(store.address, timeout=60)) as client:
        return sum(ok for ok, _ in helpers.parallel_bulk(client, _actions(store, documents)))


def _actions(store: EngineStore, documents: Iterable[StoredDocument]) -> Iterator[dict[str, Any]]:
    for document in documents:
        source = to_source(document)
        yield {"_index": store.index, "_id": document.record.id, "_source": source}


WAYS: Mapping[str, Way] = {
    BULK: _bulk,
    "opensearch-py, helpers.parallel_bulk": _parallel_bulk,
    "esclip": _esclip,
}


if __name__ == "__main__":
    main()
