"""The line to an OpenSearch or Elasticsearch: address, credentials, patience, and errors made ours.

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
from urllib.parse import urlsplit

import opensearchpy
import orjson
from opensearchpy import exceptions

from esclip._addresses import without_credentials
from esclip._connections import seconds_asked
from esclip._errors import ConfigError, IndexNotFound, StoreError, StoreUnavailable
from esclip.stores._dialects import Engine, Server
from esclip.stores._engine_faults import disk_full, is_disk_full
from esclip.stores._patience import Busy, Patience, PayloadTooLarge, persistently

__all__ = ["EngineClient", "translated"]

ATTEMPT = 60.0
"""Seconds that one attempt may take."""
CONNECTIONS = 8
BUSY = frozenset({408, 429, 500, 502, 503, 504})
BULK = {"filter_path": "errors,items.*.status,items.*.error", "timeout": "30s"}
"""Half of an attempt for a shard to come back: after that the engine tells which documents have to wait."""

# opensearch-py warns of every failed request; where no one set up logging, Python would print that
logging.getLogger("opensearch").addHandler(logging.NullHandler())


class EngineClient:
    """A server that is asked, again where that may help. Safe from several threads."""

    def __init__(self, address: str, index: str, patience: Patience) -> None:
        self.address, credentials = without_credentials(address, "store", "https://host:9200")
        self.index = index
        self.patience = patience
        self._lock = threading.Lock()
        self._server: Server | None = None
        self.raw = _client(self.address, credentials)

    def ask(self, call: Callable[..., Any], within: float | None = None, **arguments: Any) -> Any:
        """What the client's `call` answers. Raises one of our errors, `StoreUnavailable` after retries."""
        within = self.patience.read if within is None else within
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
        within = self.patience.first
        root = self.ask(self.raw.info, within, ignore=(404, 405))
        if isinstance(root, Mapping) and root.get("status") == 405:
            # an Elasticsearch built without its REST root has versions all the same
            root = self.ask(self.raw.nodes.info, within, node_id="_local", filter_path="nodes.*.version")
            nodes = root.get("nodes", {}) if isinstance(root, Mapping) else {}
            root = {"version": {"number": next((node["version"] for node in nodes.values()), None)}}
        server = _server(root)
        if server is None:
            raise StoreError(f"{self.address} is neither OpenSearch nor Elasticsearch; check the address.")
        if not server.supported:
            raise StoreError(
                f"{self.address} is {server}, which esclip does not support; "
                "it needs OpenSearch 2.19 or later, or Elasticsearch 8 or later."
            )
        return server


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


def _client(address: str, credentials: tuple[str, str] | None) -> Any:
    parts = urlsplit(address)
    secure = parts.scheme == "https"
    try:
        return opensearchpy.OpenSearch(
            hosts=[{"host": parts.hostname, "port": parts.port or (443 if secure else 80)}],
            url_prefix=parts.path,
            use_ssl=secure,
            http_auth=credentials,
            max_retries=0,
            retry_on_timeout=False,
            pool_maxsize=CONNECTIONS,
        )
    except (ValueError, exceptions.ImproperlyConfigured) as error:
        raise ConfigError(f"The store's address {address} can't be used: {error}") from error


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


@contextmanager
def translated(address: str, index: str) -> Iterator[None]:
    """Raise the client's exceptions as ours."""
    try:
        yield
    except tuple(TRANSLATIONS) as error:
        nearest = next(kind for kind in type(error).__mro__ if kind in TRANSLATIONS)
        raise TRANSLATIONS[nearest](error, address, index) from error


def _refused(error: Any, address: str, index: str) -> StoreError:
    words = _reason(error)
    if error.status_code == 413:
        return PayloadTooLarge(f"{address} takes no request as large as this one: {words}")
    if isinstance(error.info, Mapping) and is_disk_full(error.info.get("error")):
        return disk_full(f"Index {index} at {address}", words)
    if error.status_code in BUSY:
        message = f"{address} is too busy or not ready ({words}); try again later."
        return Busy(message, crowded=error.status_code == 429)
    return StoreError(f"{address} refused a request for index {index}: {words}")


def _not_found(error: Any, address: str, index: str) -> StoreError:
    if error.error == "index_not_found_exception":
        return index_missing(address, index)
    return StoreError(f"{address} does not know what engines know ({_reason(error)}); check the address.")


def index_missing(address: str, index: str) -> IndexNotFound:
    """What is raised where an index is needed that isn't there."""
    return IndexNotFound(f"There is no index {index} at {address}; ingest pictures to make it.")


def _reason(error: Any) -> str:
    """The server's own words in one line."""
    told = error.info.get("error") if isinstance(error.info, Mapping) else None
    words = told.get("reason") if isinstance(told, Mapping) else None
    return " ".join(f"{error.status_code} {words or error.error}".split())[:500]


TRANSLATIONS: dict[type[Exception], Callable[[Any, str, str], StoreError]] = {
    exceptions.ConnectionTimeout: lambda _, address, __: StoreUnavailable(
        f"{address} did not answer in time; try again."
    ),
    exceptions.SSLError: lambda error, address, _: StoreError(
        f"No trusted connection to {address}: {error.error}; SSL_CERT_FILE names certificates to trust."
    ),
    exceptions.ConnectionError: lambda error, address, _: StoreUnavailable(
        f"{address} can't be reached ({type(error.info).__name__}); is it running?"
    ),
    exceptions.AuthenticationException: lambda _, address, __: StoreError(
        f"{address} wants other credentials; give them in the address: https://user:password@host:port"
    ),
    exceptions.NotFoundError: _not_found,
    exceptions.TransportError: _refused,
    exceptions.SerializationError: lambda _, address, __: StoreUnavailable(
        f"{address} answered with something that isn't JSON; is it an OpenSearch or Elasticsearch?"
    ),
    exceptions.OpenSearchException: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.OpenSearchDslException: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.ImproperlyConfigured: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.OpenSearchWarning: lambda error, address, _: StoreError(f"{address} warned: {error}"),
}
"""Every exception of the client, or a base of it, and what it is to us."""
