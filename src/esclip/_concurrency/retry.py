"""All retries of the library: the policies by name, and the one loop that follows them.

retry(call, policy) ─► call(deadline) ─► result
                           ▲   └► transient failure ─► pause: Retry-After, and a random time that doubles
                           └───────────────┘ until the timeout, the last attempt, or a cancellation
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from esclip._concurrency import cancellation as cancellation
from esclip._errors import EsclipError, StoreUnavailable

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

log = logging.getLogger("esclip")


class TransientError(Exception):
    """A failure that may not happen again. `retry` raises its `error` when it gives up."""

    def __init__(
        self,
        error: EsclipError,
        *,
        overloaded: bool = False,
        retry_after: float = 0.0,
        max_attempts: float = math.inf,
    ) -> None:
        """Keep what the server says: `overloaded` by requests, `retry_after` so many seconds.

        `max_attempts` is how many attempts this kind of failure is worth, if fewer than the policy's.
        """
        super().__init__(str(error))
        self.error = error
        self.overloaded = overloaded
        self.retry_after = retry_after
        self.max_attempts = max_attempts


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, TransientError)


def _is_unavailable(error: BaseException) -> bool:
    return isinstance(error, TransientError | StoreUnavailable)


def _is_locked(error: BaseException) -> bool:
    from sqlite3 import SQLITE_BUSY, OperationalError

    code = error.sqlite_errorcode if isinstance(error, OperationalError) else 0
    return code & 0xFF == SQLITE_BUSY  # the higher bits say which lock


def _is_conflict(error: BaseException) -> bool:
    from lance.commit import CommitConflictError

    return isinstance(error, CommitConflictError) and bool(error.retryable)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Which failures are retried, with which pauses, and when to give up."""

    timeout: float
    """Seconds for all attempts and pauses together. No pause begins that would end later."""
    backoff: float
    """Seconds: upper limit of the first pause, which is random; doubles with each attempt."""
    max_backoff: float = 10.0
    """Seconds: what the limit grows to. What the server asks for (Retry-After) is added to the pause."""
    max_attempts: float = math.inf
    is_transient: Callable[[BaseException], bool] = _is_transient
    """Whether a failure is retried."""
    log_after: float = math.inf
    """Seconds after which the failure is logged, once a call."""
    raise_last_on_cancel: bool = False
    """Whether a cancelled call raises its last failure, which says what was not done, or `CancelledError`."""


FETCH = RetryPolicy(timeout=60.0, backoff=0.5, max_backoff=60.0, max_attempts=5)
"""Download of one picture: no answer in time, an incomplete body, 429 and 5xx; no connection, which is worth
fewer attempts. Gives up at the picture's deadline: the rest of the dataset is waiting."""

ENCODER = RetryPolicy(timeout=300.0, backoff=0.25)
"""Request to an encoder server: no connection, no answer in time, 429, 502, 503, 504. Gives up after the time
in which a server restarts and loads its model."""

ENCODER_INFO = RetryPolicy(timeout=5.0, backoff=0.25)
"""The first request to an encoder server. Gives up soon: the address may be wrong."""

SERVICE = RetryPolicy(timeout=30.0, backoff=0.25)
"""Request of a client to a search service: no answer in time, too many searches there, its store away; no
connection, which is worth fewer attempts. Gives up after the time that its user waits."""

STORE = RetryPolicy(
    timeout=30.0, backoff=0.25, is_transient=_is_unavailable, log_after=60.0, raise_last_on_cancel=True
)
"""Request to OpenSearch, Elasticsearch or Milvus: no connection, no answer in time, 408, 429, 5xx, documents
of a bulk request that are to be sent again. Gives up after the time that `StoreTimeouts` has for it."""


@dataclass(frozen=True, slots=True)
class StoreTimeouts:
    """Seconds for each kind of request to a store with a server, all attempts together."""

    first: float = 5.0
    """The first request, what the server is. Short: the address may be wrong."""
    read: float = 30.0
    write: float = 600.0
    """A chunk of documents, and all other requests during a bulk load. Long: an engine may restart, and an
    ingest may run unattended."""
    backoff: float = STORE.backoff
    """The upper limit of the first pause."""


LEDGER = RetryPolicy(timeout=60.0, backoff=0.05, max_backoff=0.05, is_transient=_is_locked)
"""Switching a new SQLite file to its write-ahead log while other processes do the same. Gives up after far
longer than the milliseconds that it takes."""

COMMIT = RetryPolicy(timeout=60.0, backoff=0.02, max_backoff=1.0, is_transient=_is_conflict)
"""Writing into an embedded index while other processes do. Gives up after the time of hundreds of writes."""


_patience: ContextVar[float] = ContextVar("patience", default=math.inf)


@contextmanager
def patience_scope(seconds: float) -> Iterator[None]:
    """Context manager: within it, this thread's calls are repeated for so many seconds only.

    An attempt may take as long as its policy has it. For calls that somebody waits for, who can ask again.
    """
    token = _patience.set(seconds)
    try:
        yield
    finally:
        _patience.reset(token)


def retry(call: Callable[[float], T], policy: RetryPolicy, cancelled: Event | None = None) -> T:
    """Result of `call`, repeated after transient failures; it is given the deadline on the monotonic clock.

    Raises the last failure, of a `TransientError` its `error`. Once `cancelled` is set, by default the event
    of `cancellation.current`, a pause ends and at most one more attempt is made.
    """
    import tenacity  # takes 60 ms

    event = cancelled or cancellation.current()
    jitter = tenacity.wait_random_exponential(multiplier=policy.backoff, max=policy.max_backoff)
    attempts = tenacity.Retrying(
        retry=lambda state: _may_repeat(state, policy),
        wait=lambda state: _retry_after(state) + jitter(state),
        stop=tenacity.stop_before_delay(min(policy.timeout, _patience.get()))
        | tenacity.stop_when_event_set(event),
        sleep=tenacity.sleep_using_event(event),
        before_sleep=_log_once(policy),
        reraise=True,
    )
    try:
        return attempts(call, time.monotonic() + policy.timeout)
    except Exception as error:
        if event.is_set() and policy.is_transient(error) and not policy.raise_last_on_cancel:
            raise CancelledError from error
        if isinstance(error, TransientError):
            raise error.error from error.__cause__
        raise


def _failure(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _may_repeat(state: RetryCallState, policy: RetryPolicy) -> bool:
    failure = _failure(state)
    if failure is None or not policy.is_transient(failure):
        return False
    worth = failure.max_attempts if isinstance(failure, TransientError) else math.inf
    return state.attempt_number < min(policy.max_attempts, worth)


def _retry_after(state: RetryCallState) -> float:
    failure = _failure(state)
    return failure.retry_after if isinstance(failure, TransientError) else 0.0


def _log_once(policy: RetryPolicy) -> Callable[[RetryCallState], None]:
    """What logs a call that has been retried for long."""
    logged = False

    def log_wait(state: RetryCallState) -> None:
        nonlocal logged
        if not logged and (state.seconds_since_start or 0.0) > policy.log_after:
            logged = True
            log.warning("%s - asked again for up to %.0f s", _failure(state), policy.timeout)

    return log_wait
