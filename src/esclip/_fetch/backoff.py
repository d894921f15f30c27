"""HostPolicy that asked to be left alone for a while, and until when, for all threads that would ask them."""

from __future__ import annotations

import threading
import time

__all__ = ["HostBackoff"]


class HostBackoff:
    """Pauses by host, none `longest` seconds long or more. Safe from several threads.

    A bound, because one answer may not end a run: a host that asks for an hour is asked again before.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self, host: str, seconds: float) -> None:
        """Leave `host` alone for `seconds` from now on; a longer pause that has begun stays."""
        until = time.monotonic() + min(seconds, self._longest)
        with self._lock:
            self._until[host] = max(until, self._until.get(host, until))

    def left(self, host: str) -> float:
        """How many seconds `host` is still to be left alone."""
        with self._lock:
            left = self._until.get(host, 0.0) - time.monotonic()
            if left <= 0:
                self._until.pop(host, None)
        return max(left, 0.0)
