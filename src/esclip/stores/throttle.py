"""How many requests a store has in flight: fewer when the server says that they are too many.

    one() ─► request ─► too many ─► half as many from now on, one at least
                └─────► written at once ─► one more after a round of these, up to the most

A request that is sent again keeps its slot until it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from threading import Condition

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.forks import renew_in_children

__all__ = ["AdaptiveLimiter"]

TURN_S = 0.2
"""Between two looks at whether a slot is still wanted."""


class AdaptiveLimiter:
    """As many as may be in flight at a time, shared by all threads."""

    def __init__(self, most: int) -> None:
        """Begin with `most`."""
        self._most = most
        self._limit = float(most)
        self._taken = 0
        self._changed = Condition()
        renew_in_children(self)

    def renew(self) -> None:
        """All of them free: a forked child has nothing in flight."""
        self._taken, self._changed = 0, Condition()

    @property
    def limit(self) -> int:
        """How many there are at the moment."""
        return int(self._limit)

    @contextmanager
    def one(self) -> Iterator[None]:
        """A slot, waited for. Raises `CancelledError` when it is no longer wanted."""
        ended = cancellation.current()
        with self._changed:
            while self._taken >= self.limit:
                self._changed.wait(TURN_S)
                if ended.is_set():
                    raise CancelledError("the slot is no longer wanted")
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify()

    def fewer(self) -> None:
        """Half as many."""
        with self._changed:
            self._limit = max(1.0, self._limit / 2)

    def more(self) -> None:
        """One more after as many calls as there are slots."""
        with self._changed:
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
            self._changed.notify()
