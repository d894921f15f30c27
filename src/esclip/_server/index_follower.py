"""Follows an alias: looks where it points, opens the index that it points to, and hands that over.

every few seconds, and after a failure ─► ImageIndex.follow ─┬─► None: nothing has changed
                                                             └─► another index ─► its model loaded ─► swap
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event, Lock, Thread

from esclip._errors import EsclipError
from esclip._index import ImageIndex

FOLLOW_S = 3.0
"""Seconds from one look to the next."""

_log = logging.getLogger("esclip")


class IndexFollower:
    """Looks from time to time whether the name of an index points elsewhere. Thread-safe."""

    def __init__(self, current: Callable[[], ImageIndex], swap: Callable[[ImageIndex], None]) -> None:
        """`swap` gets an index that answers at once, in place of the `current` one, which it closes."""
        self._current = current
        self._swap = swap
        self._lock = Lock()
        self._looked = 0.0
        self._told = ""
        self._closed = Event()
        self._thread: Thread | None = None

    def start(self, seconds: float = FOLLOW_S) -> None:
        """Look every so many seconds, in a thread."""
        self._thread = Thread(target=self._run, args=(seconds,), name="esclip-follower", daemon=True)
        self._thread.start()

    def look(self, since: float | None = None) -> bool:
        """Look now, unless another thread has begun to after `since`, on the monotonic clock.

        Returns whether the index is another one than it was before the call.
        """
        before = self._current()
        with self._lock:
            if not self._closed.is_set() and (since is None or self._looked < since):
                self._looked = time.monotonic()
                self._follow()
        return self._current() is not before

    def close(self) -> None:
        """Look no more. Closing twice is harmless."""
        self._closed.set()

    def _run(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            self.look()

    def _follow(self) -> None:
        following: ImageIndex | None = None
        try:
            following = self._current().follow()
            if following is not None:
                following.load_encoder().encode_texts(["a picture"])  # so that no search waits for a model
                self._swap(following)
                self._told = ""
        except (EsclipError, OSError) as error:
            if following is not None:
                following.close()
            if self._told != str(error):  # once
                self._told = str(error)
                _log.warning("the index stays the one that is served: %s", error)
