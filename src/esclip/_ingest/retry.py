"""The records that an index's ledger keeps, to try them again.

Ledger.rejections ─► those with a record ─► a file of a folder: as it is now ─► ImageRecord | Rejection
                                         └► any other: as its source gave it
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from esclip._concurrency.streams import owned
from esclip._core.rejections import Reason, Rejection
from esclip._core.schema import Field
from esclip._core.types import ImageRecord
from esclip._ingest.ledger import Ledger
from esclip.sources.folder import file_id, file_record

__all__ = ["LedgerSource"]


class LedgerSource:
    """What was rejected for one of `reasons`, or for any, and has a record."""

    def __init__(self, ledger: Ledger, fields: Sequence[Field], reasons: Collection[Reason] = ()) -> None:
        """`fields` are those of the ledger's index: the records were made for it."""
        self._ledger = ledger
        self._reasons = reasons
        self.fields = fields

    def total(self) -> int:
        """How many there are now."""
        return self._ledger.records(self._reasons)

    def passed_over(self) -> Mapping[str, int]:
        """Nothing."""
        return {}

    def covers(self, location: str) -> bool:
        """None: what isn't in the ledger hasn't left it."""
        return False

    def records(self) -> Iterator[ImageRecord | Rejection]:
        """All that there are when the first is asked for; what is rejected again doesn't come again."""
        with owned(self._ledger.rejections(self._reasons)) as rejections:
            for rejection in rejections:
                if rejection.record is not None:
                    yield _as_it_is_now(rejection.record)


def _as_it_is_now(record: ImageRecord) -> ImageRecord | Rejection:
    """A folder's record is made anew, as the folder's next ingest finds it; its caption is kept."""
    if not isinstance(record.picture, Path) or record.id != file_id(record.picture):
        return record
    found = file_record(record.picture)
    if isinstance(found, Rejection):
        return replace(found, record=record)
    return replace(found, description=record.description, captioned=record.captioned)
