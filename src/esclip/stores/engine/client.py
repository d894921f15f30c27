"""Requests to an OpenSearch or Elasticsearch, retried, and which of them it is.

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
from dataclasses import replace
from typing import Any, TypeVar

from esclip._concurrency.forks import leave_behind, renew_in_children
from esclip._concurrency.retry import STORE, RetryPolicy, StoreTimeouts, TransientError, retry
from esclip._errors import StoreError, StoreUnavailable, map_errors, one_line
from esclip._net.access import StoreAuth, resolve_access
from esclip._net.session import retry_after
from esclip.stores.engine.answers import (
    MALFORMED,
    acknowledged,
    as_it_is,
    integer_of,
    mappings_of,
    object_of,
    told,
)
from esclip.stores.engine.dialects import VECTOR_TYPES, Engine, Server
from esclip.stores.engine.errors import ENGINE_ERRORS, Forbidden
from esclip.stores.engine.transport import connect, from_json, refusal

__all__ = ["EngineClient"]

T = TypeVar("T")

ATTEMPT_S = 60.0
"""The longest timeout of one attempt."""
BULK = {"filter_path": "errors,items.*.status,items.*.error", "timeout": "30s"}
"""Half of an attempt for a shard to come back: after that the engine tells which documents have to wait."""

# opensearch-py warns of every failed request; where no one set up logging, Python would print that
logging.getLogger("opensearch").addHandler(logging.NullHandler())


class EngineClient:
    """A server that is asked, again where that may help. Safe from several threads."""

    def __init__(self, address: str, index: str, timeouts: StoreTimeouts, access: StoreAuth) -> None:
        self.address, self.access = resolve_access(address, access)
        self.index = index
        self.timeouts = timeouts
        self._loaders = 0
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._raw: Any = connect(self.address, self.access)
        renew_in_children(self)

    @property
    def raw(self) -> Any:
        """opensearch-py's client, of this process."""
        if self._raw is None:
            self._raw = connect(self.address, self.access)
        return self._raw

    def renew(self) -> None:
        """Connections of a forked child's own."""
        leave_behind(self._raw)
        self._raw, self._lock, self._loaders = None, threading.Lock(), 0

    def ask(
        self,
        call: Callable[..., Any],
        timeout: float | None = None,
        read: Callable[[Any], T] = as_it_is,
        **arguments: Any,
    ) -> T:
        """What `read` makes of the answer to the client's `call`; it alone looks into it.

        Raises one of our errors, `StoreUnavailable` after retries.
        """
        if timeout is None:
            timeout = self.timeouts.write if self._loaders else self.timeouts.read
        return retry(lambda deadline: self._ask_once(call, deadline, read, arguments), self.policy(timeout))

    def policy(self, timeout: float) -> RetryPolicy:
        """How requests are retried that may take so many seconds."""
        return replace(STORE, timeout=timeout, backoff=self.timeouts.backoff)

    def _ask_once(
        self, call: Callable[..., Any], deadline: float, read: Callable[[Any], T], arguments: dict[str, Any]
    ) -> T:
        with map_errors(ENGINE_ERRORS, self.address, self.index):
            answer = call(**arguments, request_timeout=_attempt_timeout(deadline))
        try:
            return read(answer)
        except MALFORMED as error:
            raise StoreError(
                f"{self.address} answered {call.__name__} of index {self.index} as no engine does "
                f"({told(error)}); check the address, and what may stand between"
            ) from error

    def change(self, call: Callable[..., Any], **arguments: Any) -> None:
        """Have the cluster do something. Raises `StoreUnavailable` when it doesn't say that it is done."""

        def done(answer: Any) -> None:
            if not acknowledged(answer):
                raise StoreUnavailable(
                    f"{self.address} did not finish {call.__name__} of index {self.index} in time; try again"
                )

        self.ask(call, read=done, **arguments)

    def bulk(self, payload: bytes, deadline: float) -> Any:
        """The answer to one bulk request, sent once, before `deadline` on the monotonic clock."""
        connection = self.raw.transport.get_connection()  # the transport itself forgets the headers
        headers: Mapping[str, str] = {}
        try:
            with map_errors(ENGINE_ERRORS, self.address, self.index):
                status, headers, text = connection.perform_request(
                    "POST",
                    f"/{self.index}/_bulk",
                    BULK,
                    payload,
                    _attempt_timeout(deadline),
                    ignore=range(300, 600),
                )
                return _answer(status, text)
        except TransientError as error:
            error.retry_after = retry_after(headers)
            raise

    @contextmanager
    def write_timeouts(self) -> Iterator[None]:
        """Context manager: within it, all requests may take as long as writes."""
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

        def counted(answer: Any) -> int:
            if failed := integer_of(answer, "_shards", "failed"):
                raise StoreUnavailable(
                    f"{failed} shards of index {self.index} at {self.address} do not answer."
                )
            return integer_of(answer, "count")

        return self.ask(self.raw.count, read=counted, index=self.index)

    def mapping(self) -> dict[str, Any]:
        """The index's mapping as the engine has it. Raises `IndexNotFound`, and for a name of several."""
        mappings = self.ask(self.raw.indices.get_mapping, read=mappings_of, index=self.index)
        if len(mappings) > 1:
            names = ", ".join(sorted(mappings))
            raise StoreError(
                f"{self.index} at {self.address} is an alias of {len(mappings)} indexes "
                f"({one_line(names, 200)}); name one of them"
            )
        (mapping,) = mappings.values()
        return mapping

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
        timeout = self.timeouts.first
        root: Any = self.ask(self.raw.info, timeout, ignore=(404, 405))
        if isinstance(root, Mapping) and root.get("status") == 405:
            # an Elasticsearch built without its REST root has versions all the same
            number = self.ask(
                self.raw.nodes.info, timeout, _first_version, node_id="_local", filter_path="nodes.*.version"
            )
            root = {"version": {"number": number}}
        return root

    def _recognise_by_index(self, forbidden: Forbidden) -> Server:
        """The server by the type of its vectors: a key for one index may not ask for its version."""
        vector = self.mapping()["properties"].get("vector", {}).get("type")
        for engine, kind in VECTOR_TYPES.items():
            if vector == kind:
                return Server(engine, "")
        raise forbidden


def _attempt_timeout(deadline: float) -> float:
    return max(0.1, min(ATTEMPT_S, deadline - time.monotonic()))


def _answer(status: int, text: str) -> Any:
    """An answer's JSON. Raises what the client would raise."""
    if status < 300:
        return from_json(text)
    raise refusal(status, text)


def _first_version(answer: Any) -> Any:
    nodes = object_of(object_of(answer).get("nodes", {}))
    return next((object_of(node).get("version") for node in nodes.values()), None)


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
