"""What becomes of documents that an engine does not write at once."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from esclip._concurrency.retry import StoreTimeouts
from esclip._core.types import StoredDocument
from esclip._errors import IndexNotFound, StoreError, StoreUnavailable
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import document, record
from tests.unit.engine_double import EngineDouble, as_json

TIMEOUTS = StoreTimeouts(first=5, read=5, write=30, backoff=0.02)
SHORT_TIMEOUTS = StoreTimeouts(first=5, read=5, write=0.5, backoff=0.02)

FULL_DISK = {
    "type": "cluster_block_exception",
    "reason": "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, "
    "index has read-only-allow-delete block];",
}


@pytest.fixture
def store(double: EngineDouble) -> Iterator[EngineStore]:
    """A store that believes the double to be an OpenSearch."""
    store = EngineStore(double.address, "x", TIMEOUTS)
    yield store
    store.close()


@pytest.fixture
def hasty(double: EngineDouble) -> Iterator[EngineStore]:
    """The same with short timeouts."""
    store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
    yield store
    store.close()


def ids(count: int) -> list[str]:
    """As many ids."""
    return [f"{at:03}" for at in range(count)]


def documents(count: int) -> list[StoredDocument]:
    """As many documents."""
    return [document(id) for id in ids(count)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, "request_timeout_exception"),
        (409, "version_conflict_engine_exception"),
        (404, "shard_not_found_exception"),
        (404, "illegal_index_shard_state_exception"),
        (429, "circuit_breaking_exception"),
        (429, "rejected_execution_exception"),
        (500, "already_closed_exception"),
        (503, "unavailable_shards_exception"),
        (503, "cluster_block_exception"),
    ],
)
def test_passing_faults_of_documents(
    double: EngineDouble, store: EngineStore, status: int, kind: str
) -> None:
    """A document that may be written later is sent again, alone, and ends as written."""
    double.errors = {status: {"type": kind, "reason": "not now"}}
    double.item_status = lambda number, id: status if id == "001" and number < 2 else 201
    assert store.upsert(documents(3)) == []
    assert double.sent() == [ids(3), ["001"], ["001"]]
    assert set(double.documents) == set(ids(3))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "mapper_parsing_exception"),
        (400, "illegal_argument_exception"),
        (404, "document_missing_exception"),
        (413, "too_long"),
    ],
)
def test_a_documents_own_fault(double: EngineDouble, store: EngineStore, status: int, kind: str) -> None:
    """A document that is at fault itself is rejected in the engine's words, cause included, and sent once."""
    cause = {"reason": "For input string: \n 'x'"}
    double.errors = {status: {"type": kind, "reason": "failed to parse", "caused_by": cause}}  # type: ignore[dict-item]
    double.item_status = lambda number, id: status if id == "001" else 201
    (rejected,) = store.upsert(documents(3))
    assert rejected.id == "001"
    assert rejected.detail == f"{kind}: failed to parse: For input string: 'x'"
    assert double.sent() == [ids(3)]


def test_updates_are_judged_alike(double: EngineDouble, store: EngineStore) -> None:
    """An update that meets another writer is sent again; one of a document that isn't there is rejected."""
    double.errors = {404: {"type": "document_missing_exception", "reason": "[002]: document missing"}}
    double.item_status = lambda number, id: {"001": 409 if number == 0 else 200, "002": 404}.get(id, 200)
    (rejected,) = store.update([record(id) for id in ids(3)])
    assert rejected.id == "002"
    assert "document missing" in rejected.detail
    assert double.sent() == [ids(3), ["001"]]


@pytest.mark.parametrize("whole", [False, True])
def test_a_full_disk(double: EngineDouble, hasty: EngineStore, whole: bool) -> None:
    """While a disk is full nothing is rejected: the run ends by an error that says so, and what to do."""
    double.errors = {429: FULL_DISK, 403: FULL_DISK}
    if whole:
        double.fault = lambda number, body: as_json(403, {"error": FULL_DISK, "status": 403})
    double.item_status = lambda number, id: 403 if id == "001" else 429
    with pytest.raises(StoreUnavailable, match=r"disk of a node is full; free some") as raised:
        hasty.upsert(documents(3))
    assert "flood-stage" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(double.bulks) > 1


def test_a_disk_that_has_room_again(double: EngineDouble, store: EngineStore) -> None:
    """An engine takes its block back by itself, and the documents are written then."""
    double.errors = {429: FULL_DISK}
    double.item_status = lambda number, id: 429 if number < 3 else 201
    assert store.upsert(documents(3)) == []
    assert set(double.documents) == set(ids(3))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "index_closed_exception"),
        (403, "cluster_block_exception"),
        (403, "security_exception"),
        (401, "security_exception"),
    ],
)
def test_an_index_that_takes_nothing(
    double: EngineDouble, store: EngineStore, status: int, kind: str
) -> None:
    """A closed, blocked or forbidden index is one error at once, not thousands of rejected documents."""
    double.errors = {status: {"type": kind, "reason": "FORBIDDEN/8/index write (api)"}}
    double.item_status = lambda number, id: status
    with pytest.raises(StoreError, match=f"takes no documents: {kind}") as raised:
        store.upsert(documents(3))
    assert not isinstance(raised.value, StoreUnavailable)
    assert len(double.bulks) == 1


