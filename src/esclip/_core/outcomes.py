"""What became of each record of an ingest, for who wants to know it record by record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esclip._core.rejections import Rejection


class Result(StrEnum):
    """What became of a record."""

    WRITTEN = "written"
    """Its document was written: it is new, or its picture is another one."""
    UPDATED = "updated"
    """Its picture is as it was; what else is known of it was written."""
    UNCHANGED = "unchanged"
    """The index holds it as it is, or an earlier record of the run has its id."""
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """What became of one record of a run."""

    number: int
    """Which record of the source it is, from 1."""
    id: str
    """Empty where the record has none that can be used."""
    result: Result
    rejection: Rejection | None = None
    """Why it was rejected."""
    repeated: bool = False
    """Whether an earlier record of the run has its id: that one counts."""
