"""The ledger in one run: what stood in it before, and what the run says of the same records.

ledger ─► RunLedger ─┬─► add, resolve       the records of this run
                     └─► forget_earlier ─►  what it has not rejected again is gone from the source
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from esclip._core.rejections import Rejection
from esclip._ingest.ledger import Ledger


class RunLedger:
    """Keeps the rejections of one run, and tells them from earlier ones. As safe as the ledger itself."""

    def __init__(self, ledger: Ledger, origin: str | None) -> None:
        """Open the ledger: all that is in it by now is earlier than the run.

        `origin` names a source that gives all that there is; None: what it lacks may be there all the same.
        Raises `StoreError`, as all methods, where the file can't be used.
        """
        ledger.open()
        self._ledger = ledger
        self._origin = origin
        self._before = ledger.last_number()

    def add(self, rejection: Rejection) -> None:
        """Add a rejection of this run."""
        self._ledger.add(rejection, self._origin)

    def resolve(self, ids: Collection[str]) -> None:
        """Remove the rejections of these ids: the index has their current records."""
        self._ledger.resolve(ids)

    def earlier_locations(self) -> Iterator[tuple[int, str, str]]:
        """Number, id and location of each rejection of earlier runs that has not been repeated."""
        return self._ledger.locations(self._before)

    def discard(self, numbers: Collection[int]) -> None:
        """Remove the rejections with these numbers."""
        self._ledger.discard(numbers)

    def forget_earlier(self) -> None:
        """Remove earlier rejections of the origin that this run has not repeated; of none if it has none."""
        if self._origin is not None:
            self._ledger.forget(self._origin, until=self._before)
