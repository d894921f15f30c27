"""The records that an index's ledger keeps, to try them again.

Ledger.rejections ─► those with a record ─► a file of a folder: as it is now ─► ImageRecord | Rejection
                                         └► any other: as its source gave it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

from esclip._concurrency.streams import owned
from esclip._core.rejections import Reason, Rejection
from esclip._core.schema import Field
from esclip._core.types import ImageRecord
from esclip._ingest.ledger import Ledger
from esclip._protocols import Source
from esclip.sources.folder import file_record

__all__ = ["LedgerSource"]


class LedgerSource(Source):
    """What was rejected for one of `reasons`, or for any, and has a record."""

    def __init__(self, ledger: Ledger, fields: Sequence[Field], reasons: Collection[Reason] = ()) -> None:
        """`fields` are those of the ledger's index: the records were made for it."""
        self._ledger = ledger
        self._reasons = reasons
        self._fields = fields

    @property
    def fields(self) -> Sequence[Field]:
        """The fields of the ledger's index."""
        return self._fields

    def total(self) -> int:
        """The current number of such records."""
        return self._ledger.records(self._reasons)

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """All that are in the ledger at the first item: what is rejected again is not repeated."""
        with owned(self._ledger.rejections(self._reasons)) as rejections:
            for rejection in rejections:
                if rejection.record is not None:
                    yield _current_record(rejection.record)


def _current_record(record: ImageRecord) -> ImageRecord | Rejection:
    """A folder's record is made anew, as the folder's next ingest finds it; its caption is kept."""
    if not record.is_of_file:
        return record
    current = file_record(Path(record.picture))
    if isinstance(current, Rejection):
        return replace(current, record=record)
    return replace(current, description=record.description, captioned=record.captioned)
