"""How calls are retried: after which failures, how often, how long, and what is raised in the end."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError
from threading import Event, Timer

import pytest

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.retry import ENCODER, STORE, RetryPolicy, TransientError, retry
from esclip._errors import EncoderError, StoreUnavailable

POLICY = RetryPolicy(timeout=30, backoff=0.001)


class Failing:
    """A call that fails so often, then returns how often it was called."""

    def __init__(self, failures: int, failure: Exception | None = None) -> None:
        self.calls = 0
        self.deadlines: set[float] = set()
        self._failures = failures
        self._failure = failure or TransientError(EncoderError("busy"))

    def __call__(self, deadline: float) -> int:
        self.calls += 1
        self.deadlines.add(deadline)
        if self.calls <= self._failures:
            raise self._failure
        return self.calls


def test_transient_failures_are_retried_before_one_deadline() -> None:
    """A call that fails twice succeeds at the third attempt; all have the same deadline."""
    call, begin = Failing(2), time.monotonic()
    assert retry(call, POLICY) == 3
    (deadline,) = call.deadlines
    assert begin + 30 <= deadline <= time.monotonic() + 30


@pytest.mark.parametrize("failure", [ValueError("x"), EncoderError("x"), CancelledError()])
def test_other_failures_are_raised_at_once(failure: Exception) -> None:
    """What is not transient by the policy is raised after the first attempt."""
    call = Failing(9, failure)
    with pytest.raises(type(failure)):
        retry(call, POLICY)
    assert call.calls == 1


@pytest.mark.parametrize(("of_policy", "of_failure", "calls"), [(3, 9, 3), (9, 2, 2), (1, 9, 1)])
def test_attempts_end(of_policy: int, of_failure: int, calls: int) -> None:
    """The fewer attempts of policy and failure count; the error is the inner one, with its cause."""
    cause = OSError("reset")
    failure = TransientError(EncoderError("busy"), max_attempts=of_failure)
    failure.__cause__ = cause
    call = Failing(99, failure)
    with pytest.raises(EncoderError, match="busy") as caught:
        retry(call, RetryPolicy(timeout=30, backoff=0.001, max_attempts=of_policy))
    assert call.calls == calls
    assert caught.value.__cause__ is cause


def test_a_pause_that_is_asked_for_is_kept() -> None:
    """The next attempt comes after Retry-After; where that is beyond the timeout, there is none."""
    begin = time.monotonic()
    assert retry(Failing(1, TransientError(EncoderError("busy"), retry_after=0.3)), POLICY) == 2
    assert time.monotonic() - begin >= 0.3
    call = Failing(1, TransientError(EncoderError("busy"), retry_after=31))
    with pytest.raises(EncoderError):
        retry(call, POLICY)
    assert call.calls == 1


@pytest.mark.parametrize(
    ("policy", "raised"), [(ENCODER, CancelledError), (STORE, StoreUnavailable)], ids=["encoder", "store"]
)
def test_a_cancellation_ends_a_pause(policy: RetryPolicy, raised: type[Exception]) -> None:
    """A call in a long pause ends soon after its thread's cancellation: writes by what was not written."""
    cancelled = Event()
    Timer(0.2, cancelled.set).start()
    call, begin = Failing(99, TransientError(StoreUnavailable("busy"), retry_after=20)), time.monotonic()
    with cancellation.scope(cancelled), pytest.raises(raised):
        retry(call, policy)
    assert time.monotonic() - begin < 10
    assert call.calls <= 2
