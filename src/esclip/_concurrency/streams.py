"""The links of a pipeline: threads and generators, joined by bounded windows and pulled by the sink.

    items ─► parallel_map(function) ─► batches(size) ─► prefetch(ahead) ─► sink
             pulls in its consumer's    no thread       pulls in one
             thread, works in N                         thread of its own

Every link owns its input and closes it when it ends, is closed or fails. So an error, a Ctrl-C or an early
close anywhere ends the whole chain and leaves no thread behind, provided that the sink owns the last link:

    with owned(prefetch(batches(parallel_map(fetch, records, workers=16), 64), 1)) as chain:
        for batch in chain:
            ...

A link starts when its first item is pulled; before that there is nothing to end.

Closing waits for calls that have begun, and a prefetch may be in the middle of one that takes long: a slow
fetch, or a batch that doesn't fill because all records are skipped. Two things together end it at once:
`stop`, which is called before anything is waited for, and `until` around the first link's input.

    records = until(fetcher.stopped, source.records())
    ...
    documents = prefetch(encoded, 1, stop=fetcher.stop)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from enum import Enum
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Condition, Event
from typing import TypeVar

from esclip._concurrency.cancellation import POLL_INTERVAL_S

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def owned(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Context manager: an iterator over `items`, closed on exit if it can be closed."""
    iterator = iter(items)
    try:
        yield iterator
    finally:
        _close(iterator)


def parallel_map(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    workers: int,
    window: int | None = None,
    stop: Callable[[], object] = lambda: None,
) -> Iterator[R]:
    """`function` of each item, from `workers` threads, in the order in which the calls finish.

    At most `window` items, by default two for each worker, are taken from `items` and not yet yielded. The
    first exception of a call is raised here and ends everything. `stop` is called on exit, before running
    calls are waited for.
    """
    limit = 2 * workers if window is None else window
    if limit < 1:
        raise ValueError(f"window must be at least 1, not {limit}")
    finished: SimpleQueue[Future[R]] = SimpleQueue()
    with owned(items) as source, _threads("map", workers, stop) as pool:
        in_flight = 0
        while True:
            for item in islice(source, limit - in_flight):
                pool.submit(function, item).add_done_callback(finished.put)
                in_flight += 1
            if not in_flight:
                return
            in_flight -= 1
            yield _next_of(finished).result()


def batches(
    items: Iterable[T],
    size: int,
    *,
    seconds: float = math.inf,
    weigh: Callable[[T], float] = lambda _: 0,
    max_weight: float = math.inf,
) -> Iterator[list[T]]:
    """Lists of `size` items each, in order; the last may be shorter, none is empty.

    A list is yielded, however short it is, with the first item that comes after `seconds`, and with the one
    by which its items weigh `max_weight` together.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, not {size}")
    with owned(items) as source:
        batch: list[T] = []
        for item in source:
            if not batch:
                full_at, weight = time.monotonic() + seconds, 0.0
            batch.append(item)
            weight += weigh(item)
            if len(batch) == size or weight >= max_weight or time.monotonic() >= full_at:
                yield batch
                batch = []
        if batch:
            yield batch


def flat(lists: Iterable[Iterable[T]]) -> Iterator[T]:
    """The items of the lists, in order: undoes `batches`."""
    with owned(lists) as source:
        for items in source:
            yield from items


def prefetch(
    items: Iterable[T],
    ahead: int,
    *,
    stop: Callable[[], object] = lambda: None,
    weigh: Callable[[T], int] = lambda _: 1,
) -> Iterator[T]:
    """The same items in the same order, pulled in advance until they weigh `ahead` together.

    They are pulled in one background thread, and closed there: a generator belongs to one thread. A large
    `ahead` takes no memory by itself, only items do. `stop` is called on exit, also by Ctrl-C, before that
    thread is waited for.
    """
    if ahead < 1:
        raise ValueError(f"ahead must be at least 1, not {ahead}")
    source = iter(items)
    ready: SimpleQueue[T | _End] = SimpleQueue()
    room = _Room(ahead)

    def pull() -> None:
        try:
            while room.wait() and (item := next(source, _End.END)) is not _End.END:
                room.fill(weigh(item))
                ready.put(item)
        finally:
            ready.put(_End.END)

    with _threads("prefetch", 1) as pool:
        pulling = pool.submit(pull)
        try:
            while (item := _next_of(ready)) is not _End.END:
                room.fill(-weigh(item))
                yield item
            _result_of(pulling)  # which raises what the source raised
        finally:
            stop()
            room.close()
            _result_of(pool.submit(_close, source))


class _Room:
    """How much may be held between two threads, one of which waits until there is room."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._closed = False
        self._changed = Condition()

    def wait(self) -> bool:
        """Wait for room; False: nothing more is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0 or self._closed)
            return not self._closed

    def fill(self, weight: int) -> None:
        """Take so much of it; a negative weight makes room."""
        with self._changed:
            self._free -= weight
            self._changed.notify()

    def close(self) -> None:
        """Want nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()


def until(stopped: Event, items: Iterable[T]) -> Iterator[T]:
    """The same items, until `stopped` is set by any thread."""
    with owned(items) as source:
        while not stopped.is_set() and (item := next(source, _End.END)) is not _End.END:
            yield item


def _result_of(call: Future[R]) -> R:
    """The call's result, polled for.

    A signal that arrives between Python's last check and the beginning of a wait is handled after the wait,
    which therefore must be short.
    """
    while not wait([call], POLL_INTERVAL_S).done:
        pass
    return call.result()


def _next_of(queue: SimpleQueue[T]) -> T:
    """The next item of the queue, polled for as well."""
    while True:
        with suppress(Empty):
            return queue.get(timeout=POLL_INTERVAL_S)


class _End(Enum):
    """Marks the end of a source; unlike None, no item can be it."""

    END = "end"


@contextmanager
def _threads(
    name: str, count: int, stop: Callable[[], object] = lambda: None
) -> Iterator[ThreadPoolExecutor]:
    """Context manager: a pool. On exit, calls that haven't begun are cancelled, others waited for."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=f"esclip-{name}")
    try:
        yield pool
    finally:
        stop()
        pool.shutdown(wait=True, cancel_futures=True)


def _close(iterator: Iterator[object]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()
