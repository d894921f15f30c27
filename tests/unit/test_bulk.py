"""Bulk writes and the line to an engine, under failures that no engine makes on command."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import opensearchpy.exceptions
import pytest

from esclip._concurrency.retry import StoreTimeouts
from esclip._core.rejections import Stage
from esclip._errors import ConfigError, IndexNotFound, StoreError, StoreUnavailable
from esclip._errors.reasons import Reason
from esclip.stores import open_store
from esclip.stores.engine.errors import ENGINE_ERRORS
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import axis, document
from tests.unit.engine_double import Asked, EngineDouble, as_json, running

TIMEOUTS = StoreTimeouts(first=0.3, read=0.5, write=3)


@pytest.fixture
def store(double: EngineDouble) -> Iterator[EngineStore]:
    """A store that believes the double to be an OpenSearch."""
    store = EngineStore(double.address, "x", TIMEOUTS)
    yield store
    store.close()


def test_busy_document_is_sent_again_alone(double: EngineDouble, store: EngineStore) -> None:
    """Of a chunk only the documents that the engine was too busy for are sent again."""
    double.item_status = lambda number, id: 429 if id == "b" and number < 2 else 201
    assert store.upsert([document(id) for id in "abc"]) == []
    assert double.sent() == [["a", "b", "c"], ["b"], ["b"]]
    assert set(double.documents) == set("abc")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_server_is_asked_again(double: EngineDouble, store: EngineStore, status: int) -> None:
    """A request that the server, or a proxy before it, was too busy for is sent again whole."""
    double.fault = lambda number, body: (status, "text/html", b"<h1>busy</h1>") if number < 2 else None
    assert store.upsert([document(id) for id in "ab"]) == []
    assert double.sent() == [["a", "b"]] * 3
    assert set(double.documents) == set("ab")


def test_broken_connection_is_made_anew(double: EngineDouble, store: EngineStore) -> None:
    """A connection that breaks before the answer costs nothing but another attempt."""
    double.broken = {0, 1}
    assert store.upsert([document("a")]) == []
    assert double.sent() == [["a"]] * 3


def test_deadline(double: EngineDouble) -> None:
    """A server that stays busy is given up at the deadline, with its own words."""
    double.item_status = lambda number, id: 429
    store = EngineStore(double.address, "x", StoreTimeouts(write=0.5))
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"2 documents: made_up_429: because"):
        store.upsert([document("a"), document("b")])
    assert time.monotonic() - begun < 2
    assert len(double.bulks) > 1
    store.close()


def test_refused_document_is_a_rejection(double: EngineDouble, store: EngineStore) -> None:
    """A document that the engine refuses is reported in its words, is not sent again, and stops no other."""
    double.item_status = lambda number, id: 400 if id == "b" else 201
    (rejected,) = store.upsert([document(id) for id in "abc"])
    assert (rejected.id, rejected.stage, rejected.reason) == ("b", Stage.WRITE, Reason.WRITE_REJECTED)
    assert rejected.detail == "made_up_400: because"
    assert double.sent() == [["a", "b", "c"]]


def test_too_large_request_is_split(double: EngineDouble, store: EngineStore) -> None:
    """A chunk that is too large is halved until it is taken; a document too large by itself is rejected."""
    long = document("long", metadata={"caption": "x" * 10_000})
    limit = 2500
    double.fault = lambda number, body: (413, "text/html", b"") if len(body) > limit else None
    ids = [f"{i}" for i in range(20)]
    (rejected,) = store.upsert([document(id) for id in ids] + [long])
    assert rejected.id == "long"
    assert "413" in rejected.detail
    assert set(double.documents) == set(ids)


def test_chunks_are_cut_by_bytes_and_number(double: EngineDouble, store: EngineStore) -> None:
    """A page of any size goes in requests of bounded size, in order."""
    large = {"caption": "x" * 1_000_000}
    documents = [document(f"s{i:04}") for i in range(2500)]
    documents += [document(f"l{i}", metadata=large) for i in range(20)]
    assert store.upsert(documents) == []
    assert all(len(body) <= 8 * 1024 * 1024 for body in double.bulks)
    sent = [id for ids in double.sent() for id in ids]
    assert sent == [one.record.id for one in documents]
    assert [len(ids) for ids in double.sent()][:2] == [1000, 1000]


def test_last_document_of_an_id_wins_over_a_busy_one(double: EngineDouble, store: EngineStore) -> None:
    """An earlier document of the same id can't come back by being sent again."""
    double.item_status = lambda number, id: 429 if number == 0 else 201
    assert store.upsert([document("a", axis(0)), document("a", axis(1))]) == []
    assert double.documents["a"]["vector"] == axis(1).tolist()
    assert double.sent() == [["a"], ["a"]]


