"""Upserts into the embedded store: one commit each, which keeps the indexes and every id once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import SCHEMA, axis, document, nearest, record
from tests.lance_folders import make_store, open_table

INDEXED = IndexThresholds(exact=0, scanned=0, partition=20)
"""All is indexed at the end of a bulk load."""


@pytest.fixture
def store(tmp_path: Path) -> LanceStore:
    return make_store(tmp_path, INDEXED)


def _ids(start: int, end: int) -> list[str]:
    return [f"{number:03}" for number in range(start, end)]


def _load(store: LanceStore, ids: Sequence[str]) -> None:
    with store.bulk_load():
        assert store.upsert([document(id, axis(0)) for id in ids]) == []


def _stored(folder: Path) -> list[str]:
    table = open_table(folder).to_table(columns=["id"])
    return sorted(table["id"].to_pylist())


def _indexed(folder: Path) -> set[int]:
    """The numbers of rows that the indexes have."""
    indexes = open_table(folder).describe_indices()
    assert len(indexes) == 4
    return {index.num_rows_indexed for index in indexes}


def test_an_upsert_leaves_the_indexes_of_other_rows(store: LanceStore, tmp_path: Path) -> None:
    """New rows, and those in place of others, are outside of the indexes. The others stay in."""
    _load(store, _ids(0, 40))
    assert _indexed(tmp_path) == {40}
    assert store.upsert([document(id, axis(1)) for id in _ids(30, 50)]) == []
    assert _indexed(tmp_path) == {30}
    assert _stored(tmp_path) == _ids(0, 50)
    assert set(store.fingerprints(_ids(0, 60))) == set(_ids(0, 50))
    assert {hit.id for hit in nearest(store, axis(0), 30)} == set(_ids(0, 30))
    assert {hit.id for hit in nearest(store, axis(1), 20)} == set(_ids(30, 50))


def test_an_upsert_of_all_rows_of_a_fragment(store: LanceStore, tmp_path: Path) -> None:
    """Each row is there once, with its new vector."""
    _load(store, _ids(0, 20))
    for number in (1, 2):
        assert store.upsert([document(id, axis(number)) for id in _ids(0, 20)]) == []
        assert _stored(tmp_path) == _ids(0, 20)
        for each in store.documents(_ids(0, 20)).values():
            np.testing.assert_array_equal(each.vector, axis(number))


def test_upserts_into_an_index_that_was_emptied(store: LanceStore, tmp_path: Path) -> None:
    """The indexes of what was deleted do not hide the new rows."""
    _load(store, _ids(0, 20))
    store.delete(_ids(0, 20))
    assert _stored(tmp_path) == []
    for number in (1, 2):
        assert store.upsert([document(id, axis(number)) for id in _ids(10, 15)]) == []
        assert set(store.fingerprints(_ids(0, 20))) == set(_ids(10, 15))
        assert {hit.id for hit in nearest(store, axis(number), 9)} == set(_ids(10, 15))


@pytest.mark.parametrize("loaded", [[], _ids(0, 25)], ids=["empty", "with rows"])
def test_stores_that_write_the_same_new_ids_at_once(tmp_path: Path, loaded: Sequence[str]) -> None:
    """Of several that begin at one version one is first; the others see its rows; no id is there twice."""
    stores = [LanceStore(tmp_path, "pictures", INDEXED) for _ in range(3)]
    stores[0].ensure_index(SCHEMA)
    if loaded:
        _load(stores[0], loaded)
    turn = Barrier(len(stores))

    def write(number: int) -> None:
        for start in range(100, 200, 10):
            turn.wait()
            ids = _ids(start, start + 10)
            assert stores[number].upsert([document(id, axis(number)) for id in ids]) == []

    with ThreadPoolExecutor(len(stores)) as threads:
        list(threads.map(write, range(len(stores))))
    assert _stored(tmp_path) == [*loaded, *_ids(100, 200)]


def test_an_update_reads_the_vector_that_it_keeps_anew(tmp_path: Path) -> None:
    """Records that are updated while another store writes their vectors keep none of the former vectors."""
    ids, vectors = _ids(0, 20), 12
    writer, updater = (LanceStore(tmp_path, "pictures", INDEXED) for _ in range(2))
    writer.ensure_index(SCHEMA)
    _load(writer, ids)

    def update() -> None:
        for number in range(vectors):
            assert updater.update([record(id, description=f"{number}") for id in ids]) == []

    with ThreadPoolExecutor(1) as thread:
        updates = thread.submit(update)
        for number in range(vectors):
            assert writer.upsert([document(id, axis(number)) for id in ids]) == []
        updates.result()
    assert _stored(tmp_path) == ids
    for each in writer.documents(ids).values():
        np.testing.assert_array_equal(each.vector, axis(vectors - 1))
