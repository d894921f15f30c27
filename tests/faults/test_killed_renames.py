"""An engine's index that is being renamed while the call is killed, or somebody writes: nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from urllib.parse import urlsplit

import pytest

from esclip import Store, StoreError
from esclip._core.index_settings import IndexSettings
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import SCHEMA, axis, document, nearest
from tests.engines import engine_address, engine_kinds, opened_store

pytestmark = [pytest.mark.fault, pytest.mark.engine, pytest.mark.timeout(900)]  # some twenty clones

SMALL = replace(SCHEMA, settings=IndexSettings(shards=1, replicas=0))
"""One shard: that is cloned sooner."""


@pytest.fixture(params=engine_kinds())
def address(request: pytest.FixtureRequest) -> str:
    """The address of each engine in turn."""
    return engine_address(request.param)


@pytest.fixture
def store(address: str) -> Iterator[EngineStore]:
    """A store with the document 0; what it was renamed to is removed, too."""
    with opened_store(address) as store:
        write(store, 0)
        yield store
        if store.alias_target() is not None:
            with store.resolve_alias() as renamed:
                renamed.drop()


@contextmanager
def meddled(address: str, after: int, meddle: Callable[[], bool]) -> Iterator[str]:
    """The address of a proxy that lets so many requests through, and later ones where `meddle` says so."""
    engine = urlsplit(address)
    seen = count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.requestline = ""
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if next(seen) >= after and not meddle():
                self.send_response_only(403)  # which isn't tried again, as it would be without an answer
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            connection = HTTPConnection(engine.hostname or "", engine.port, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else content)
            connection.close()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = threading.Thread(target=server.serve_forever, args=(0.05,))
        running.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            running.join()


def write(store: Store, number: int) -> None:
    """A document, as an ingest writes it."""
    store.ensure_index(SMALL)
    with store.bulk_load():
        assert store.upsert([document(str(number))]) == []


def held(store: EngineStore) -> set[str]:
    """The ids of all documents that are found by the name."""
    with store.open_other(store.index) as named, named.resolve_alias() as resolved:
        return {hit.id for hit in nearest(resolved, axis(0), 1000)}


def rename(store: EngineStore, through: str) -> bool:
    """Whether a rename by way of a proxy ends well."""
    with EngineStore(through, store.index) as slow, suppress(StoreError):
        slow.rename(f"{store.index}-1", {})
        return True
    return False


def test_a_rename_that_is_killed_anywhere_is_undone_by_the_next_write(
    store: EngineStore, address: str
) -> None:
    """After each of its requests in turn: the name is searched all the time, and written by an ingest."""
    for number in count(1):
        with meddled(address, number, lambda: False) as through:
            ended = rename(store, through)
        assert held(store) == set(map(str, range(number)))
        if store.alias_target() is not None:
            break
        assert not ended
        if number % 2:
            store.delete(["nothing"])
        write(store, number)
    assert number > 10
    with store.resolve_alias() as renamed:
        assert renamed.index == f"{store.index}-1"
        write(renamed, number)
    assert held(store) == set(map(str, range(number + 1)))


def test_a_rename_that_was_killed_is_begun_anew(store: EngineStore, address: str) -> None:
    """Where it had cloned the index, where it had not: the same call completes it."""
    for number in (6, 12):
        with meddled(address, number, lambda: False) as through:
            assert not rename(store, through)
    assert rename(store, address)
    assert store.alias_target() == f"{store.index}-1"
    assert held(store) == {"0"}


def test_what_is_written_while_an_index_is_renamed_stays(store: EngineStore, address: str) -> None:
    """Before each of its requests in turn: who writes is undisturbed; the rename is given up, or has it."""
    current, given_up = store, 0
    for number in count(1):
        written: list[int] = []

        def meddle(
            number: int = number, written: list[int] = written, current: EngineStore = current
        ) -> bool:
            if not written and current.alias_target() is None:
                written.append(number)
                write(current, number)
            return True

        with meddled(address, number, meddle) as through:
            ended = rename(current, through)
        if not written:
            break
        assert held(current) == set(map(str, range(number + 1)))
        given_up += not ended
        current = current.open_other(f"{current.index}-1") if ended else current
    assert ended
    assert given_up > 5
    with current.resolve_alias() as renamed:
        renamed.drop()
