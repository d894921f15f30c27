"""How many bulk requests are in flight, what they hold, and that no document is lost or counted twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event, Thread

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.retry import STORE, StoreTimeouts, TransientError, retry
from esclip._concurrency.streams import batches, parallel_map
from esclip._core.rejections import Rejection
from esclip._core.types import StoredDocument
from esclip._errors import IndexExists, StoreUnavailable
from esclip.stores.engine.bulk import BulkWriter, bulk_action
from esclip.stores.engine.bulk_errors import PayloadTooLarge
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import document, record
from tests.unit.engine_double import EngineDouble

TIMEOUTS = StoreTimeouts(first=5, read=5, write=60, backoff=0.02)


@pytest.fixture
def store(double: EngineDouble) -> Iterator[EngineStore]:
    """A store that believes the double to be an OpenSearch."""
    store = EngineStore(double.address, "x", TIMEOUTS)
    yield store
    store.close()


def test_requests_in_flight(double: EngineDouble, store: EngineStore) -> None:
    """However many threads write, no more requests are in flight than keep an engine busy."""
    double.fault = lambda number, body: time.sleep(0.1)
    pages = [[document(f"{page}-{at}") for at in range(3)] for page in range(24)]
    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(store.upsert, pages)) == [[]] * 24
    assert max(double.at_once) <= store.write_concurrency
    assert len(double.documents) == 72


def test_fewer_in_flight_after_429_and_more_after_success(double: EngineDouble, store: EngineStore) -> None:
    """An engine that is overrun gets one request at a time, and as many as before once it copes."""
    most = store.write_concurrency
    overrun, copes = Barrier(most, timeout=60), Barrier(most, timeout=60)
    again = 2 * most  # requests until the first ones are written: each is sent twice
    last = again + 10

    def fault(number: int, body: bytes) -> tuple[int, str, bytes] | None:
        if number < most:
            overrun.wait()
            return 429, "text/plain", b"too many"
        if again <= number < last:
            time.sleep(0.05)
        elif number >= last:
            copes.wait()
        return None

    double.fault = fault
    pages = [[document(f"{page}-{at}") for at in range(3)] for page in range(most + 10 + most)]
    with ThreadPoolExecutor(most) as threads:
        for some in (pages[:most], pages[most:-most], pages[-most:]):
            assert list(threads.map(store.upsert, some)) == [[]] * len(some)
    assert double.at_once[again] == 1
    assert double.at_once[again + 1] <= 2
    assert len(double.documents) == 3 * len(pages)


def test_a_conflict_is_no_sign_of_overload(double: EngineDouble, store: EngineStore) -> None:
    """Another writer of the same documents does not slow this one down."""
    most = store.write_concurrency
    first, second = Barrier(most, timeout=60), Barrier(most, timeout=60)

    def item_status(number: int, id: str) -> int:
        return 409 if number < most else 201

    def fault(number: int, body: bytes) -> None:
        if number < most:
            first.wait()
        elif number >= 2 * most:  # waits for ever where not as many may be in flight as before
            second.wait()

    double.item_status, double.fault = item_status, fault
    with ThreadPoolExecutor(most) as threads:
        for _ in range(2):
            assert list(threads.map(store.upsert, [[document(f"{at}")] for at in range(most)])) == [[]] * most


def test_memory_is_bounded_as_an_ingest_drives_it(double: EngineDouble, store: EngineStore) -> None:
    """While an engine is slow, no more pages are taken from the pipeline than are in flight."""
    pulled, released = Counter[str](), Event()

    def endless() -> Iterator[StoredDocument]:
        for at in range(400):
            pulled["documents"] += 1
            yield document(f"{at}")

    def fault(number: int, body: bytes) -> None:
        released.wait(60)

    double.fault = fault
    at_once = store.write_concurrency
    written: list[list[Rejection]] = []

    def drive() -> None:
        pages = batches(endless(), 10)
        written.extend(parallel_map(store.upsert, pages, workers=at_once, window=at_once))

    thread = Thread(target=drive)
    thread.start()
    try:
        end = time.monotonic() + 60
        while double.in_flight < at_once and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.2)  # long enough for a pipeline that takes more to take it
        assert pulled["documents"] == 10 * at_once
        assert len(double.bulks) == at_once
    finally:
        released.set()
        thread.join()
    assert written == [[]] * 40
    assert len(double.documents) == 400


def test_what_is_no_longer_wanted_is_not_sent_again(double: EngineDouble) -> None:
    """A thread whose run has ended gives up after one more attempt, long before its timeout."""
    double.item_status = lambda number, id: 503
    store = EngineStore(double.address, "x", StoreTimeouts(write=600, backoff=600))
    ended = Event()
    threading.Timer(0.5, ended.set).start()
    begun = time.monotonic()
    with cancellation.scope(ended), pytest.raises(StoreUnavailable, match="does not take 2 documents"):
        store.upsert([document("a"), document("b")])
    assert time.monotonic() - begun < 60
    store.close()


@st.composite
def fates(draw: st.DrawFn) -> list[list[int]]:
    """For each of some documents what it is told at each time that it is sent; the last time is final."""
    passing = st.lists(st.sampled_from([429, 503, 409, 408]), max_size=2)
    final = st.sampled_from([201, 201, 201, 400])
    return draw(st.lists(st.builds(lambda some, last: [*some, last], passing, final), max_size=30))


@settings(max_examples=60, deadline=None)
@given(
    fates=fates(),
    broken=st.sets(st.integers(0, 6)),
    too_large=st.one_of(st.none(), st.integers(150, 2_000)),
    calls=st.integers(1, 3),
)
def test_every_document_is_written_or_rejected_once(
    fates: list[list[int]], broken: set[int], too_large: int | None, calls: int
) -> None:
    """Whatever an engine does to documents and requests, each document ends in exactly one of two ways."""
    told: Counter[str] = Counter()
    written: list[str] = []
    sent = 0
    lock = threading.Lock()

    def send(payload: bytes, deadline: float) -> object:
        nonlocal sent
        with lock:
            sent += 1
            if sent - 1 in broken:
                raise TransientError(StoreUnavailable("broken"))
            heads = [orjson.loads(head)["index"]["_id"] for head in payload.splitlines()[::2]]
            if too_large and len(payload) > too_large:
                raise PayloadTooLarge("413")
            items = []
            for id in heads:
                status = fates[int(id)][told[id]]
                told[id] += 1
                if status == 201:
                    written.append(id)
                items.append({"index": {"status": status, "error": {"type": f"t{status}"}}})
            return {"items": items}

    policy = replace(STORE, timeout=60, backoff=0.001)
    writer = BulkWriter(send, "photos", "http://made-up", policy, concurrency=2)
    lines = [bulk_action("index", record(str(at)), {"id": str(at)}) for at in range(len(fates))]
    size = max(1, -(-len(lines) // calls))
    with ThreadPoolExecutor(calls) as threads:
        rejected = [one.id for page in threads.map(writer.write, batches(lines, size)) for one in page]
    assert Counter(written) + Counter(rejected) == Counter(str(at) for at in range(len(fates)))
    assert {int(id) for id in written} == {at for at, fate in enumerate(fates) if fate[-1] == 201}
    assert all(told[str(at)] == len(fate) for at, fate in enumerate(fates))


def test_documents_that_another_index_has_taken() -> None:
    """A name may become an alias between two attempts: the run ends, and tells where its documents are."""
    items = [{"index": {"status": 201, "_index": name}} for name in ("photos", "photos-2", "photos-2")]
    writer = BulkWriter(lambda payload, deadline: {"items": items}, "photos", "http://made-up", STORE, 2)
    with pytest.raises(IndexExists, match="alias of index 'photos-2', which has taken 2 documents"):
        writer.write([bulk_action("index", record(str(at)), {}) for at in range(3)])


def test_a_long_wait_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Who waits for an engine that stays away reads so, and for how long it will be asked again."""

    def away(deadline: float) -> None:
        raise StoreUnavailable("nobody is there")

    with pytest.raises(StoreUnavailable):
        retry(away, replace(STORE, timeout=1.5, backoff=0.05, max_backoff=0.05, log_after=0.2))
    assert [record.message for record in caplog.records] == ["nobody is there - asked again for up to 2 s"]
