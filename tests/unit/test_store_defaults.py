"""A store that writes only what it must: the defaults of `Store` keep the contract with the rest."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from esclip._core.rejections import Rejection
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.types import Document, Fingerprint, Hit
from esclip._protocols import Store
from esclip.stores.memory import MemoryStore
from esclip.stores.wrapper import StoreWrapper
from esclip.testing.documents import SCHEMA
from esclip.testing.store import StoreContract
from tests.unit import test_memory_store

MOST_REQUIRED = 10
"""Methods that a new store may have to write."""


class MinimalStore(Store):
    """The abstract methods alone, over an in-memory store."""

    def __init__(self, memory: MemoryStore) -> None:
        super().__init__(memory.address, memory.index)
        self.memory = memory

    def info(self) -> IndexInfo | None:
        return self.memory.info()

    def ensure_index(self, schema: IndexSchema) -> None:
        self.memory.ensure_index(schema)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        return self.memory.fingerprints(ids)

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        return self.memory.documents(ids)

    def upsert(self, documents: Sequence[Document]) -> list[Rejection]:
        return self.memory.upsert(documents)

    def delete(self, ids: Sequence[str]) -> None:
        self.memory.delete(ids)

    def search(self, *searches: Search) -> list[list[Hit]]:
        return self.memory.search(*searches)

    def open_other(self, index: str) -> MinimalStore:
        return MinimalStore(self.memory.open_other(index))

    def drop(self) -> None:
        self.memory.drop()


class TestMinimalStore(StoreContract):
    memory = test_memory_store.TestMemoryStore()

    @pytest.fixture
    def store(self) -> Store:
        return MinimalStore(MemoryStore("pictures"))

    def inner(self, store: Store) -> MemoryStore:
        assert isinstance(store, MinimalStore)
        return store.memory

    def plant(self, store: Store, documents: Sequence[Document]) -> None:
        self.memory.plant(self.inner(store), documents)

    def peek(self, store: Store, id: str) -> dict[str, Any] | None:
        return self.memory.peek(self.inner(store), id)

    def plant_words(self, store: Store, id: str, words: Sequence[str]) -> None:
        self.memory.plant_words(self.inner(store), id, words)

    def plant_schema(self, store: Store, schema: Mapping[str, Any]) -> None:
        self.memory.plant_schema(self.inner(store), schema)

    def peek_schema(self, store: Store) -> Mapping[str, Any]:
        return self.memory.peek_schema(self.inner(store))


def test_a_new_store_has_few_methods_to_write() -> None:
    """At most ten methods have no default, and the minimal store writes those and no other."""
    assert len(Store.__abstractmethods__) <= MOST_REQUIRED
    methods = {name for name in vars(MinimalStore) if not name.startswith("_")}
    assert methods == Store.__abstractmethods__


def test_a_store_closes_when_a_with_block_ends() -> None:
    """A store is its own context manager."""

    class Closing(MinimalStore):
        closed = False

        def close(self) -> None:
            self.closed = True

    with Closing(MemoryStore("pictures")) as store:
        store.ensure_index(SCHEMA)
        assert not store.closed
    assert store.closed


def test_a_wrapper_forwards_every_method() -> None:
    """No method of a wrapper is a default: a faster one of the wrapped store would be lost."""
    methods = {name for name, _ in inspect.getmembers(Store, inspect.isfunction) if not name.startswith("_")}
    assert methods <= vars(StoreWrapper).keys()
