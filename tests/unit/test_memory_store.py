"""The in-memory store keeps the stores' contract, and is light."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from esclip._core.analysis import analyze_record
from esclip._core.schema import IndexSchema
from esclip._core.types import StoredDocument
from esclip._protocols import Store
from esclip.stores.memory import MemoryStore
from esclip.testing.documents import SCHEMA, axis, document, nearest
from esclip.testing.store import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = MemoryStore("pictures")
        yield store
        store.close()

    def plant(self, store: Store, documents: Sequence[StoredDocument]) -> None:
        assert isinstance(store, MemoryStore)
        store._documents.update({document.record.id: document for document in documents})

    def peek(self, store: Store, id: str) -> dict[str, Any] | None:
        assert isinstance(store, MemoryStore)
        held = store._documents.get(id)
        if held is None:
            return None
        record = held.record
        return {
            "vector": held.vector,
            "location": record.location,
            "page": record.page,
            "description": record.description,
            "pixels_fingerprint": record.fingerprint.pixels,
            "record_fingerprint": record.fingerprint.record,
            "content_fingerprint": held.content,
            "words": analyze_record(record),
            **record.all_metadata,
        }

    def plant_words(self, store: Store, id: str, words: Sequence[str]) -> None:
        """Nothing to replace: the words of what is held are worked out by each search."""

    def plant_schema(self, store: Store, schema: Mapping[str, Any]) -> None:
        assert isinstance(store, MemoryStore)
        store._schema = IndexSchema.from_json(schema)

    def peek_schema(self, store: Store) -> Mapping[str, Any]:
        assert isinstance(store, MemoryStore)
        assert store._schema is not None
        return store._schema.to_json()


def test_documents_are_not_shared() -> None:
    """Changing a vector that was given or got changes nothing in the store."""
    store = MemoryStore("pictures")
    store.ensure_index(SCHEMA)
    given = axis(0)
    store.upsert([document("a", given)])
    given[:] = 9
    store.documents(["a"])["a"].vector[:] = 9
    assert nearest(store, axis(0), 1)[0].score == 1


def test_ties_at_the_last_rank_go_by_id() -> None:
    """Where more documents tie than k, those with the smallest ids are found."""
    store = MemoryStore("pictures")
    store.ensure_index(SCHEMA)
    store.upsert([document(id) for id in ("c", "a", "b")])
    assert [hit.id for hit in nearest(store, axis(0), 2)] == ["a", "b"]


def test_address_names_no_place() -> None:
    """The store's address says that it is in memory."""
    assert (MemoryStore("x").address, MemoryStore("x").index) == ("memory:", "x")


def test_import_is_light() -> None:
    """The in-memory store needs neither Lance nor Arrow."""
    code = "import sys, esclip.stores.memory; print({'lance', 'pyarrow', 'opensearchpy'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