def test_an_index_deleted_between_requests(double: EngineDouble, store: EngineStore) -> None:
    """An index that goes away while documents wait to be sent again is reported as missing."""
    double.errors = {404: {"type": "index_not_found_exception", "reason": "no such index [x]"}}
    double.item_status = lambda number, id: 429 if number == 0 else 404
    with pytest.raises(IndexNotFound, match="ingest again"):
        store.upsert(documents(2))
    assert len(double.bulks) == 2


@pytest.mark.parametrize("beside", [1, 2, 20])
def test_a_document_that_an_engine_fails_over(double: EngineDouble, store: EngineStore, beside: int) -> None:
    """One document over which the engine fails each time is rejected soon; those beside it are written."""
    double.item_status = lambda number, id: 500 if id == "000" else 201
    (rejected,) = store.upsert(documents(beside))
    assert rejected.id == "000"
    assert rejected.detail == "made_up_500: because"
    assert double.sent() == [ids(beside), ["000"], ["000"]]
    assert set(double.documents) == set(ids(beside)[1:])


def test_a_broken_shard(double: EngineDouble, hasty: EngineStore) -> None:
    """Where a third of the documents fails, the shard is at fault and not they: nothing is rejected."""
    double.item_status = lambda number, id: 500 if int(id) % 3 == 0 else 201
    with pytest.raises(StoreUnavailable, match="does not take 7 documents: made_up_500"):
        hasty.upsert(documents(20))


@pytest.mark.parametrize("status", [400, 401, 403, 406])
def test_a_refused_request(double: EngineDouble, store: EngineStore, status: int) -> None:
    """A request that is refused as a whole is not sent again; the engine's words are told."""
    error = {"type": "made_up", "reason": "this will\nnever do"}
    double.fault = lambda number, body: as_json(status, {"error": error, "status": status})
    with pytest.raises(StoreError, match=r"this will never do|credentials") as raised:
        store.upsert(documents(2))
    assert not isinstance(raised.value, StoreUnavailable)
    assert len(double.bulks) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (200, "application/json", b'{"errors":false,"items":[{"ind'),
        (200, "application/json", b'{"errors":false,"items":[{"index":{"status":201}}]}'),
        (200, "application/json", b'{"errors":false}'),
        (200, "application/json", b"[]"),
        (200, "application/json", b""),
        (500, "application/json", b'{"error": "broken"}'),
        (500, "application/json", b'{"err'),
    ],
)
def test_a_damaged_answer(double: EngineDouble, store: EngineStore, answer: tuple[int, str, bytes]) -> None:
    """An answer that can't be understood says nothing of any document: all are sent again."""
    double.fault = lambda number, body: answer if number < 2 else None
    assert store.upsert(documents(2)) == []
    assert double.sent() == [ids(2)] * 3


def test_a_pause_that_the_server_asks_for(double: EngineDouble, store: EngineStore) -> None:
    """What Retry-After says is waited for before the request is sent again."""
    double.retry_after = "1"
    double.fault = lambda number, body: (503, "text/plain", b"starting") if number == 0 else None
    begun = time.monotonic()
    assert store.upsert(documents(2)) == []
    assert time.monotonic() - begun >= 1
    assert len(double.bulks) == 2


@pytest.mark.parametrize("asked", ["3600", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_pause_beyond_the_timeout(double: EngineDouble, store: EngineStore, asked: str) -> None:
    """A server that asks for a longer pause than the timeout is unavailable now."""
    double.retry_after = asked
    double.fault = lambda number, body: as_json(429, {"error": {"type": "busy", "reason": "too many"}})
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match="429 busy: too many"):
        store.upsert(documents(2))
    assert time.monotonic() - begun < TIMEOUTS.write / 2
    assert len(double.bulks) == 1


def test_later_chunks_are_cut_smaller(double: EngineDouble, store: EngineStore) -> None:
    """The size that a server refused once is not tried again, by no call."""
    limit = 5_000
    double.fault = lambda number, body: (413, "text/html", b"") if len(body) > limit else None
    assert store.upsert(documents(40)) == []
    refused = sum(len(body) > limit for body in double.bulks)
    assert refused >= 1
    assert store.upsert(documents(40)) == []
    assert sum(len(body) > limit for body in double.bulks) == refused
    assert set(double.documents) == set(ids(40))


def test_messages_name_index_and_address(double: EngineDouble, hasty: EngineStore) -> None:
    """An error of a bulk write names index and address, in one line."""
    double.item_status = lambda number, id: 503
    where = re.escape(f"index 'x' at {double.address}")
    with pytest.raises(StoreUnavailable, match=f"^{where} does not take 2 documents: made_up_503: because$"):
        hasty.upsert(documents(2))
