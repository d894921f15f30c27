"""The Milvus store keeps the stores' contract, on Milvus Lite: in a folder, and as a server."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from esclip import IndexExists, StoreUnavailable
from esclip._core.searches import Scan
from esclip.stores.milvus.store import MilvusStore
from esclip.testing.documents import SCHEMA, axis, document, nearest
from esclip.testing.store import StoreContract
from esclip.testing.store_search import StoreSearch
from tests.contracts.milvus import OfMilvus, OfMilvusServer, raw_client

WRITER = """
import sys
from esclip.stores.milvus.store import MilvusStore
from esclip.testing.documents import SCHEMA, document

store = MilvusStore(sys.argv[1], "pictures")
store.ensure_index(SCHEMA)
for turn in range(10_000):
    assert store.upsert([document(f"{id}") for id in range(turn * 10, turn * 10 + 15)]) == []
    print(turn * 10 + 15, flush=True)
"""


class TestMilvusLite(OfMilvus, StoreContract):
    """A folder, which one process has open."""


class TestMilvusServer(OfMilvusServer, StoreSearch):
    """A server, which finds by a graph, and may leave out what matches."""


def test_another_process_has_the_folder(tmp_path: Path) -> None:
    """It is told which folder, and what to do; afterwards the same store opens it."""
    with MilvusStore(tmp_path / "a.db", "pictures") as store:
        store.ensure_index(SCHEMA)
        store.close()
        with (tmp_path / "a.db" / "LOCK").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(StoreUnavailable, match=r"another process has .*a\.db open.* wait until"):
                store.info()
        assert store.upsert([document("a")]) == []


def test_stores_of_a_process_share_the_folder(tmp_path: Path) -> None:
    """Each sees what the others write; the folder stays open until the last is closed."""
    stores = [MilvusStore(tmp_path / "a.db", "pictures") for _ in range(3)]
    stores[0].ensure_index(SCHEMA)
    for number, store in enumerate(stores):
        assert store.upsert([document(f"{number}", axis(number))]) == []
    for store in stores:
        assert len(nearest(store, axis(0), 9)) == 3
        store.close()
        store.close()
    with (tmp_path / "a.db" / "LOCK").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with stores[0] as again:
        assert len(nearest(again, axis(0), 9)) == 3


def test_a_process_is_killed(tmp_path: Path) -> None:
    """All that was acknowledged is there, each document once, and the folder can be opened at once."""
    folder = tmp_path / "a.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < 200:
            acknowledged = int(writer.stdout.readline())
        writer.kill()
        acknowledged = max([acknowledged, *map(int, writer.stdout.read().split("\n")[:-1])])
    with MilvusStore(folder, "pictures") as store:
        ids = [hit.id for hit in store.search(Scan(20_000))[0]]
        assert len(ids) == len(set(ids))
        assert set(ids) >= {f"{id}" for id in range(acknowledged)}
        info = store.info()
        assert info is not None
        assert info.documents == len(ids)


def test_a_collection_that_somebody_has_released(tmp_path: Path) -> None:
    """A server may put a collection out of memory at any time: the next search loads it again."""
    with MilvusStore(tmp_path / "a.db", "pictures") as store:
        store.ensure_index(SCHEMA)
        assert store.upsert([document("a")]) == []
        raw_client(store).release_collection("pictures")
        assert [hit.id for hit in nearest(store, axis(0), 9)] == ["a"]


def test_a_collection_of_others(tmp_path: Path) -> None:
    """It is not listed, and neither used nor dropped, under any name that it has."""
    with MilvusStore(tmp_path / "a.db", "pictures") as store:
        store.ensure_index(SCHEMA)
        raw_client(store).create_collection("others", dimension=4)
        raw_client(store).create_alias("others", "named")
        assert list(store.list_indexes()) == ["pictures"]
        for name in ("others", "named"):
            with store.open_other(name) as other:
                for call in (other.drop, other.info, lambda other=other: other.ensure_index(SCHEMA)):
                    with pytest.raises(IndexExists):
                        call()
        assert raw_client(store).has_collection("others")
