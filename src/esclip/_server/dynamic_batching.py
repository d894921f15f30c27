"""Dynamic batching: calls of many threads, encoded together.

    caller ─► [ 3 items ] ─┐
    caller ─► [ 1 item  ] ─┼─► queue ─► batch of up to `size` ─► encode ─► rows ─► each caller its own
    caller ─► [ 90 items] ─┘            (worker threads)

A batch takes what waits, and waits a moment for more where it isn't full; a call with many items is spread
over several. The queue is bounded: a call that finds it full fails at once.
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
from esclip._errors import one_line
from esclip._errors.counts import pluralize

T = TypeVar("T")

MAX_QUEUED_BATCHES = 64
"""Enough for a GPU to stay busy until clients send more, and few enough for a CPU to encode before they time
out."""

_log = logging.getLogger("esclip")


class QueueFull(Exception):
    """Too many calls wait, or too many items."""


class BatchFailed(Exception):
    """The encoder failed; the message is one line."""


class Batcher(Generic[T]):
    """Batches for one encoder. Thread-safe; at most `max_calls` wait at a time."""

    def __init__(
        self,
        encode: Callable[[Sequence[T]], Vectors],
        *,
        size: int,
        workers: int,
        max_calls: int,
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
        self._max_calls = max_calls
        self._linger = linger
        self._calls: deque[_Call[T]] = deque()
        self._waiting = 0
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
        """Items that are in no batch yet."""
        return self._queued

    def encode(self, items: Sequence[T]) -> Vectors:
        """A row for each of the items, at least one. Waits for them.

        Raises `QueueFull`, and `BatchFailed`.
        """
        with self._enqueued(_Call(items)) as call:
            return call.rows.result()

    def close(self, timeout: float = 5.0) -> None:
        """Accept no more calls, finish those that wait, and end the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout)

    @contextmanager
    def _enqueued(self, call: _Call[T]) -> Iterator[_Call[T]]:
        with self._changed:
            too_many = self._waiting >= self._max_calls or self._queued >= MAX_QUEUED_BATCHES * self._size
            if self._closed or too_many:
                raise QueueFull
            self._calls.append(call)
            self._waiting += 1
            self._queued += len(call.items)
            self._changed.notify_all()
        try:
            yield call
        finally:
            with self._changed:
                self._waiting -= 1

    def _work(self) -> None:
        while (shares := self._next()) is not None:
            if shares:
                self._run(shares)

    def _next(self) -> list[_Share[T]] | None:
        """The next batch: empty where another worker was faster, None at the end."""
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
                raise ValueError(f"{pluralize(len(rows), 'vector')} for {pluralize(len(items), 'item')}")
        except Exception as error:  # any: the server goes on
            self.failing = True
            message = one_line(f"{type(error).__name__}: {error}", 300)
            _log.error("a batch of %s failed: %s", pluralize(len(items), "item"), message)
            for share in shares:
                share.call.fail(BatchFailed(message))
            return
        with self._changed:
            self.failing = False
            self.batches += 1
            self.encoded += len(items)
        first = 0
        for share in shares:
            share.call.set_rows(share.start, rows[first : first + len(share.items)])
            first += len(share.items)


@dataclass(eq=False)
class _Call(Generic[T]):
    """The items of one call. `take` and `waiting` need the batcher's lock."""

    items: Sequence[T]
    rows: Future[Vectors] = field(default_factory=Future)
    _taken: int = 0
    _rows_from: dict[int, Vectors] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    @property
    def waiting(self) -> int:
        return len(self.items) - self._taken

    def take(self, room: int) -> _Share[T]:
        """The next items; none, also later, when a batch before has failed."""
        start, over = self._taken, self.rows.done()
        self._taken = len(self.items) if over else min(len(self.items), start + room)
        return _Share(self, start, () if over else self.items[start : self._taken])

    def set_rows(self, start: int, rows: Vectors) -> None:
        with self._changed:
            self._rows_from[start] = rows
            if sum(map(len, self._rows_from.values())) == len(self.items):
                self.rows.set_result(
                    np.concatenate([self._rows_from[start] for start in sorted(self._rows_from)])
                )

    def fail(self, error: BatchFailed) -> None:
        with self._changed:
            if not self.rows.done():
                self.rows.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Share(Generic[T]):
    """The items of a call that are in one batch."""

    call: _Call[T]
    start: int
    items: Sequence[T]
