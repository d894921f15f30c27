"""How a run is asked to end early: from any thread, or from the handler of a signal.

ask ─► the source is read no further ─► fetches end ─► what is being encoded is written ─► the report
└─► within so many seconds, whether the store takes it or not
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

__all__ = ["CancelToken"]


class CancelToken:
    """A run's end, which can be asked for once; each run has its own."""

    def __init__(self) -> None:
        self.event = Event()
        """Set when nothing new shall be begun: asked for, or because the run is at its end.

        Nothing waits for it in the main thread, where a handler that sets it would then block for ever.
        """
        self.requested = False
        """Whether somebody asked."""
        self._active = False

    def request(self) -> bool:
        """Ask for the end. False when nobody listens now, or it isn't the first time.

        A run that begins later ends at once.
        """
        first = not self.requested
        self.requested = True
        self.event.set()
        return first and self._active

    @contextmanager
    def grace_period(self, seconds: float, give_up: Callable[[], object]) -> Iterator[Event]:
        """A time with an event that is set, and `give_up` called, `seconds` after the end was asked for."""
        late, over = Event(), Event()

        def watch() -> None:
            self.event.wait()
            if self.requested and not over.wait(seconds):
                late.set()
                give_up()

        watcher = Thread(target=watch, name="esclip-stop", daemon=True)
        watcher.start()
        try:
            yield late
        finally:
            over.set()
            self.event.set()
            watcher.join()

    @contextmanager
    def active(self) -> Iterator[None]:
        """A time in which somebody listens. Raises `ValueError` when a run has had it before."""
        if self.event.is_set() and not self.requested:
            raise ValueError("this Stop belongs to a run that is over; give each run one of its own")
        self._active = True
        try:
            yield
        finally:
            self._active = False
