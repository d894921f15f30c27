"""The links of a pipeline: what they give, how far they run ahead, and that nothing is left behind."""

from __future__ import annotations

import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esclip._concurrency.streams import batches, owned, parallel_map, prefetch, until

PATIENCE_S = 10.0

T = TypeVar("T")


class Source:
    """A generator of `count` numbers that remembers how far it was pulled, and by whom it was closed."""

    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.count = count
        self.fail_at = fail_at
        self.pulled = 0
        self.closed_by: str | None = None

    def items(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                if number == self.fail_at:
                    raise OSError("the source broke")
                self.pulled += 1
                yield number
        finally:
            self.closed_by = threading.current_thread().name


def same(number: int) -> int:
    return number


def take(items: Iterator[T], by: Callable[[T], object]) -> None:
    for item in items:
        by(item)


def raising(error: BaseException) -> Callable[[object], None]:
    def sink(_: object) -> None:
        raise error

    return sink


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("esclip-")]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert our_threads() == []


class TestOwned:
    def test_closes_on_leaving(self) -> None:
        """A generator is closed when its owner is left, however far it had come."""
        source = Source(10)
        with owned(source.items()) as items:
            assert next(items) == 0
        assert source.closed_by is not None

    def test_closes_on_an_error(self) -> None:
        """A generator is closed when its owner is left by an exception, which passes."""
        source = Source(10)
        with pytest.raises(KeyError), owned(source.items()) as items:
            take(items, by=raising(KeyError("mine")))
        assert source.closed_by is not None

    def test_takes_what_cannot_be_closed(self) -> None:
        """A list has nothing to close and is iterated all the same."""
        with owned([1, 2, 3]) as items:
            assert list(items) == [1, 2, 3]


class TestParallelMap:
    @given(count=st.integers(0, 60), workers=st.integers(1, 5), window=st.none() | st.integers(1, 20))
    @settings(max_examples=40, deadline=None)
    def test_gives_every_result_once(self, count: int, workers: int, window: int | None) -> None:
        """Each item gives one result, for any number of items, workers and window."""
        results = parallel_map(lambda n: n * n, range(count), workers=workers, window=window)
        assert sorted(results) == [n * n for n in range(count)]

    def test_gives_results_as_they_finish(self) -> None:
        """A slow call does not hold up those behind it."""
        release = threading.Event()

        def slow_first(number: int) -> int:
            if number == 0:
                release.wait(PATIENCE_S)
            return number

        with owned(parallel_map(slow_first, range(20), workers=2, window=4)) as results:
            first = [next(results) for _ in range(19)]
            release.set()
            assert sorted(first) == list(range(1, 20))
            assert list(results) == [0]

    @pytest.mark.parametrize(("window", "expected"), [(None, 6), (5, 5), (1, 1)])
    def test_pulls_no_more_than_its_window(self, window: int | None, expected: int) -> None:
        """What was pulled and not yet given out never exceeds the window, two per worker by default."""
        source = Source(50)
        ahead = []
        with owned(parallel_map(same, source.items(), workers=3, window=window)) as results:
            for given_out, _ in enumerate(results):
                ahead.append(source.pulled - given_out)
        assert max(ahead) == expected

    def test_runs_no_more_calls_than_workers(self) -> None:
        """As many calls as workers run at once, and no more."""
        lock, both = threading.Lock(), threading.Barrier(3)
        running, most = 0, 0

        def counted(number: int) -> int:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            both.wait(PATIENCE_S)
            with lock:
                running -= 1
            return number

        assert len(list(parallel_map(counted, range(30), workers=3, window=12))) == 30
        assert most == 3

    def test_pulls_in_its_consumers_thread(self) -> None:
        """The source is pulled and closed by the thread that consumes the results."""
        source = Source(5)
        list(parallel_map(same, source.items(), workers=2))
        assert source.closed_by == threading.current_thread().name

    def test_an_exception_of_a_call_ends_it(self) -> None:
        """The first exception of a call is raised to the consumer, and the source is closed."""
        source = Source(1000)

        def fails(number: int) -> int:
            if number == 7:
                raise ValueError("number 7")
            return number

        with pytest.raises(ValueError, match="number 7"):
            list(parallel_map(fails, source.items(), workers=2))
        assert source.closed_by is not None
        assert source.pulled < 20

    def test_an_exception_of_the_source_ends_it(self) -> None:
        """An exception of the source is raised to the consumer."""
        with pytest.raises(OSError, match="the source broke"):
            list(parallel_map(same, Source(10, fail_at=5).items(), workers=2))

    def test_closing_cancels_what_has_not_begun(self) -> None:
        """Closing waits for the calls that run and drops those that wait for a worker."""
        release, begun = threading.Event(), []

        def call(number: int) -> int:
            begun.append(number)
            if number > 0:
                release.wait(PATIENCE_S)
            return number

        with owned(parallel_map(call, range(100), workers=1, window=10)) as results:
            assert next(results) == 0
            wait_for(lambda: 1 in begun)
            threading.Timer(0.05, release.set).start()
        assert begun == [0, 1]

    def test_calls_are_told_to_stop_before_they_are_waited_for(self) -> None:
        """A call that fails tells those that still run, which then need not come to their end."""
        stopped = threading.Event()

        def call(number: int) -> bool:
            if number == 0:
                raise ValueError("0 fails")
            return stopped.wait(PATIENCE_S)

        begun = time.monotonic()
        with pytest.raises(ValueError, match="0 fails"):
            list(parallel_map(call, range(3), workers=3, stop=stopped.set))
        assert time.monotonic() - begun < PATIENCE_S / 2

    @pytest.mark.parametrize("window", [0, -1])
    def test_refuses_a_window_without_room(self, window: int) -> None:
        """A window below one is a mistake of the caller."""
        with pytest.raises(ValueError, match="window"):
            list(parallel_map(same, [1], workers=1, window=window))


