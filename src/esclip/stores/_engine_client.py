"""The line to an OpenSearch or Elasticsearch: address, credentials, patience, and errors made ours.

    ask(call) ─► again while it is unavailable, within a deadline ─► the answer, or a StoreError

opensearch-py talks to both engines. Its own retries are off, so that one place decides.
"""

from __future__ import annotations

import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opensearchpy import exceptions
from urllib3.exceptions import ProtocolError

from esclip._access import Access, admitted
from esclip._connections import causes
from esclip._errors import EsclipError, IndexNotFound, StoreError, StoreUnavailable
from esclip.stores._dialects import VECTOR_TYPES, Engine, Server
from esclip.stores._engine_door import connect
from esclip.stores._patience import Patience, PayloadTooLarge, persistently

__all__ = ["EngineClient", "translated"]

ATTEMPT = 60.0
"""Seconds that one attempt may take."""
BUSY = frozenset({408, 429, 502, 503, 504})

# opensearch-py warns of every failed request; where no one set up logging, Python would print that
logging.getLogger("opensearch").addHandler(logging.NullHandler())


class Forbidden(StoreError):
    """The server knows who asks, and does not let them do this."""


class EngineClient:
    """A server that is asked, again where that may help. Safe from several threads."""

    def __init__(self, address: str, index: str, patience: Patience, access: Access) -> None:
        self.address, self.access = admitted(address, access)
        self.index = index
        self.patience = patience
        self._lock = threading.Lock()
        self._server: Server | None = None
        self.raw = connect(self.address, self.access)

    def ask(self, call: Callable[..., Any], within: float | None = None, **arguments: Any) -> Any:
        """What the client's `call` answers. Raises one of our errors, `StoreUnavailable` after retries."""
        within = self.patience.read if within is None else within
        end = time.monotonic() + within
        return persistently(lambda: self.ask_once(call, end - time.monotonic(), **arguments), within)

    def ask_once(self, call: Callable[..., Any], left: float, **arguments: Any) -> Any:
        """The same without retries, when no more than `left` seconds are left."""
        with translated(self.address, self.index):
            return call(**arguments, request_timeout=max(0.1, min(ATTEMPT, left)))

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
    if error.status_code in BUSY:
        return StoreUnavailable(f"{address} is too busy or not ready ({words}); try again later.")
    if SPEAKS_TLS.search(words):
        return StoreError(f"{address} speaks TLS: its address begins with https://")
    return StoreError(f"{address} refused a request for index {index}: {words}")


def _unreachable(error: Any, address: str, _: str) -> EsclipError:
    if isinstance(error.info, EsclipError):  # raised while the request was made, not sent
        return error.info
    why = type(error.info).__name__
    remedy = "is it running?"
    if isinstance(error.info, ProtocolError) and address.startswith("http://"):
        remedy = "does its address begin with https://?"
    return StoreUnavailable(f"{address} can't be reached ({why}); {remedy}")


def _untrusted(error: Any, address: str, _: str) -> StoreError:
    why = next((one for one in causes(error) if isinstance(one, ssl.SSLCertVerificationError)), None)
    if why is None:
        return StoreError(f"No TLS with {address}: {error.error}; does its address begin with http://?")
    remedy = UNTRUSTED.get(why.verify_code, "--ca-file (ESCLIP_CA_FILE) names certificates to trust")
    return StoreError(f"{address} can't be trusted: {why.verify_message}; {remedy}")


def _not_found(error: Any, address: str, index: str) -> StoreError:
    if error.error == "index_not_found_exception":
        return index_missing(address, index)
    return StoreError(f"{address} does not know what engines know ({_reason(error)}); check the address.")


def index_missing(address: str, index: str) -> IndexNotFound:
    """What is raised where an index is needed that isn't there."""
    return IndexNotFound(f"There is no index {index} at {address}; ingest pictures to make it.")


def _reason(error: Any) -> str:
    """The server's own words in one line, or the title of a proxy's page."""
    told = error.info.get("error") if isinstance(error.info, Mapping) else None
    parts = (told.get("reason"), told.get(DETAIL)) if isinstance(told, Mapping) else ()
    words = ": ".join(filter(None, parts)) or str(error.error)
    title = re.search(r"<title>(.*?)</title>", words, re.DOTALL)
    words = title[1].removeprefix(str(error.status_code)) if title else words
    return " ".join(f"{error.status_code} {words}".split())[:500]


SPEAKS_TLS = re.compile("HTTP request (was sent )?to (an )?HTTPS", re.IGNORECASE)
"""In the answer of a proxy that wants TLS and gets none."""
DETAIL = "additional_unsuccessful_credentials"
"""Where Elasticsearch says what is wrong with an API key."""
UNTRUSTED = {
    10: "it has to be renewed",
    62: "is this the name that the certificate is for?",
    64: "is this the address that the certificate is for?",
}
"""What to do about a certificate, by OpenSSL's number for what is wrong with it."""

TRANSLATIONS: dict[type[Exception], Callable[[Any, str, str], EsclipError]] = {
    exceptions.ConnectionTimeout: lambda _, address, __: StoreUnavailable(
        f"{address} did not answer in time; try again."
    ),
    exceptions.SSLError: _untrusted,
    exceptions.ConnectionError: _unreachable,
    exceptions.AuthenticationException: lambda error, address, _: StoreError(
        f"{address} does not let you in ({_reason(error)}); "
        "give --user and ESCLIP_PASSWORD, or ESCLIP_API_KEY, or --aws-region"
    ),
    exceptions.AuthorizationException: lambda error, address, index: Forbidden(
        f"{address} does not allow what was asked for index {index} ({_reason(error)}); "
        'README.md says what a user needs, under "A cluster with a lock on it"'
    ),
    exceptions.NotFoundError: _not_found,
    exceptions.TransportError: _refused,
    exceptions.SerializationError: lambda _, address, __: StoreError(
        f"{address} answered with something that isn't JSON; is it an OpenSearch or Elasticsearch?"
    ),
    exceptions.OpenSearchException: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.OpenSearchDslException: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.ImproperlyConfigured: lambda error, address, _: StoreError(f"{address}: {error}"),
    exceptions.OpenSearchWarning: lambda error, address, _: StoreError(f"{address} warned: {error}"),
}
"""Every exception of the client, or a base of it, and what it is to us."""
