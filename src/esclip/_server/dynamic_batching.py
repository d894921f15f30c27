"""Calls of many threads, put together to batches for an encoder.

    caller ─► [ 3 items ] ─┐
    caller ─► [ 1 item  ] ─┼─► queue ─► batch of up to `size` ─► encode ─► rows ─► each caller its own
    caller ─► [ 90 items] ─┘            (worker threads)

A batch takes what waits, and waits a moment for more where it isn't full; a call with many items is spread
over several. The queue is bounded: who comes when it is full is told so at once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Generic, TypeVar

import numpy as np

from esclip._core.types import Vectors

__all__ = ["BatchFailed", "Batcher", "QueueFull"]

T = TypeVar("T")

BATCHES = 64
"""As many batches' items may wait: enough for a GPU not to run dry before clients come again, and not so many
that they give up on a CPU's work before it is done."""

_log = logging.getLogger("esclip")


class QueueFull(Exception):
    """As much waits as may."""


class BatchFailed(Exception):
    """The encoder failed, in one line."""


class Batcher(Generic[T]):
    """One encoder's batches. Safe from any number of threads, of which `callers` may wait at a time."""

    def __init__(
        self,
        encode: Callable[[Sequence[T]], Vectors],
        *,
        size: int,
        workers: int,
        callers: int,
        linger: float = 0.003,
    ) -> None:
        """Start `workers` threads that call `encode` with up to `size` items.

        A batch that isn't full waits `linger` seconds for more.
        """
        self.encoded = 0
        """Items since the start."""
        self.batches = 0
        """Calls of the encoder since the start."""
        self.failing = False
        """Whether the last batch failed."""
        self._encode = encode
        self._size = size
        self._callers = callers
        self._linger = linger
        self._calls: deque[_Call[T]] = deque()
        self._present = 0
        self._queued = 0
        self._closed = False
        self._changed = Condition()
        self._threads = [
            Thread(target=self._work, name="esclip-batches", daemon=True) for _ in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def queued(self) -> int:
        """Items that no batch has taken yet."""
        return self._queued

    def encode(self, items: Sequence[T]) -> Vectors:
        """A row for each item, of which there is at least one. Waits for it.

        Raises `QueueFull` when too much waits already, and `BatchFailed`.
        """
        with self._present_in(_Call(items)) as call:
            return call.rows.result()

    def close(self, patience: float = 5.0) -> None:
        """Take no more calls, finish those that wait, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(patience)

    @contextmanager
    def _present_in(self, call: _Call[T]) -> Iterator[_Call[T]]:
        with self._changed:
            if self._closed or self._present >= self._callers or self._queued >= BATCHES * self._size:
                raise QueueFull
            self._calls.append(call)
            self._present += 1
            self._queued += len(call.items)
            self._changed.notify_all()
        try:
            yield call
        finally:
            with self._changed:
                self._present -= 1

    def _work(self) -> None:
        while (shares := self._next()) is not None:
            if shares:
                self._run(shares)

    def _next(self) -> list[_Share[T]] | None:
        """What the next batch holds: nothing where another worker was faster, None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._queued or self._closed)
            if not self._queued:
                return None
            self._changed.wait_for(lambda: self._queued >= self._size or self._closed, self._linger)
            shares: list[_Share[T]] = []
            room = self._size
            while self._calls and room:
                call = self._calls[0]
                before = call.waiting
                share = call.take(room)
                self._queued -= before - call.waiting
                room -= len(share.items)
                if share.items:
                    shares.append(share)
                if not call.waiting:
                    self._calls.popleft()
            return shares

    def _run(self, shares: list[_Share[T]]) -> None:
        items = [item for share in shares for item in share.items]
        try:
            rows = self._encode(items)
            if len(rows) != len(items):
                raise ValueError(f"{len(rows)} vectors for {len(items)} items")
        except Exception as error:  # whatever it is: the server lives on, and says so
            self.failing = True
            words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            _log.error("a batch of %d failed: %s", len(items), words)
            for share in shares:
                share.call.fail(BatchFailed(words))
            return
        with self._changed:
            self.failing = False
            self.batches += 1
            self.encoded += len(items)
        at = 0
        for share in shares:
            share.call.give(share.start, rows[at : at + len(share.items)])
            at += len(share.items)


@dataclass(eq=False)
class _Call(Generic[T]):
    """One caller's items on their way. `take` and `waiting` are for who holds the batcher's lock."""

    items: Sequence[T]
    rows: Future[Vectors] = field(default_factory=Future)
    _taken: int = 0
    _given: dict[int, Vectors] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    @property
    def waiting(self) -> int:
        return len(self.items) - self._taken

    def take(self, room: int) -> _Share[T]:
        """The next items; none, and nothing waits any more, when a batch before has failed."""
        start, over = self._taken, self.rows.done()
        self._taken = len(self.items) if over else min(len(self.items), start + room)
        return _Share(self, start, () if over else self.items[start : self._taken])

    def give(self, start: int, rows: Vectors) -> None:
        with self._changed:
            self._given[start] = rows
            whole = sum(map(len, self._given.values())) == len(self.items)
            if whole:
                self.rows.set_result(np.concatenate([self._given[at] for at in sorted(self._given)]))

    def fail(self, error: BatchFailed) -> None:
        with self._changed:
            if not self.rows.done():
                self.rows.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Share(Generic[T]):
    """The part of a call that a batch holds."""

    call: _Call[T]
    start: int
    items: Sequence[T]
