"""How a run is asked to end early: from any thread, or from the handler of a signal.

ask ─► the source is read no further ─► fetches end ─► what is decoded is encoded and written ─► the report
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

__all__ = ["Stop"]


class Stop:
    """A run's end, asked for once."""

    def __init__(self) -> None:
        self.event = Event()
        """Set when nothing new shall be begun: asked for, or because the run is at its end.

        Nothing waits for it in the main thread, where a handler that sets it would then block for ever.
        """
        self.asked = False
        """Whether somebody asked."""
        self._heard = False

    def ask(self) -> bool:
        """Ask for the end. False when nobody listens, or it isn't the first time: then end it otherwise."""
        if self.asked or not self._heard:
            return False
        self.asked = True
        self.event.set()
        return True

    @contextmanager
    def heard(self) -> Iterator[None]:
        """A time in which somebody listens."""
        self._heard = True
        try:
            yield
        finally:
            self._heard = False
