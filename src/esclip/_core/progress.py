"""How far an ingest is: values for progress bars, light to import for the options that name them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """What an ingest is doing."""

    PICTURES = "reading pictures"
    """Records are read, encoded and written."""
    COMPARING = "comparing with the index"
    """A dry run reads records, and says what an ingest would do with them."""
    INDEXING = "indexing"
    """All is written; the store builds its search index."""
    PRUNING = "removing what is gone"
    """Documents whose record has left the source are removed."""
    MEASURING = "measuring relevance"
    """The index's calibration is measured: what its scores mean."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is."""

    total: int | None
    """Records in the source; None while unknown."""
    read: int
    done: int
    """Records that need no further encoding: skipped, rejected, updated or encoded."""
    encoded: int
    """Pictures encoded; divided by `seconds`, the speed. Far below `done` when most are skipped."""
    rejected: int
    seconds: float
    phase: Phase = Phase.PICTURES
