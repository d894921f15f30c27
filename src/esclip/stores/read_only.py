"""A store that is read and never written: what a dry run of an ingest works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event

from esclip._core.rejections import Rejection
from esclip._core.schema import IndexSchema
from esclip._core.types import Fingerprint, ImageRecord, StoredDocument, Vector
from esclip._errors import IndexMismatch
from esclip._protocols import Store
from esclip.stores import validation
from esclip.stores.wrapper import StoreWrapper


class ReadOnlyStore(StoreWrapper):
    """Forwards reads, of an index that does not exist as of an empty one; checks what would be written."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._present = store.schema()
        self._prepared = self._present

    def ensure_index(self, schema: IndexSchema) -> None:
        """Remember what the index would have. Raises `IndexMismatch` for fields that it can't get."""
        present = self._present or schema
        if conflict := validation.schema_conflict(present, schema):
            raise IndexMismatch(
                f"index {self.index!r} in {self.address} can't take this data: {conflict}; use another index"
            )
        self._prepared = validation.merge_schemas(present, schema)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """Those of the store."""
        return self.store.fingerprints(ids) if self._present else {}

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Those of the store."""
        return self.store.documents(ids) if self._present else {}

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """Those of the store."""
        return self.store.vectors_by_content(contents) if self._present and contents else {}

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Those of the store."""
        return self.store.scan_locations() if self._present else iter(())

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """The rejections of records that no store would take."""
        return self.update([document.record for document in documents])

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """The same, without the vectors."""
        return validation.validate_records(records, self._prepared)[1] if self._prepared else []

    def delete(self, ids: Sequence[str]) -> None:
        """Remove nothing."""

    def drop(self) -> None:
        """Take it for an index that does not exist, from now on."""
        self._present = None

    def bulk_load(self, cancelled: Event | None = None) -> AbstractContextManager[None]:
        """Prepare nothing: nothing is written."""
        return nullcontext()
