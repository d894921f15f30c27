"""The counts of a running ingest: records read, skipped, written, rejected; its failure budget.

items ─► without_rejections ─► the other items
              └─► counts, ledger, on_rejection, on_outcome, on_progress, the failure budget
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from esclip._concurrency.streams import owned
from esclip._core.outcomes import RecordOutcome, Result
from esclip._core.progress import Phase, Progress
from esclip._core.rejections import IngestReport, Rejection, Stage, TooManyRejections
from esclip._errors.counts import pluralize
from esclip._errors.reasons import Reason

if TYPE_CHECKING:
    from esclip._ingest.options import ProgressOptions
    from esclip._ingest.run_ledger import RunLedger
    from esclip._protocols import Store

T = TypeVar("T")

BUDGET_FROM = 100
"""Records before the failure budget is checked: the first few say little about the rest."""

PROGRESS_INTERVAL_S = 0.1


class IngestProgress:
    """Counts an ingest from all of its threads, and ends it when its failure budget is spent."""

    def __init__(
        self, store: Store, model: str, options: ProgressOptions, ledger: RunLedger | None = None
    ) -> None:
        """Start the clock. `store` and the encoder's `model` are named in the report.

        `ledger` keeps the rejections until their records are in the index.
        """
        self.total: int | None = None
        self._names = (store.index, store.address, model)
        self._max_rejection_rate = options["max_rejection_rate"]
        self._ledger = ledger
        self._on_rejection = options.get("on_rejection")
        self._on_outcome = options.get("on_outcome")
        self._numbers: dict[str, int] = {}
        """Of records that have no outcome yet, by id; kept for `on_outcome` only."""
        self._on_progress = options.get("on_progress")
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
        """Seconds since the clock was started."""
        return time.monotonic() - self._started

    def enter(self, phase: Phase) -> None:
        """Report a new phase of the run."""
        with self._lock:
            self._phase = phase
            self._report_progress(immediately=True)

    def count_read(self, records: int = 1) -> None:
        """Count a record of the source, or several."""
        with self._lock:
            self._read += records

    def expect_outcome(self, id: str) -> None:
        """Remember the record that was counted last, until its outcome is counted."""
        if self._on_outcome:
            with self._lock:
                self._numbers[id] = self._read

    def count_repeated(self, id: str) -> None:
        """Count a record whose id the run has seen before."""
        with self._lock:
            self._skipped += 1
            if self._on_outcome:
                self._on_outcome(RecordOutcome(self._read, id, Result.UNCHANGED, repeated=True))
            self._report_progress()

    def count_unchanged(self, ids: Collection[str]) -> None:
        """Count records that are unchanged in the index."""
        self._resolve(ids)
        with self._lock:
            self._skipped += len(ids)
            self._tell_outcomes(ids, Result.UNCHANGED)
            self._report_progress()

    def count_part(self, report: IngestReport, outcomes: Collection[RecordOutcome]) -> None:
        """Count what a worker has done, by its report and by what became of each record.

        Raises `TooManyRejections` when the failure budget is spent, after all of it is counted.
        """
        taken = [outcome.id for outcome in outcomes if outcome.result is not Result.REJECTED]
        rejections = [outcome.rejection for outcome in outcomes if outcome.rejection]
        with self._lock:
            first = self._read
            self._read += report.read
            self._skipped += report.skipped
            self._written += report.written
            self._encoded += report.written
            self._resolve(taken)
            if self._on_outcome:
                for outcome in outcomes:
                    self._on_outcome(replace(outcome, number=first + outcome.number))
            self._keep_rejected(rejections)
            self._report_progress()
            self._check_early()

    def count_encoded(self, records: int) -> None:
        """Count records whose picture is encoded."""
        with self._lock:
            self._encoded += records
            self._report_progress()

    def count_written(
        self,
        ids: Collection[str],
        refused: Iterable[Rejection],
        *,
        encoded: bool,
        result: Result = Result.WRITTEN,
    ) -> None:
        """Count documents sent to the store, and those of them that it refused.

        `encoded` is False where their pictures were not encoded for it. `result` is that of the others.
        Raises `TooManyRejections` when too many are refused, after all of them are counted.
        """
        refused = list(refused)
        refused_ids = {rejection.id for rejection in refused}
        taken = [id for id in ids if id not in refused_ids]
        self._resolve(taken)
        with self._lock:
            self._tell_outcomes(taken, result)
            self._written += len(ids) - len(refused)
            if not encoded:
                self._updated += len(ids) - len(refused)
            if refused:
                self._count_rejected(refused)

    def count_rejected(self, rejection: Rejection) -> None:
        """Count a rejection. Raises `TooManyRejections` when the failure budget is spent."""
        with self._lock:
            self._count_rejected([rejection])

    def _count_rejected(self, rejections: Collection[Rejection]) -> None:
        self._keep_rejected(rejections)
        for rejection in rejections:
            if self._on_outcome:
                unread = rejection.stage is Stage.READ  # it never had an id that could be waited for
                number = self._read if unread else self._numbers.pop(rejection.id, 0)
                self._on_outcome(RecordOutcome(number, rejection.id, Result.REJECTED, rejection))
        self._report_progress()
        self._check_early()

    def _keep_rejected(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            self._rejected[rejection.reason] += 1
            if self._ledger:
                self._ledger.add(rejection)
            if self._on_rejection:
                self._on_rejection(rejection)

    def _check_early(self) -> None:
        """Check the failure budget of a run that goes on."""
        if self._read >= BUDGET_FROM:
            self._check_budget()

    def count_pruned(self, documents: int, spared: int) -> None:
        """Count documents removed because their record has left the source, and those left in place."""
        self._pruned, self._unpruned = documents, spared

    def without_rejections(self, items: Iterable[T | Rejection]) -> Iterator[T]:
        """The other items; rejections are counted."""
        with owned(items) as source:
            for item in source:
                if isinstance(item, Rejection):
                    self.count_rejected(item)
                else:
                    yield item

    def report(self, *, stopped: bool = False) -> IngestReport:
        """The report of a run that has ended. Raises `TooManyRejections` when too many were rejected.

        The report of one that was `stopped` leaves out the records in flight.
        """
        with self._lock:
            self._report_progress(immediately=True)
            if not stopped:
                self._check_budget()
            return self._make_report(stopped=stopped)

    def _tell_outcomes(self, ids: Collection[str], result: Result) -> None:
        if self._on_outcome:
            for id in ids:
                self._on_outcome(RecordOutcome(self._numbers.pop(id, 0), id, result))

    def _resolve(self, ids: Collection[str]) -> None:
        if self._ledger:
            self._ledger.resolve(ids)

    def _check_budget(self) -> None:
        rejected = self._rejected.total()
        if rejected <= self._max_rejection_rate * self._read:
            return
        reasons = ", ".join(f"{reason.value} {n}" for reason, n in self._rejected.most_common(4))
        raise TooManyRejections(
            f"rejected {rejected:,} of {pluralize(self._read, 'record')} ({reasons}), more than "
            f"the share of {self._max_rejection_rate:g} that may be",
            self._make_report(stopped=True),
        )

    def _make_report(self, *, stopped: bool) -> IngestReport:
        index, store, encoder = self._names
        rejected = self._rejected.total()
        return IngestReport(
            # records in flight are neither written nor rejected
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

    def _report_progress(self, *, immediately: bool = False) -> None:
        now = time.monotonic()
        if self._on_progress is None or (now < self._next_progress and not immediately):
            return
        self._next_progress = now + PROGRESS_INTERVAL_S
        rejected = self._rejected.total()
        done = self._skipped + self._encoded + self._updated + rejected
        seconds = now - self._started
        self._on_progress(
            Progress(self.total, self._read, done, self._encoded, rejected, seconds, self._phase)
        )