class TestBatches:
    @given(st.lists(st.integers()), st.integers(1, 10))
    def test_cuts_without_loss(self, numbers: list[int], size: int) -> None:
        """Joined again the batches are the input; all but the last are full, none is empty."""
        cut = list(batches(numbers, size))
        assert [n for batch in cut for n in batch] == numbers
        assert all(len(batch) == size for batch in cut[:-1])
        assert all(1 <= len(batch) <= size for batch in cut)

    def test_pulls_one_batch_at_a_time(self) -> None:
        """No more is pulled than the batch that is asked for, and closing closes the source."""
        source = Source(100)
        with owned(batches(source.items(), 8)) as cut:
            next(cut)
            assert source.pulled == 8
        assert source.closed_by is not None

    def test_refuses_a_size_below_one(self) -> None:
        """A size below one is a mistake of the caller, not an empty result."""
        with pytest.raises(ValueError, match="size"):
            list(batches([1], 0))


class TestPrefetch:
    @given(st.lists(st.integers()), st.integers(1, 5))
    @settings(max_examples=30, deadline=None)
    def test_keeps_items_and_order(self, numbers: list[int], ahead: int) -> None:
        """The same items come in the same order, however far it runs ahead."""
        assert list(prefetch(numbers, ahead)) == numbers

    def test_runs_ahead_as_far_as_told(self) -> None:
        """While the consumer rests, exactly `ahead` items are pulled beyond those given out."""
        source = Source(100)
        with owned(prefetch(source.items(), 3)) as items:
            assert next(items) == 0
            wait_for(lambda: source.pulled >= 4)
            time.sleep(0.05)
            assert source.pulled == 4

    def test_what_is_ahead_may_be_weighed(self) -> None:
        """It runs ahead until the items weigh what they may: the last one may weigh more."""
        source = Source(100)
        with owned(prefetch(source.items(), 10, weigh=lambda number: number)) as items:
            assert next(items) == 0
            wait_for(lambda: source.pulled >= 5)
            time.sleep(0.05)
            assert source.pulled == 5  # 1 + 2 + 3 + 4 are ahead; 0 weighs nothing

    def test_takes_no_memory_for_what_is_not_there(self) -> None:
        """What it holds follows the items, not how far it may run ahead."""
        tracemalloc.start()
        try:
            assert list(prefetch([1, 2], 10**12)) == [1, 2]
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()

    def test_pulls_and_closes_in_its_own_thread(self) -> None:
        """The source is closed by the thread that pulled it, never by the consumer's."""
        source = Source(100)
        with owned(prefetch(source.items(), 2)) as items:
            next(items)
        assert source.closed_by is not None
        assert source.closed_by.startswith("esclip-prefetch")

    def test_passes_on_an_exception_in_its_place(self) -> None:
        """Items before the source's exception are given out first, then it is raised."""
        seen: list[int] = []
        with pytest.raises(OSError, match="the source broke"):
            take(prefetch(Source(10, fail_at=4).items(), 3), by=seen.append)
        assert seen == [0, 1, 2, 3]

    def test_raises_what_closing_the_source_raises(self) -> None:
        """An exception while the source cleans up is not lost in the background thread."""

        def source() -> Iterator[int]:
            try:
                yield from range(10)
            finally:
                raise OSError("could not clean up")

        items = prefetch(source(), 1)
        assert next(items) == 0
        with pytest.raises(OSError, match="could not clean up"), owned(items):
            pass

    def test_refuses_to_run_nothing_ahead(self) -> None:
        """An `ahead` below one is a mistake of the caller."""
        with pytest.raises(ValueError, match="ahead"):
            list(prefetch([1], 0))