def test_index_that_vanishes_while_writing(double: EngineDouble, store: EngineStore) -> None:
    """An index that is removed between two requests is reported as missing, not as rejected documents."""
    error = {"type": "index_not_found_exception", "reason": "no such index [x]"}
    double.fault = lambda number, body: as_json(200, {"items": [{"index": {"status": 404, "error": error}}]})
    with pytest.raises(IndexNotFound, match="x"):
        store.upsert([document("a")])


def test_a_starting_cluster_that_knows_no_index_yet(double: EngineDouble, store: EngineStore) -> None:
    """Within a bulk load, an index is gone only when a cluster says so that has read its state."""
    missing = as_json(404, {"error": {"type": "index_not_found_exception", "reason": "no such index [x]"}})
    starting = as_json(503, {"error": {"type": "cluster_block_exception", "reason": "state not recovered"}})
    settings = as_json(200, {"x": {"settings": {"index": {"refresh_interval": "1s"}}}})
    done = as_json(200, {"acknowledged": True})
    first: list[Any] = []

    def answer(asked: Asked) -> Any:
        if "_mapping" in asked.path and first:
            return first.pop(0)
        if "_settings" in asked.path:
            return settings if asked.method == "GET" else done
        return None

    double.lock = answer
    with store.bulk_load():
        first += [missing, starting]
        assert store.upsert([document("a")]) == []
    assert first == []
    assert list(double.documents) == ["a"]


def test_credentials_are_sent_and_never_shown(double: EngineDouble) -> None:
    """User and password of the address, percent-decoded, go to the server and into no message."""
    double.root = as_json(401, {"error": "no"})
    address = double.address.replace("//", "//me%40home:s%3Acret%2F@")
    store = open_store(address, "x")
    with pytest.raises(StoreError) as raised:
        store.info()
    wanted = "Basic " + base64.b64encode(b"me@home:s:cret/").decode()
    assert double.credentials == {wanted}
    assert len(double.paths) == 1
    for shown in (str(raised.value), store.address, repr(store)):
        assert "cret" not in shown
        assert "me" not in shown.replace("message", "").replace("name", "")
    assert store.address == double.address
    store.close()


def test_base_path_is_kept() -> None:
    """An engine behind a path is asked there."""
    with running("/search/engine") as double:
        store = EngineStore(double.address + "/", "x", TIMEOUTS)
        assert store.upsert([document("a")]) == []
        assert store.address == double.address
        assert all(path.startswith("/search/engine/") for path in double.paths)
        store.close()


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ((200, "text/html", b"<h1>It works!</h1>"), "JSON"),
        ((404, "text/html", b"<h1>Not found</h1>"), "JSON"),
        ((200, "text/plain", b"hello"), "neither"),
        (as_json(200, {"couchdb": "Welcome", "version": "3.3"}), "neither"),
        (as_json(200, {"version": {"number": "latest"}}), "neither"),
        (as_json(404, {"error": "no"}), "neither"),
        (as_json(405, {"status": 405}), "check the address"),
        (as_json(500, {"error": "no"}), "500"),
        (as_json(200, {"version": {"number": "7.10.2"}}), "Elasticsearch 7.10.2"),
        (as_json(200, {"version": {"number": "2.11.0", "distribution": "opensearch"}}), "OpenSearch 2.11.0"),
    ],
)
def test_other_servers_are_refused(
    double: EngineDouble, store: EngineStore, root: tuple[int, str, bytes], words: str
) -> None:
    """What is no engine, or one that is not supported, is named in one line."""
    double.root = root
    with pytest.raises(StoreError, match=words) as raised:
        store.info()
    assert "\n" not in str(raised.value)
    assert double.address in str(raised.value)


