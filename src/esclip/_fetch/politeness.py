"""What servers ask of clients: a pause (`Retry-After`), and no machine learning (`X-Robots-Tag`)."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Iterable
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

from esclip._errors import FetchError
from esclip._errors.reasons import Reason

if TYPE_CHECKING:
    from esclip._fetch.hosts import Endpoint

_OPT_OUTS = frozenset({"noai", "noimageai"})
_AGENTS = frozenset({"*", "esclip"})
_AGENT = re.compile(r"[\w*.+/-]+")
_WITH_VALUES = frozenset({"max-image-preview", "max-snippet", "max-video-preview", "unavailable_after"})
"""Directives with a colon after them, which otherwise ends the name of a robot."""


class HostBackoff:
    """Pauses that hosts ask for, by host and port. Thread-safe: a pause holds for all threads.

    No pause is longer than `max_pause` seconds, so that one answer can't end a run.
    """

    def __init__(self, max_pause: float, cancelled: threading.Event) -> None:
        self._max_pause = max_pause
        self._cancelled = cancelled
        self._until: dict[tuple[str, int], float] = {}
        self._lock = threading.Lock()

    def begin(self, endpoint: Endpoint, seconds: float) -> None:
        """Begin a pause. A longer one that has begun before stays."""
        until = time.monotonic() + min(seconds, self._max_pause)
        key = endpoint.host, endpoint.port
        with self._lock:
            self._until[key] = max(until, self._until.get(key, until))

    def remaining(self, endpoint: Endpoint) -> float:
        """Seconds until the pause of this host ends; 0 without one."""
        key = endpoint.host, endpoint.port
        with self._lock:
            remaining = self._until.get(key, 0.0) - time.monotonic()
            if remaining <= 0:
                self._until.pop(key, None)
        return max(remaining, 0.0)

    def wait_for(self, endpoint: Endpoint, deadline: float = math.inf) -> None:
        """Wait for the end of a pause.

        Raises `FetchError` when it ends after `deadline` on the monotonic clock, and `CancelledError`.
        """
        while pause := self.remaining(endpoint):
            if time.monotonic() + pause > deadline:
                raise FetchError(
                    Reason.HTTP_429, f"{endpoint.host} asks for no requests for {pause:.0f} s more"
                )
            if self._cancelled.wait(pause):
                raise CancelledError


def is_opted_out(headers: Iterable[str]) -> bool:
    """Whether one of the `X-Robots-Tag` headers opts out of machine learning, for all robots or for esclip.

    A name before a colon (`otherbot: noai`) says which robot the directives up to the next name are for.
    """
    for header in headers:
        applies = True
        for part in header.lower().split(","):
            name, colon, rest = (word.strip() for word in part.partition(":"))
            if colon and name not in _WITH_VALUES and _AGENT.fullmatch(name):
                applies = name in _AGENTS
            if applies and (rest if colon else name) in _OPT_OUTS:
                return True
    return False
