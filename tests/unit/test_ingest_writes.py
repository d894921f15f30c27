"""The end of the pipeline: pages written by several threads, what they are refused, and how they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import pytest
from PIL import Image

from esclip import ImageRecord, Reason, Rejection, Stage
from esclip._concurrency import cancellation as cancellation
from esclip._core.rejections import TooManyRejections
from esclip._core.settings import WRITE_SIZE
from esclip._core.types import StoredDocument
from esclip._errors import StoreUnavailable
from esclip._ingest.progress import IngestProgress
from esclip.stores.memory import MemoryStore
from tests.unit.test_ingest import ListSource, run

PAGES = 3


@pytest.fixture(scope="module")
def pages() -> list[ImageRecord]:
    """Pictures that fill three pages, in memory."""
    file = BytesIO()
    Image.new("RGB", (1, 1)).save(file, "BMP")
    head = file.getvalue()[:-4]
    pixels = [bytes([9, at // 256, at % 256, 0]) for at in range(PAGES * WRITE_SIZE)]
    return [ImageRecord(f"id{at}", f"memory:id{at}", head + pixel, "v1") for at, pixel in enumerate(pixels)]


class MeetingStore(MemoryStore):
    """A store whose first writes wait for each other."""

    write_concurrency = PAGES

    def __init__(self, index: str) -> None:
        super().__init__(index)
        self.calls = 0
        self.meeting = threading.Barrier(PAGES, timeout=120)
        self._counting = threading.Lock()

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        with self._counting:
            self.calls += 1
            number = self.calls
        if number <= PAGES:
            self.meeting.wait()
        return self.met(number, documents)

    def met(self, number: int, documents: Sequence[StoredDocument]) -> list[Rejection]:
        return super().upsert(documents)


def test_as_many_pages_at_once_as_keep_the_store_busy(pages: list[ImageRecord]) -> None:
    """A store that is busy with several writes at a time gets as many, and every document once."""
    store = MeetingStore("x")
    report = run(ListSource(pages), store)
    assert (report.read, report.written, report.rejected) == (len(pages), len(pages), 0)
    info = store.info()
    assert info is not None
    assert info.documents == len(pages)


class EndingStore(MeetingStore):
    """A store whose first write fails while the others wait, as for a busy engine."""

    told = 0

    def met(self, number: int, documents: Sequence[StoredDocument]) -> list[Rejection]:
        if number == 1:
            raise StoreUnavailable("gone")
        if cancellation.current().wait(120):
            with self._counting:
                self.told += 1
        return super().met(number, documents)


def test_a_write_that_fails_ends_the_others(pages: list[ImageRecord]) -> None:
    """When a store is given up, writes that wait for it are told so, and waited for."""
    store = EndingStore("x")
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match="gone"):
        run(ListSource(pages), store)
    assert time.monotonic() - begun < 100
    assert store.told == store.calls - 1 > 0


class RefusingStore(MeetingStore):
    """A store that refuses everything."""

    def met(self, number: int, documents: Sequence[StoredDocument]) -> list[Rejection]:
        return [refused(document.record.id) for document in documents]


def test_too_many_rejections_of_writes(pages: list[ImageRecord]) -> None:
    """Pages that are refused by several threads end the run, their counts as they were told one by one."""
    told: list[Rejection] = []
    with pytest.raises(TooManyRejections, match="write_rejected") as raised:
        run(ListSource(pages), RefusingStore("x"), on_rejection=told.append)
    report = raised.value.report
    assert report.read == report.skipped + report.written + report.rejected
    assert report.rejected in [WRITE_SIZE * page for page in range(1, PAGES + 1)]
    assert len({one.id for one in told}) == len(told) >= report.rejected


def refused(id: str) -> Rejection:
    """A rejection of a store."""
    return Rejection(id, id, Stage.WRITE, Reason.WRITE_REJECTED, "no")


def counting(max_rejection_rate: float, told: list[Rejection]) -> IngestProgress:
    """The counts of a run that is told its rejections."""
    return IngestProgress(
        MemoryStore("i"), "e", {"max_rejection_rate": max_rejection_rate, "on_rejection": told.append}
    )


def test_counts_of_several_threads() -> None:
    """Pages that threads count at the same time are all counted, as are those who were refused."""
    told: list[Rejection] = []
    progress = counting(0.5, told)
    for _ in range(8 * 50 * 10):
        progress.count_read()

    def write(number: int) -> None:
        for page in range(50):
            ids = [f"{number}-{page}-{at}" for at in range(10)]
            progress.count_written(ids, [refused(id) for id in ids[:2]], encoded=True)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    report = progress.report()
    assert (report.read, report.written, report.rejected) == (4000, 3200, 800)
    assert len({one.id for one in told}) == 800


def test_a_page_is_counted_whole_before_the_budget_is_looked_at() -> None:
    """The documents of the page that spends the failure budget are in the report and told, all of them."""
    told: list[Rejection] = []
    progress = counting(0.1, told)
    for _ in range(300):
        progress.count_read()
    with pytest.raises(TooManyRejections) as raised:
        progress.count_written(
            [f"{at}" for at in range(200)], [refused(f"{at}") for at in range(150)], encoded=True
        )
    assert len(told) == 150
    assert (raised.value.report.read, raised.value.report.written, raised.value.report.rejected) == (
        200,
        50,
        150,
    )
