"""What goes wrong with the store, in the server's log: clients are not told its address or its files."""

from __future__ import annotations

import logging
import time
from threading import Lock

from esclip._errors import StoreError

AGAIN_S = 60.0
"""Seconds after which the same is logged again."""
MAX_KNOWN = 100

_log = logging.getLogger("esclip")


class StoreLog:
    """Logs errors of the store: the same once a minute, however many requests meet it. Thread-safe."""

    def __init__(self) -> None:
        self._logged: dict[str, float] = {}
        self._lock = Lock()

    def tell(self, error: StoreError) -> None:
        """Log an error, unless the same was logged a moment ago."""
        text, now = str(error), time.monotonic()
        with self._lock:
            if now - self._logged.get(text, -AGAIN_S) < AGAIN_S:
                return
            if len(self._logged) >= MAX_KNOWN:
                self._logged.clear()
            self._logged[text] = now
        _log.warning("%s", text)
