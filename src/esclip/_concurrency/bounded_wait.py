"""A call that is waited for only so long: for what is shown while a server may be away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Event, Thread
from typing import TypeVar

from esclip._concurrency import cancellation

T = TypeVar("T")


def result_within(seconds: float, call: Callable[[], T]) -> T | None:
    """What `call` returns; None where it fails, or takes longer than so many seconds.

    It is then cancelled: in a daemon thread it ends by itself at its next wait.
    """
    result: Future[T] = Future()
    cancelled = Event()

    def run() -> None:
        with cancellation.scope(cancelled):
            try:
                result.set_result(call())
            except BaseException as error:
                result.set_exception(error)

    Thread(target=run, name="esclip-bounded-wait", daemon=True).start()
    with suppress(Exception):
        return result.result(seconds)
    cancelled.set()
    return None
