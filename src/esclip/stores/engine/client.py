"""Requests to OpenSearch or Elasticsearch, with retries, and the detection of the engine.

    request(call) ─► retried while unavailable, until a deadline ─► the answer, or a StoreError
    bulk(payload) ─► sent once ─► the answer, or an error that says when to retry

opensearch-py talks to both engines. Its own retries are off: `_concurrency.retry` decides.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from esclip._concurrency.forks import leave_behind, renew_in_children
from esclip._concurrency.retry import STORE, RetryPolicy, StoreTimeouts, TransientError, retry
from esclip._errors import IndexNotFound, StoreError, StoreUnavailable, map_errors, one_line
from esclip._errors.counts import pluralize
from esclip._net.access import StoreAuth, resolve_access
from esclip._net.session import retry_after
from esclip.stores.aliases import is_alias
from esclip.stores.engine import answers
from esclip.stores.engine.dialects import VECTOR_TYPES, Engine, Server
from esclip.stores.engine.errors import ENGINE_ERRORS, Forbidden
from esclip.stores.engine.transport import connect, from_json, refusal

T = TypeVar("T")

ATTEMPT_S = 60.0
"""The longest timeout of one attempt."""
COUNT_TIMEOUT_S = 2.0
COUNT_VALID_S = 60.0
"""How long a count is believed: as often as what is written becomes visible."""
BACKING = ".ds-"
"""What names of the indexes behind data streams begin with."""
BULK = {"filter_path": "errors,items.*.status,items.*.error,items.*._index", "timeout": "30s"}
"""Half of an attempt for a shard to come back; then the engine reports which documents have to wait."""

log = logging.getLogger("esclip")

# opensearch-py logs a warning for every failed request, which Python prints where logging is not set up
logging.getLogger("opensearch").addHandler(logging.NullHandler())


class EngineClient:
    """Sends requests to one server, and retries them. Thread-safe."""

    def __init__(self, address: str, index: str, timeouts: StoreTimeouts, auth: StoreAuth) -> None:
        self.address, self.auth = resolve_access(address, auth)
        self.index = index
        self.timeouts = timeouts
        self._bulk_loads = 0
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._shard_size = 0
        self._counted = -math.inf
        self._raw: Any = connect(self.address, self.auth)
        renew_in_children(self)

    @property
    def raw(self) -> Any:
        """opensearch-py's client of this process."""
        if self._raw is None:
            self._raw = connect(self.address, self.auth)
        return self._raw

    def renew(self) -> None:
        """New connections in a forked child."""
        leave_behind(self._raw)
        self._raw, self._lock, self._bulk_loads = None, threading.Lock(), 0

    def request(
        self,
        call: Callable[..., Any],
        timeout: float | None = None,
        read: Callable[[Any], T] = answers.unread,
        **arguments: Any,
    ) -> T:
        """Call one of opensearch-py's methods and parse the answer by `read`.

        Raises `StoreUnavailable` after retries, and other errors of `ENGINE_ERRORS`.
        """
        if timeout is None:
            timeout = self.timeouts.write if self._bulk_loads else self.timeouts.read
        return retry(
            lambda deadline: self._request_once(call, deadline, read, arguments), self.policy(timeout)
        )

    def policy(self, timeout: float) -> RetryPolicy:
        """The retry policy of requests with this timeout in seconds."""
        return replace(STORE, timeout=timeout, backoff=self.timeouts.backoff)

    def _request_once(
        self, call: Callable[..., Any], deadline: float, read: Callable[[Any], T], arguments: dict[str, Any]
    ) -> T:
        began = time.monotonic()
        try:
            with map_errors(ENGINE_ERRORS, self.address, self.index):
                answer = call(**arguments, request_timeout=_attempt_timeout(deadline))
        finally:
            milliseconds = (time.monotonic() - began) * 1000
            log.debug("%s: %s took %.0f ms", self.address, call.__name__, milliseconds)
        try:
            return read(answer)
        except answers.MALFORMED as error:
            raise StoreError(
                f"{self.address} answered {call.__name__} of index {self.index!r} as no engine does "
                f"({answers.describe(error)}); check the address, and what may stand between"
            ) from error

    def request_change(self, call: Callable[..., Any], **arguments: Any) -> None:
        """Request a change of the cluster. Raises `StoreUnavailable` unless it confirms it."""

        def check(answer: Any) -> None:
            if not answers.is_acknowledged(answer):
                raise StoreUnavailable(
                    f"{self.address} did not finish {call.__name__} of index {self.index!r} in time; "
                    "try again"
                )

        self.request(call, read=check, **arguments)

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
            self._bulk_loads += 1
        try:
            yield
        finally:
            with self._lock:
                self._bulk_loads -= 1
                self._counted = -math.inf

    def server(self) -> Server:
        """The engine at the address, requested once. Raises `StoreError` when it is not supported."""
        with self._lock:
            if self._server is None:
                self._server = self._identify()
            return self._server

    def count(self, filters: Sequence[Mapping[str, Any]] = ()) -> int:
        """The number of visible documents that fulfil these clauses.

        Raises `StoreUnavailable` when a shard doesn't answer.
        """

        def read(answer: Any) -> int:
            if failed := answers.get_count(answer, "_shards", "failed"):
                raise StoreUnavailable(
                    f"no answer from {pluralize(failed, 'shard')} of index {self.index!r} at {self.address}"
                )
            return answers.get_count(answer, "count")

        body = {"query": {"bool": {"filter": list(filters)}}} if filters else None
        return self.request(self.raw.count, read=read, index=self.index, body=body)

    def documents_per_shard(self) -> int:
        """The visible documents of a shard on average, up to a minute ago; 0 where that can't be read."""
        with self._lock:
            if time.monotonic() >= self._counted + COUNT_VALID_S:
                self._counted = time.monotonic()
                with suppress(StoreError):  # a search gives better errors than a count that it can do without
                    self._shard_size = self.request(
                        self.raw.count, COUNT_TIMEOUT_S, _read_shard_size, index=self.index
                    )
            return self._shard_size

    def mapping(self) -> dict[str, Any]:
        """The index's mapping.

        Raises `IndexNotFound`, `IndexExists` for an alias, and `StoreError` for one of several indexes.
        """
        name, mapping = self.named_mapping()
        if name != self.index:
            raise is_alias(self.address, self.index, name)
        return mapping

    def require_own(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Raise `IndexExists` for documents of another index than the client's.

        A schema that was read a moment ago may be that of an index whose name is an alias by now, and vectors
        of two models are not to be compared.
        """
        for document in documents:
            if (name := document.get("_index", self.index)) != self.index:
                raise is_alias(self.address, self.index, str(name))

    def named_mapping(self) -> tuple[str, dict[str, Any]]:
        """The name of the index, which is another one where the client's is an alias, and its mapping.

        Raises `IndexNotFound`, and `StoreError` for an alias of several indexes, and for a data stream.
        """
        get, read = self.raw.indices.get_mapping, answers.get_mappings
        try:
            mappings = self.request(get, read=read, index=self.index)
        except IndexNotFound:
            # until a restarted cluster has read its state, it knows no index; asked so, it answers 503
            if not self._bulk_loads or self.request(get, index=self.index, ignore_unavailable=True) == {}:
                raise
            mappings = self.request(get, read=read, index=self.index)
        names = one_line(", ".join(sorted(mappings)), 200)
        if self.index not in mappings and any(name.startswith(BACKING) for name in mappings):
            raise StoreError(
                f"{self.index!r} at {self.address} is a data stream, to which documents are only added; to "
                f"search it, name the index behind it: {names}"
            )
        if len(mappings) > 1:
            raise StoreError(
                f"index {self.index!r} at {self.address} is an alias of {pluralize(len(mappings), 'index')} "
                f"({names}); name one of them"
            )
        ((name, mapping),) = mappings.items()
        return name, mapping

    def close(self) -> None:
        """Close all connections. Twice is harmless."""
        self.raw.close()

    def _identify(self) -> Server:
        try:
            root = self._root()
        except Forbidden as forbidden:
            return self._identify_by_index(forbidden)
        server = _server(root)
        if server is None:
            raise StoreError(f"{self.address} is neither OpenSearch nor Elasticsearch; check the address")
        if not server.supported:
            raise StoreError(
                f"{self.address} is {server}, which esclip does not support; "
                "it needs OpenSearch 2.19 or later, or Elasticsearch 8 or later"
            )
        return server

    def _root(self) -> Any:
        timeout = self.timeouts.first
        root: Any = self.request(self.raw.info, timeout, ignore=(404, 405))
        if isinstance(root, Mapping) and root.get("status") == 405:
            # some builds of Elasticsearch lack the REST root
            version = self.request(
                self.raw.nodes.info, timeout, _first_version, node_id="_local", filter_path="nodes.*.version"
            )
            root = {"version": {"number": version}}
        return root

    def _identify_by_index(self, forbidden: Forbidden) -> Server:
        """The engine by the type of its vectors: a key for one index may not read the version."""
        kinds = [property.get("type") for property in self.mapping()["properties"].values()]
        for engine, kind in VECTOR_TYPES.items():
            if kind in kinds:
                return Server(engine, "")
        raise forbidden


def _attempt_timeout(deadline: float) -> float:
    return max(0.1, min(ATTEMPT_S, deadline - time.monotonic()))


def _answer(status: int, text: str) -> Any:
    """An answer's JSON. Raises what opensearch-py would raise."""
    if status < 300:
        return from_json(text)
    raise refusal(status, text)


def _read_shard_size(answer: Any) -> int:
    return answers.get_count(answer, "count") // max(1, answers.get_count(answer, "_shards", "total"))


def _first_version(answer: Any) -> Any:
    nodes = answers.get_object(answers.get_object(answer).get("nodes", {}))
    return next((answers.get_object(node).get("version") for node in nodes.values()), None)


def _server(root: Any) -> Server | None:
    version = root.get("version") if isinstance(root, Mapping) else None
    number = version.get("number") if isinstance(version, Mapping) else None
    if not isinstance(version, Mapping) or not isinstance(number, str):
        return None
    is_opensearch = version.get("distribution") == "opensearch"
    server = Server(Engine.OPENSEARCH if is_opensearch else Engine.ELASTICSEARCH, number)
    try:
        server.release  # noqa: B018 - raises for what is no version
    except ValueError:
        return None
    return server
