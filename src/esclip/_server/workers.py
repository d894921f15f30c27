"""Worker threads for the routes of the search service: a limit for each kind of work, and a bounded queue."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from esclip._concurrency.retry import patience_scope
from esclip._server.problems import Problem, ProblemType

P = ParamSpec("P")
T = TypeVar("T")


class Workers:
    """So many threads, for which so many calls may wait. One event loop uses it."""

    def __init__(
        self,
        threads: int,
        *,
        max_waiting: int,
        seconds: float | None = None,
        patience: float = math.inf,
    ) -> None:
        """Give a call so many seconds with its wait; None: as many as it takes.

        For `patience` seconds it asks a store again that does not answer.
        """
        self._patience = patience
        self._threads = threads
        self._seconds = seconds
        self._max_calls = threads + max_waiting
        self._calls = 0
        """Those that run and those that wait."""
        self._limiter: anyio.CapacityLimiter | None = None

    @property
    def are_full(self) -> bool:
        """Whether another call would be refused."""
        return self._calls >= self._max_calls

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Context manager: a place of one thread, for what takes several calls. Raises `Problem` as `run`."""
        self._begin()
        try:
            async with self._places():
                yield
        finally:
            self._calls -= 1

    def _begin(self) -> None:
        """Count a call. Raises `Problem` when too many wait."""
        if self.are_full:
            raise Problem(ProblemType.OVERLOADED)
        self._calls += 1

    def _places(self) -> anyio.CapacityLimiter:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)  # needs the event loop
        return self._limiter

    @property
    def calls(self) -> int:
        """How many run or wait."""
        return self._calls

    async def run(self, call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """The result of a call in a thread. Raises `Problem` when too many calls wait, or it takes too long.

        A thread can't be ended: what takes too long keeps its own until it is done, and counts until then.
        """
        self._begin()
        running = asyncio.ensure_future(
            anyio.to_thread.run_sync(self._run, partial(call, *args, **options), limiter=self._places())
        )
        running.add_done_callback(self._end)
        done, _ = await asyncio.wait([running], timeout=self._seconds)
        if not done:
            raise Problem(ProblemType.TIMEOUT, f"after {self._seconds:g} seconds")
        return running.result()

    def _run(self, call: Callable[[], T]) -> T:
        with patience_scope(self._patience):
            return call()

    def _end(self, running: asyncio.Future[T]) -> None:
        self._calls -= 1
        if not running.cancelled():
            running.exception()  # nobody may wait for it any more
