"""The embedded store keeps the contract with indexes of few rows, and in a folder of an older version.

Its folder is one that LanceDB's own client opens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import lance
import lancedb
import pytest

from esclip._core.types import StoredDocument
from esclip._protocols import Store
from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import EVERYTHING, SCHEMA, axis, document
from tests.contracts.lance import LanceContract, path_of_index


class TestIndexedLanceStore(LanceContract):
    """The same with indexes of vectors and contents from the second row on."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = LanceStore(tmp_path, "pictures", IndexThresholds(exact=1, scanned=1))
        yield store
        store.close()


class TestLanceStoreWithoutSources(LanceContract):
    """An index that was made before hits were read from a column of their own."""

    @pytest.fixture
    def prepared(self, store: Store) -> Store:
        store.ensure_index(SCHEMA)
        lance.dataset(path_of_index(store)).drop_columns(["_source"])
        return store

    def plant(self, store: Store, documents: Sequence[StoredDocument]) -> None:
        assert "_source" not in lance.dataset(path_of_index(store)).schema.names
        super().plant(store, documents)


def test_lancedb_reads_the_index(tmp_path: Path) -> None:
    """A LanceDB client opens the folder and finds the index as a table of its name."""
    store = LanceStore(tmp_path, "pictures")
    store.ensure_index(SCHEMA)
    store.upsert([document("a", axis(0), EVERYTHING), document("b", axis(1))])
    table = lancedb.connect(tmp_path).open_table("pictures")
    found = table.search(axis(1)).metric("cosine").limit(1).to_list()
    assert (table.count_rows(), found[0]["id"]) == (2, "b")
