"""Vector caches out of every store, and into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

import esclip
from esclip import Store
from esclip.stores.engine.store import EngineStore
from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore
from esclip.stores.milvus.store import MilvusStore
from tests.engines import engine_access, engine_address, engine_kinds, engine_versions, http
from tests.transfers import COUNT, assert_equal, write_mixed_cache

STORES = tuple(dict.fromkeys((*engine_versions(), *engine_kinds())))
"""The engines, of which Elasticsearch is no version of another."""


@pytest.fixture(params=["milvus", *(pytest.param(name, marks=pytest.mark.engine) for name in STORES)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Milvus Lite, and a store of each engine, with an index of its own."""
    if request.param == "milvus":
        with MilvusStore(tmp_path / "photos.db", "own") as milvus:
            yield milvus
        return
    address = engine_address(request.param)
    with EngineStore(address, f"esclip-test-{uuid4().hex}", auth=engine_access(address)) as store:
        yield store
        http("DELETE", f"{address}/{store.index}", ok=(200, 404))


def test_from_an_embedded_index_and_back(store: Store, tmp_path: Path) -> None:
    """Ids, fingerprints, contents, metadata and vectors are the same on the way and at its end."""
    first, last = LanceStore(tmp_path / "s", "first"), LanceStore(tmp_path / "s", "last")
    folder, exported = write_mixed_cache(tmp_path / "cache"), []
    for one in (first, MemoryStore("memory"), store, last):
        with esclip.open_index(one) as index:
            assert index.import_vectors(folder).written == COUNT
            assert index.import_vectors(folder).skipped == COUNT
            assert_equal(first, one)
            folder = tmp_path / f"of {one.index}"
            assert index.export(folder).documents == COUNT
            exported.append(pq.read_table(folder / "part-00000.parquet"))
    assert exported[0].equals(exported[1])
    # engines keep a vector's numbers as decimals, which can change the last bit
    varying = ["vector"] if isinstance(store, EngineStore) else []
    whole = exported[0].drop_columns(varying)
    assert all(whole.equals(table.drop_columns(varying)) for table in exported)
