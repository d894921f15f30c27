"""The records of an index's ledger as a source, to try them again.

Ledger.entries ─► those with a record ─► a file in a folder: its current state ─► ImageRecord | Rejection
                                      └► any other: as its source gave it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from esclip._concurrency.streams import owned
from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.rejections import Rejection
from esclip._core.schema import Field
from esclip._core.types import ImageRecord
from esclip._errors.reasons import Reason
from esclip._ingest.ledger import Ledger
from esclip._protocols import Source
from esclip.sources.folder import FIELDS, file_record


class LedgerSource(Source):
    """The rejected records, for one of `reasons` or any."""

    def __init__(self, ledger: Ledger, fields: Sequence[Field], reasons: Collection[Reason] = ()) -> None:
        """`fields` are those of the ledger's index."""
        self._ledger = ledger
        self._reasons = reasons
        self._fields = fields

    @property
    def fields(self) -> Sequence[Field]:
        """The fields of the ledger's index."""
        return self._fields

    def total(self) -> int:
        """The current number of these records."""
        return self._ledger.count_retryable(self._reasons)

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """All that are in the ledger at the beginning; those rejected again meanwhile are not repeated."""
        with owned(self._ledger.entries(self._reasons)) as entries:
            for entry in entries:
                if entry.record is not None:
                    yield self._in_fields(_current_record(entry.record))

    def _in_fields(self, record: ImageRecord | Rejection) -> ImageRecord | Rejection:
        """The record without facts for which the index has no field, or one of another type."""
        if isinstance(record, Rejection):
            return record
        names = {field.name for field in self._fields}  # an index of an older version lacks some
        facts = {field.name for field in PICTURE_FIELDS if field in self._fields}
        fields = tuple(name for name in record.picture_fields if name in facts)
        known = {name: value for name, value in record.metadata.items() if name in names}
        return replace(record, picture_fields=fields, metadata=known)


def _current_record(record: ImageRecord) -> ImageRecord | Rejection:
    """A file's record as it is now, with its caption and what else it was given; others unchanged."""
    if not isinstance(record.picture, Path) or not record.is_of_file:
        return record
    current = file_record(record.picture)
    if isinstance(current, Rejection):
        return replace(current, record=record)
    names = {field.name for field in FIELDS}
    added = {name: value for name, value in record.metadata.items() if name not in names}
    return replace(
        current,
        location=record.location,
        page=record.page,
        description=record.description,
        captioned=record.captioned,
        content=record.content,
        metadata={**current.metadata, **added},
    )
