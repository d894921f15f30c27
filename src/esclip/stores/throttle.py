"""How many requests a store has in flight: fewer when the server is overloaded (AIMD, as in TCP).

    slot() ─► request ─► overloaded ─► half as many from now on, at least one
                 └─────► written at the first attempt ─► one more after a round of these, up to the maximum

A request that is retried keeps its slot until it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from threading import Condition

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.cancellation import POLL_INTERVAL_S
from esclip._concurrency.forks import renew_in_children


class AdaptiveLimiter:
    """A limit of requests in flight, shared by all threads, that adapts to the server."""

    def __init__(self, maximum: int) -> None:
        """Begin with the `maximum`."""
        self._maximum = maximum
        self._limit = float(maximum)
        self._in_flight = 0
        self._changed = Condition()
        renew_in_children(self)

    def renew(self) -> None:
        """A forked child has nothing in flight."""
        self._in_flight, self._changed = 0, Condition()

    @property
    def limit(self) -> int:
        """The current limit."""
        return int(self._limit)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Context manager: waits for one of the slots and occupies it. Raises `CancelledError`."""
        cancelled = cancellation.current()
        with self._changed:
            while self._in_flight >= self.limit:
                self._changed.wait(POLL_INTERVAL_S)
                if cancelled.is_set():
                    raise CancelledError("cancelled while waiting for a slot")
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def decrease(self) -> None:
        """Halve the limit."""
        with self._changed:
            self._limit = max(1.0, self._limit / 2)

    def increase(self) -> None:
        """Raise the limit by one after as many calls as there are slots."""
        with self._changed:
            self._limit = min(float(self._maximum), self._limit + 1 / self._limit)
            self._changed.notify()
