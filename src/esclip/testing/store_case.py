"""What the store contracts share: how a store is supplied, and how it is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pytest

from esclip._core.filters import Condition
from esclip._core.index_settings import VECTOR_LEVELS
from esclip._core.rejections import Rejection, Stage
from esclip._core.types import StoredDocument
from esclip._errors.reasons import Reason
from esclip._protocols import Store
from esclip.testing.documents import SCHEMA, axis, nearest


class StoreCase:
    """Supplies a store, and ways around it; see `store_contract`."""

    tolerance = 1e-5
    """How far a score may be from the true cosine."""
    recall = 1.0
    """The share of the exact hits that a search has to find among a few hundred documents."""

    changes_level = False
    """Whether an index that holds documents can get any other level; else going back is refused."""

    @pytest.fixture
    def store(self) -> Iterator[Store]:
        """A store whose index does not exist, under a name of its own; closed and removed after."""
        raise NotImplementedError

    def plant(self, store: Store, documents: Sequence[StoredDocument]) -> None:
        """Write documents into the prepared index around the store, to be found by the next search."""
        raise NotImplementedError

    def peek(self, store: Store, id: str) -> dict[str, Any] | None:
        """A document's raw fields by name, read around the store; absent ones are missing or None."""
        raise NotImplementedError

    def plant_words(self, store: Store, id: str, words: Sequence[str]) -> None:
        """Replace the words that a document has been written with, around the store."""
        raise NotImplementedError

    def plant_schema(self, store: Store, schema: Mapping[str, Any]) -> None:
        """Replace the schema that the prepared index remembers, as JSON, around the store."""
        raise NotImplementedError

    def peek_schema(self, store: Store) -> Mapping[str, Any]:
        """The schema that the index remembers, as JSON, read around the store."""
        raise NotImplementedError

    def levels(self, store: Store) -> Collection[str]:
        """The levels of `IndexSettings.vectors` that the store takes; it refuses others."""
        return VECTOR_LEVELS

    @pytest.fixture
    def prepared(self, store: Store) -> Store:
        """The store with an empty index of `SCHEMA`."""
        store.ensure_index(SCHEMA)
        return store


def count(store: Store) -> int:
    """How many documents the store says it holds."""
    info = store.info()
    assert info is not None
    return info.documents


def ids_where(store: Store, *conditions: Condition) -> list[str]:
    """Ids of what fulfils the conditions, sorted."""
    return sorted(hit.id for hit in nearest(store, axis(0), 20, conditions))


def reasons(rejections: list[Rejection]) -> list[tuple[str, Stage, Reason]]:
    """Rejections without location and detail."""
    return [(r.id, r.stage, r.reason) for r in rejections]


def assert_same(metadata: Any, expected: Any) -> None:
    """Equal, and of the same Python types."""
    assert dict(metadata) == dict(expected)
    types = {name: type(value) for name, value in metadata.items()}
    assert types == {name: type(value) for name, value in expected.items()}
