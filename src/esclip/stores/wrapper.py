"""A store that forwards to another one: the base of stores that add something to one method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Event
from typing import Any

from esclip._core.facet_counting import NO_SPANS, Spans
from esclip._core.facets import Facets
from esclip._core.filters import Condition
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.types import Fingerprint, Hit, ImageRecord, StoredDocument, Vector, Vectors
from esclip._protocols import Store


class StoreWrapper(Store):
    """Forwards every call to another store."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.address, store.index)
        self.store = store
        self.write_concurrency = store.write_concurrency
        self.table_rows = store.table_rows
        self.searches_remotely = store.searches_remotely

    def schema(self) -> IndexSchema | None:
        return self.store.schema()

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        return self.store.list_indexes()

    def info(self) -> IndexInfo | None:
        return self.store.info()

    def ensure_index(self, schema: IndexSchema) -> None:
        self.store.ensure_index(schema)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        return self.store.fingerprints(ids)

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        return self.store.upsert(documents)

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        return self.store.update(records)

    def delete(self, ids: Sequence[str]) -> None:
        self.store.delete(ids)

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        return self.store.vectors_by_content(contents)

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        return self.store.scan_locations()

    def scan_vectors(self, where: Sequence[Condition] = ()) -> Iterator[tuple[list[str], Vectors]]:
        return self.store.scan_vectors(where)

    def scan_tables(self) -> Iterator[Any]:
        return self.store.scan_tables()

    def upsert_table(self, table: Any) -> list[Rejection]:
        return self.store.upsert_table(table)

    def bulk_load(self, cancelled: Event | None = None) -> AbstractContextManager[None]:
        return self.store.bulk_load(cancelled)

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        return self.store.facets(fields, where, limit, spans)

    def search(self, *searches: Search) -> list[list[Hit]]:
        return self.store.search(*searches)

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        return self.store.documents(ids)

    def open_other(self, index: str) -> Store:
        return self.store.open_other(index)

    def alias_target(self) -> str | None:
        return self.store.alias_target()

    def resolve_alias(self) -> Store:
        resolved = self.store.resolve_alias()
        return self if resolved is self.store else resolved

    def aliases(self) -> Sequence[str]:
        return self.store.aliases()

    def point_alias(self, index: str) -> None:
        self.store.point_alias(index)

    def rename(self, index: str, beside: Mapping[str, str]) -> None:
        self.store.rename(index, beside)

    def drop(self) -> None:
        self.store.drop()

    def close(self) -> None:
        self.store.close()
