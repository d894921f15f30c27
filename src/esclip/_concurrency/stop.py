"""Cancels a run: from any thread, or from the handler of a signal.

request ─► the source is read no further ─► fetches end ─► what is being encoded is written ─► the report
└─► after the grace period, whether the store takes it or not
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


class CancelToken:
    """Cancels one run. Each run needs a token of its own."""

    def __init__(self) -> None:
        self.event = Event()
        """Set when nothing new shall begin: cancelled, or because the run is at its end.

        The main thread never waits for it: a signal handler that sets it there would block for ever.
        """
        self.requested = False
        """Whether a cancellation was requested."""
        self._active = False

    def __repr__(self) -> str:
        return f"<CancelToken{', requested' if self.requested else ''}>"

    def request(self) -> bool:
        """Cancel. True when a run is active and it is the first request; a later run ends at once."""
        first = not self.requested
        self.requested = True
        self.event.set()
        return first and self._active

    @contextmanager
    def grace_period(self, seconds: float, give_up: Callable[[], object]) -> Iterator[Event]:
        """Context manager: yields an event, set `seconds` after a request, when `give_up` is called too."""
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
        """Context manager: within it, `request` returns True. Raises `ValueError` in a second run."""
        if self.event.is_set() and not self.requested:
            raise ValueError("this CancelToken belongs to a run that is over; give each run one of its own")
        self._active = True
        try:
            yield
        finally:
            self._active = False
