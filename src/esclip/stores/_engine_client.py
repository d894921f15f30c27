"""The line to an OpenSearch or Elasticsearch: what is asked, with patience, and what answers there.

    ask(call) ─► again while it is unavailable, within a deadline ─► the answer, or a StoreError
    bulk(payload) ─► once ─► the answer, or a StoreError that says after how long to try again

opensearch-py talks to both engines. Its own retries are off, so that one place decides.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from opensearchpy import exceptions

from esclip._access import Access, admitted
from esclip._connections import seconds_asked
from esclip._errors import StoreError, StoreUnavailable
from esclip.stores._dialects import VECTOR_TYPES, Engine, Server
from esclip.stores._engine_door import connect
from esclip.stores._engine_errors import Forbidden, translated
from esclip.stores._patience import Busy, Patience, persistently

__all__ = ["EngineClient"]

ATTEMPT = 60.0
"""Seconds that one attempt may take."""
BULK = {"filter_path": "errors,items.*.status,items.*.error", "timeout": "30s"}
"""Half of an attempt for a shard to come back: after that the engine tells which documents have to wait."""

# opensearch-py warns of every failed request; where no one set up logging, Python would print that
logging.getLogger("opensearch").addHandler(logging.NullHandler())


class EngineClient:
    """A server that is asked, again where that may help. Safe from several threads."""

    def __init__(self, address: str, index: str, patience: Patience, access: Access) -> None:
        self.address, self.access = admitted(address, access)
        self.index = index
        self.patience = patience
        self._loaders = 0
        self._lock = threading.Lock()
        self._server: Server | None = None
        self.raw = connect(self.address, self.access)

    def ask(self, call: Callable[..., Any], within: float | None = None, **arguments: Any) -> Any:
        """What the client's `call` answers. Raises one of our errors, `StoreUnavailable` after retries."""
        if within is None:
            within = self.patience.write if self._loaders else self.patience.read
        end = time.monotonic() + within
        return persistently(
            lambda: self.ask_once(call, end - time.monotonic(), **arguments), within, self.patience.backoff
        )

    def ask_once(self, call: Callable[..., Any], left: float, **arguments: Any) -> Any:
        """The same without retries, when no more than `left` seconds are left."""
        with translated(self.address, self.index):
            return call(**arguments, request_timeout=_attempt(left))

    def bulk(self, payload: bytes, left: float) -> Any:
        """The answer to one bulk request, sent once, when no more than `left` seconds are left."""
        connection = self.raw.transport.get_connection()  # the transport itself forgets the headers
        headers: Mapping[str, str] = {}
        try:
            with translated(self.address, self.index):
                status, headers, text = connection.perform_request(
                    "POST", f"/{self.index}/_bulk", BULK, payload, _attempt(left), ignore=range(300, 600)
                )
                return _answer(status, text)
        except Busy as busy:
            busy.after = seconds_asked(headers)
            raise

    @contextmanager
    def patiently(self) -> Iterator[None]:
        """A time in which all questions have as long as writes: nobody waits for the answers at a screen."""
        with self._lock:
            self._loaders += 1
        try:
            yield
        finally:
            with self._lock:
                self._loaders -= 1

    def server(self) -> Server:
        """What answers at the address, asked once. Raises `StoreError` when it is none that is supported."""
        with self._lock:
            if self._server is None:
                self._server = self._recognise()
            return self._server

    def count(self) -> int:
        """The documents that a search sees. Raises `StoreUnavailable` when a shard doesn't answer."""
        answer = self.ask(self.raw.count, index=self.index)
        if failed := answer["_shards"]["failed"]:
            raise StoreUnavailable(f"{failed} shards of index {self.index} at {self.address} do not answer.")
        return int(answer["count"])

    def close(self) -> None:
        """Close all connections. Twice is harmless."""
        self.raw.close()

    def _recognise(self) -> Server:
        try:
            root = self._root()
        except Forbidden as forbidden:
            return self._recognise_by_index(forbidden)
        server = _server(root)
        if server is None:
            raise StoreError(f"{self.address} is neither OpenSearch nor Elasticsearch; check the address.")
        if not server.supported:
            raise StoreError(
                f"{self.address} is {server}, which esclip does not support; "
                "it needs OpenSearch 2.19 or later, or Elasticsearch 8 or later."
            )
        return server

    def _root(self) -> Any:
        within = self.patience.first
        root = self.ask(self.raw.info, within, ignore=(404, 405))
        if isinstance(root, Mapping) and root.get("status") == 405:
            # an Elasticsearch built without its REST root has versions all the same
            root = self.ask(self.raw.nodes.info, within, node_id="_local", filter_path="nodes.*.version")
            nodes = root.get("nodes", {}) if isinstance(root, Mapping) else {}
            root = {"version": {"number": next((node["version"] for node in nodes.values()), None)}}
        return root

    def _recognise_by_index(self, forbidden: Forbidden) -> Server:
        """The server by the type of its vectors: a key for one index may not ask for its version."""
        (index,) = self.ask(self.raw.indices.get_mapping, index=self.index).values()
        vector = index["mappings"].get("properties", {}).get("vector", {}).get("type")
        for engine, kind in VECTOR_TYPES.items():
            if vector == kind:
                return Server(engine, "")
        raise forbidden


def _attempt(left: float) -> float:
    return max(0.1, min(ATTEMPT, left))


def _answer(status: int, text: str) -> Any:
    """An answer's JSON. Raises what the client would raise."""
    try:
        answer = orjson.loads(text)
    except ValueError as error:
        if status < 300:
            raise exceptions.SerializationError(text[:500], error) from error
        answer = None
    if status < 300:
        return answer
    told = answer.get("error") if isinstance(answer, Mapping) else text
    kind = told.get("type") if isinstance(told, Mapping) else told
    raise exceptions.HTTP_EXCEPTIONS.get(status, exceptions.TransportError)(status, kind, answer)


def _server(root: Any) -> Server | None:
    version = root.get("version") if isinstance(root, Mapping) else None
    number = version.get("number") if isinstance(version, Mapping) else None
    if not isinstance(version, Mapping) or not isinstance(number, str):
        return None
    ours = version.get("distribution") == "opensearch"
    server = Server(Engine.OPENSEARCH if ours else Engine.ELASTICSEARCH, number)
    try:
        server.release  # noqa: B018 - a number that is no version is no engine's
    except ValueError:
        return None
    return server
