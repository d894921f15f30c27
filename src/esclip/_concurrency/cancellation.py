"""Cancellation of what a thread is doing: an event that long waits check.

with cancellation.scope(event):    all that is called within, in this thread,
    store.upsert(...)              ends its waits early once `event` is set
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

POLL_INTERVAL_S = 0.2
"""Seconds: the longest uninterrupted wait of what looks at a cancellation, a deadline or a signal itself."""

_current: ContextVar[Event | None] = ContextVar("cancellation", default=None)


@contextmanager
def scope(cancelled: Event) -> Iterator[None]:
    """Context manager: within it, what this thread does is cancelled once `cancelled` is set."""
    token = _current.set(cancelled)
    try:
        yield
    finally:
        _current.reset(token)


def current() -> Event:
    """The event of the innermost scope of this thread; outside of any, one that is never set."""
    return _current.get() or Event()