def test_elasticsearch_without_a_root(double: EngineDouble, store: EngineStore) -> None:
    """An Elasticsearch that has nothing at / is known by its nodes, and asked once."""
    double.root = as_json(405, {"error": "Incorrect HTTP method", "status": 405})
    double.nodes = as_json(200, {"nodes": {"abc": {"version": "9.3.2"}}})
    assert store.upsert([document("a")]) == []
    assert store.upsert([document("b")]) == []
    assert len([path for path in double.paths if path.startswith("/_nodes/_local")]) == 1


def test_nobody_listens() -> None:
    """An address where nothing listens is given up soon, and named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        store = EngineStore(address, "x", TIMEOUTS)
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match=address):
            store.info()
        assert time.monotonic() - begun < 2


def test_silent_server() -> None:
    """A server that takes the connection and says nothing is given up at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = EngineStore(f"http://127.0.0.1:{silent.getsockname()[1]}", "x", TIMEOUTS)
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable, match="in time"):
            store.info()
        assert time.monotonic() - begun < 2
        store.close()


def test_no_foreign_exception_is_unmapped() -> None:
    """Every exception of the client has its place in the table, itself or by a base."""
    known = [getattr(opensearchpy.exceptions, name) for name in opensearchpy.exceptions.__all__]
    assert len(known) > 15
    assert [kind for kind in known if not any(issubclass(kind, kinds) for kinds, _ in ENGINE_ERRORS)] == []


@pytest.mark.parametrize(
    "index", ["", "A", "_x", "-x", "a/b", "a,", "a*", "a b", "ä", "a" * 201, "a\n", ".", "..", "-.a", "...a"]
)
def test_index_names_that_cannot_be(index: str) -> None:
    """An index name that some store would refuse is refused at once, by all."""
    with pytest.raises(ConfigError, match="index name"):
        open_store("http://localhost:9200", index)


@pytest.mark.parametrize("index", ["a", "0", "image_search", "a-b_c", "a" * 200])
def test_index_names_that_can(index: str, tmp_path: Path) -> None:
    """Names that every store takes are taken."""
    for address in ("https://localhost:9200", tmp_path):
        assert open_store(address, index).index == index


@pytest.mark.parametrize("index", ["a.b", "photos-2026.11.29", ".photos", ".ds-photos-2026.11.29-000001"])
def test_index_names_of_clusters(index: str, tmp_path: Path) -> None:
    """Clusters have indexes of other programs, whose names may have dots; elsewhere these are refused."""
    assert open_store("https://localhost:9200", index).index == index
    for address in ("milvus://localhost:19530", tmp_path):
        with pytest.raises(ConfigError, match="index name"):
            open_store(address, index)


def test_a_folder_is_the_embedded_store(tmp_path: Path) -> None:
    """An address that is no URL is a folder, which isn't made before it is needed."""
    folder = tmp_path / "pictures"
    store = open_store(str(folder), "x")
    assert type(store).__name__ == "LanceStore"
    assert store.index == "x"
    assert not folder.exists()
    store.close()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://",
        "http://host:port",
        "http://a host:9200",
        "http://a:b@:9200",
        "http://h/?q=1",
        "http://h#x",
        "ftp://h",
    ],
)
def test_addresses_that_cannot_be(address: str) -> None:
    """An address that can't be used is refused before anything is connected to."""
    with pytest.raises(ConfigError):
        open_store(address, "x")


def test_shards_that_do_not_answer(double: EngineDouble, store: EngineStore) -> None:
    """A number of documents that some shards had no part in is not given out as the whole."""
    double.count = as_json(200, {"count": 3, "_shards": {"total": 3, "failed": 1}})
    with pytest.raises(StoreUnavailable, match="from 1 shard of"):
        store.info()
