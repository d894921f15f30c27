"""How long a store is asked again before it counts as unavailable, and what is worth asking again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_any,
    stop_before_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from esclip._concurrency import cancellation as cancellation
from esclip._errors import StoreError, StoreUnavailable

__all__ = ["Busy", "PayloadTooLarge", "RetryPolicy", "persistently"]

T = TypeVar("T")

BACKOFF = 0.25
LONGEST_PAUSE = 10
QUIET_S = 60.0
"""After so long a person is told what is waited for, once."""

log = logging.getLogger("esclip")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Seconds within which a request has to succeed, all its attempts together."""

    first: float = 5
    """The first question, what the server is: an address that is wrong should show soon."""
    read: float = 30
    write: float = 600
    """For each chunk of documents, and all else that is asked while an index is filled: time enough for an
    engine to start again, since nobody watches at night."""
    backoff: float = BACKOFF
    """The longest first pause; each further one may be twice as long, up to `LONGEST_PAUSE`."""


class Busy(StoreUnavailable):
    """A server that has something else to do; the next try not before `after` seconds."""

    def __init__(self, message: str, *, crowded: bool = False, after: float = 0.0) -> None:
        """`crowded`: it says that the requests in flight are too many."""
        super().__init__(message)
        self.crowded = crowded
        self.after = after


class PayloadTooLarge(StoreError):
    """A request has more bytes than the server, or a proxy before it, takes."""


def persistently(call: Callable[[], T], within: float, backoff: float = BACKOFF, quiet: float = QUIET_S) -> T:
    """What `call` returns, called again with growing, random pauses while it raises `StoreUnavailable`.

    The last error is raised when the next pause would end after `within` seconds, or when the answer is no
    longer wanted (`cancellation.current`). What takes longer than `quiet` seconds is logged, once.
    """
    ended, told = cancellation.current(), False

    def tell(state: RetryCallState) -> None:
        nonlocal told
        if state.seconds_since_start is not None and state.seconds_since_start > quiet and not told:
            told = True
            log.warning(
                "%s - asked again for up to %.0f s", state.outcome and state.outcome.exception(), within
            )

    jitter = wait_random_exponential(multiplier=backoff, max=LONGEST_PAUSE)
    attempts = Retrying(
        retry=retry_if_exception_type(StoreUnavailable),
        wait=lambda state: _asked(state) + jitter(state),  # not all clients come back at once
        stop=stop_any(stop_before_delay(within), stop_when_event_set(ended)),
        sleep=sleep_using_event(ended),
        before_sleep=tell,
        reraise=True,
    )
    return attempts(call)


def _asked(state: RetryCallState) -> float:
    """The pause that the server asked for."""
    error = state.outcome.exception() if state.outcome else None
    return error.after if isinstance(error, Busy) else 0.0