class TestUntil:
    def test_ends_when_stopped(self) -> None:
        """Items stop at the moment at which the event is set, and the source is closed."""
        stopped, source, seen = threading.Event(), Source(100), []
        for number in until(stopped, source.items()):
            seen.append(number)
            if number == 3:
                stopped.set()
        assert seen == [0, 1, 2, 3]
        assert source.pulled == 4
        assert source.closed_by is not None

    def test_gives_all_when_never_stopped(self) -> None:
        """Without a stop all items pass, those included that are None or false."""
        assert list(until(threading.Event(), [None, 0, ""])) == [None, 0, ""]

    def test_ends_a_pull_that_would_go_on_for_ever(self) -> None:
        """Leaving a chain ends its prefetch in the middle of a batch that will never fill."""
        stopped, beyond = threading.Event(), threading.Event()

        def eight_and_then_none() -> Iterator[int]:
            yield from range(8)
            while True:
                beyond.set()
                time.sleep(0.001)
                yield -1

        wanted = (number for number in until(stopped, eight_and_then_none()) if number >= 0)
        with owned(prefetch(batches(wanted, 8), 1, stop=stopped.set)) as cut:
            assert next(cut) == list(range(8))
            assert beyond.wait(PATIENCE_S)


class TestChain:
    def chain(
        self,
        source: Source,
        function: Callable[[int], int] = same,
        stop: Callable[[], object] = lambda: None,
    ) -> Iterator[list[int]]:
        return prefetch(batches(parallel_map(function, source.items(), workers=3), 4), 2, stop=stop)

    def test_carries_everything(self) -> None:
        """All links together lose nothing and leave nothing behind."""
        source = Source(101)
        with owned(self.chain(source)) as cut:
            assert sorted(n for batch in cut for n in batch) == list(range(101))
        assert source.closed_by is not None

    def test_runs_ahead_within_bounds(self) -> None:
        """A sink that rests bounds what the whole chain pulls: window, batches under way, batches ahead."""
        source = Source(10_000)
        with owned(self.chain(source)) as cut:
            next(cut)
            time.sleep(0.1)
            assert source.pulled <= 4 + 2 * 4 + 6

    @pytest.mark.parametrize("given_out", [0, 1, 3])
    def test_an_early_close_ends_all_links(self, given_out: int) -> None:
        """A sink that leaves early closes the source, whether it took something or not."""
        source = Source(10_000)
        with owned(self.chain(source)) as cut:
            for _ in range(given_out):
                next(cut)
        assert our_threads() == []
        assert (source.closed_by is not None) == (given_out > 0)

    def test_an_error_in_the_first_link_reaches_the_sink(self) -> None:
        """An exception of the source passes through every link and closes each."""
        source = Source(100, fail_at=50)
        with pytest.raises(OSError, match="the source broke"), owned(self.chain(source)) as cut:
            list(cut)
        assert source.closed_by is not None

    def test_an_interrupt_in_the_sink_ends_all_links(self) -> None:
        """A KeyboardInterrupt raised while the sink works closes the source."""
        source = Source(10_000)
        with pytest.raises(KeyboardInterrupt), owned(self.chain(source)) as cut:
            take(cut, by=raising(KeyboardInterrupt()))
        assert source.closed_by is not None

    def test_a_signal_while_waiting_ends_all_links(self) -> None:
        """A real SIGINT wakes a sink that waits for a slow call, which is told to stop."""
        source, stopped = Source(10_000), threading.Event()

        def slow(number: int) -> int:
            assert stopped.wait(PATIENCE_S)
            return number

        def interrupt() -> None:
            signal.pthread_kill(main, signal.SIGINT)

        main = threading.get_ident()
        threading.Timer(0.1, interrupt).start()
        before = time.monotonic()
        with pytest.raises(KeyboardInterrupt), owned(self.chain(source, slow, stopped.set)) as cut:
            take(cut, by=raising(AssertionError("nothing can come before the signal")))
        assert time.monotonic() - before < PATIENCE_S / 2
        assert source.closed_by is not None

    @pytest.mark.parametrize("prefetched", [True, False])
    def test_a_signal_just_before_a_wait_is_not_lost(self, prefetched: bool) -> None:
        """A signal that doesn't break off the wait, because another thread took it, is acted upon soon."""
        stopped = threading.Event()

        def slow(number: int) -> int:
            assert stopped.wait(PATIENCE_S)
            return number

        flow = parallel_map(slow, range(100), workers=2, stop=stopped.set)
        if prefetched:
            flow = prefetch(flow, 1, stop=stopped.set)
        threading.Timer(0.1, signal.raise_signal, [signal.SIGINT]).start()  # in the timer's own thread
        before = time.monotonic()
        with pytest.raises(KeyboardInterrupt), owned(flow) as cut:
            take(cut, by=raising(AssertionError("nothing can come before the signal")))
        assert time.monotonic() - before < PATIENCE_S / 2

    def test_an_error_reaches_a_sink_that_works(self) -> None:
        """An exception of a call is raised by the sink's next pull, with its own type."""

        def fails(number: int) -> int:
            if number == 40:
                raise LookupError("number 40")
            return number

        source = Source(10_000)
        with pytest.raises(LookupError, match="number 40"), owned(self.chain(source, fails)) as cut:
            take(cut, by=lambda _: time.sleep(0.001))
        assert source.closed_by is not None
