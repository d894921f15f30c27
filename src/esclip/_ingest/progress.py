"""The counts of an ingest while it runs: what was read, skipped, written, rejected, and whether to go on.

items ─► tally.sift ─► the same without its rejections
              └─► counts, ledger, on_rejection, on_progress, the failure budget
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from esclip._concurrency.streams import owned
from esclip._core.rejections import IngestReport, Reason, Rejection
from esclip._core.settings import MAX_REJECTION_RATE
from esclip._errors import TooManyRejections
from esclip._ingest.ledger import Ledger

__all__ = ["IngestProgress", "Phase", "Progress"]

T = TypeVar("T")

BUDGET_FROM = 100
"""Records before the failure budget is looked at: the first few say little about the rest."""

PROGRESS_SECONDS = 0.1


class Phase(Enum):
    """What an ingest is doing."""

    PICTURES = "reading pictures"
    """Records are read, encoded and written."""
    INDEXING = "indexing"
    """All is written; the store makes it fast to search."""
    PRUNING = "removing what is gone"
    """Documents whose record has left the source are removed."""
    MEASURING = "measuring relevance"
    """It is measured what scores say in the index."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is."""

    total: int | None
    """Records that the source will give; None while it isn't known."""
    read: int
    done: int
    """Records that need no more encoding: skipped, rejected, updated or encoded."""
    encoded: int
    """Pictures encoded; with `seconds`, the speed. Far below `done`: most were skipped."""
    rejected: int
    seconds: float
    phase: Phase = Phase.PICTURES


class IngestProgress:
    """Counts an ingest from all of its threads, and stops it when its failure budget is spent."""

    def __init__(
        self,
        *,
        index: str,
        store: str,
        encoder: str,
        max_rejection_rate: float = MAX_REJECTION_RATE,
        ledger: Ledger | None = None,
        origin: str | None = None,
        on_rejection: Callable[[Rejection], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Start the clock. The callbacks are called from any thread, one call at a time.

        `ledger` keeps the rejections, as those of `origin`, until a run finds their records in the index.
        """
        if not 0 <= max_rejection_rate <= 1:
            raise ValueError(f"max_rejection_rate is {max_rejection_rate}, not between 0 and 1")
        self.total: int | None = None
        self._names = (index, store, encoder)
        self._rate = max_rejection_rate
        self._ledger = ledger
        self._origin = origin
        self._on_rejection = on_rejection
        self._on_progress = on_progress
        self._lock = threading.RLock()
        self._started = time.monotonic()
        self._next_progress = 0.0
        self._phase = Phase.PICTURES
        self._read = self._skipped = self._written = self._encoded = self._updated = 0
        self._pruned: int | None = None
        self._unpruned = 0
        self._rejected: Counter[Reason] = Counter()

    @property
    def seconds(self) -> float:
        """Since the clock was started."""
        return time.monotonic() - self._started

    def enter(self, phase: Phase) -> None:
        """Tell what the run is doing from now on."""
        with self._lock:
            self._phase = phase
            self._show(at_once=True)

    def read(self) -> None:
        """Count a record that the source gave."""
        with self._lock:
            self._read += 1

    def skip(self) -> None:
        """Count a further row of an id that this run has had."""
        with self._lock:
            self._skipped += 1
            self._show()

    def keep(self, ids: Collection[str]) -> None:
        """Count records that the index holds unchanged."""
        self._settle(ids)
        with self._lock:
            self._skipped += len(ids)
            self._show()

    def encode(self, records: int) -> None:
        """Count records whose picture has its vector now."""
        with self._lock:
            self._encoded += records
            self._show()

    def write(self, ids: Collection[str], refused: Iterable[Rejection], *, encoded: bool) -> None:
        """Count documents sent to the store, and those of them that it refused.

        Raises `TooManyRejections` when these are too many, after all of them are counted.
        """
        refused = list(refused)
        self._settle(set(ids) - {rejection.id for rejection in refused})
        with self._lock:
            self._written += len(ids) - len(refused)
            if not encoded:
                self._updated += len(ids) - len(refused)
            if refused:
                self._reject(refused)

    def reject(self, rejection: Rejection) -> None:
        """Count a rejection. Raises `TooManyRejections` when it is one too many."""
        with self._lock:
            self._reject([rejection])

    def _reject(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            self._rejected[rejection.reason] += 1
            if self._ledger:
                self._ledger.add(rejection, self._origin)
            if self._on_rejection:
                self._on_rejection(rejection)
        self._show()
        if self._read >= BUDGET_FROM:
            self._check_budget()

    def prune(self, documents: int, spared: int) -> None:
        """Count documents that were removed because their record has left the source, and those spared."""
        self._pruned, self._unpruned = documents, spared

    def sift(self, items: Iterable[T | Rejection]) -> Iterator[T]:
        """Pass `items` on without the rejections among them, which are counted."""
        with owned(items) as flow:
            for item in flow:
                if isinstance(item, Rejection):
                    self.reject(item)
                else:
                    yield item

    def finish(self, *, stopped: bool = False) -> IngestReport:
        """The report of a run that came to its end. Raises `TooManyRejections` when it is no success.

        Of one that was `stopped`, records that were still under way are not part.
        """
        with self._lock:
            self._show(at_once=True)
            if not stopped:
                self._check_budget()
            return self._report(stopped=stopped)

    def _settle(self, ids: Collection[str]) -> None:
        if self._ledger:
            self._ledger.settle(ids)

    def _check_budget(self) -> None:
        rejected = self._rejected.total()
        if rejected <= self._rate * self._read:
            return
        reasons = ", ".join(f"{reason.value} {n}" for reason, n in self._rejected.most_common(4))
        raise TooManyRejections(
            f"{rejected} of {self._read} records were rejected ({reasons}), more than "
            f"the share of {self._rate:g} that may be",
            self._report(stopped=True),
        )

    def _report(self, *, stopped: bool) -> IngestReport:
        index, store, encoder = self._names
        rejected = self._rejected.total()
        return IngestReport(
            # records still under way are neither written nor rejected
            read=self._skipped + self._written + rejected if stopped else self._read,
            skipped=self._skipped,
            written=self._written,
            rejected=rejected,
            rejections=dict(self._rejected.most_common()),
            seconds=self.seconds,
            index=index,
            store=store,
            encoder=encoder,
            stopped=stopped,
            pruned=self._pruned,
            unpruned=self._unpruned,
        )

    def _show(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._on_progress is None or (now < self._next_progress and not at_once):
            return
        self._next_progress = now + PROGRESS_SECONDS
        rejected = self._rejected.total()
        done = self._skipped + self._encoded + self._updated + rejected
        seconds = now - self._started
        self._on_progress(
            Progress(self.total, self._read, done, self._encoded, rejected, seconds, self._phase)
        )
