"""Requests to a search service: JSON there and back, its problems as the library's own errors.

method, path, body ─► ServerClient ─┬─► JSON ─► read by answers.py, or "no esclip search service"
                                    └─► problem (RFC 9457) ─► ConfigError, DocumentNotFound, StoreError ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import orjson

from esclip._concurrency.retry import SERVICE
from esclip._concurrency.streams import batches
from esclip._core.text_forms import is_unicode
from esclip._core.types import MAX_ID_BYTES
from esclip._errors import (
    ConfigError,
    DecodeError,
    DocumentNotFound,
    EncoderError,
    EsclipError,
    FetchError,
    FieldNotFound,
    Hint,
    IndexMismatch,
    IndexNotFound,
    StoreError,
    StoreUnavailable,
    one_line,
)
from esclip._errors.reasons import Reason
from esclip._errors.secrets import Address, Secret
from esclip._files.locations import server_address
from esclip._net.server_client import Refusal, Reply, ServerClient, ServerKind

T = TypeVar("T")

MAX_ANSWER = 128 << 20
"""Bytes of a response: 1,000 hits with 100 kB of metadata each."""
CONNECTIONS = 16
ADDRESS = "http://127.0.0.1:8080"
"""What an address is like."""

SERVICE_KIND = ServerKind(
    setting="client",
    name="search service",
    like=ADDRESS,
    command="esclip serve",
    broken=StoreError,
    unavailable=StoreUnavailable,
    attempts=3,
)

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}
DOCUMENTS = "/v1/documents"
MAX_IDS = 100
"""Documents of a response."""
MAX_URL_IDS = 8000
"""Bytes of ids in a URL."""
ENCODING = 20.0
"""Times as long as a search takes what encodes many pictures."""


class Connection:
    """Sends requests to one service. Thread-safe."""

    def __init__(self, address: object, token: Secret | None, timeout: float) -> None:
        """Connect to nothing yet. Raises `ConfigError` for an address or a token that can't be used."""
        self._server = ServerClient(SERVICE_KIND, _require_address(address), token, connections=CONNECTIONS)
        self._policy = replace(SERVICE, timeout=timeout)
        self._closed = False
        self.address = self._server.address
        self.access = "token" if token is not None else None
        """How the service authenticates us; None where it need not."""

    def close(self) -> None:
        """Close the connections; requests raise `ConfigError` then."""
        self._closed = True
        self._server.close()

    def get(
        self,
        path: str,
        read: Callable[[Any], T],
        parameters: Sequence[tuple[str, str]] = (),
        *,
        method: str = "GET",
    ) -> T:
        """What `read` makes of the JSON at a path."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self.read(self.request(method, path + query), read)

    def post(self, path: str, body: bytes, read: Callable[[Any], T], *, patience: float = 1.0) -> T:
        """What `read` makes of the JSON that a JSON body is answered with."""
        return self.read(self.request("POST", path, body, JSON, patience=patience), read)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        patience: float = 1.0,
    ) -> Reply:
        """The response, waited for `patience` times as long as for a search.

        Raises the error that a problem is, and `StoreUnavailable`.
        """
        if self._closed:
            raise ConfigError("the client is closed; make another one")
        return self._server.request(
            method,
            path,
            body,
            headers=headers,
            max_bytes=MAX_ANSWER,
            policy=replace(self._policy, timeout=patience * self._policy.timeout),
            refuse=self._refusal,
        )

    def read(self, reply: Reply, read: Callable[[Any], T]) -> T:
        """What `read` makes of a response's JSON. Raises `StoreError` where it is another server's."""
        return self._checked(lambda: read(orjson.loads(reply.body)))

    def read_lines(self, reply: Reply, read: Callable[[list[Any]], T]) -> T:
        """What `read` makes of a response's lines of JSON. Raises `StoreError` for another server's."""
        return self._checked(lambda: read([orjson.loads(line) for line in reply.body.splitlines() if line]))

    def error(self, problem: Mapping[str, Any]) -> EsclipError | ValueError:
        """The error that a problem is, of a response or of an item of it."""
        slug = _text(problem, "type").removeprefix("/problems/")
        title = _text(problem, "title") or slug
        detail = _text(problem, "detail")
        said = f"{title.lower()}: {detail}" if detail else title.lower()
        match slug:
            case "unknown-field":
                return FieldNotFound(_text(problem, "message") or detail or title)
            case "bad-query" | "too-large":
                return _own_error(_text(problem, "raises"), detail or title)
            case "unknown-document":
                return DocumentNotFound(f"search service {self.address}: {detail or title}")
            case "index-not-found":
                return IndexNotFound(
                    f"the index of search service {self.address} does not exist, or is empty", Hint.INGEST
                )
            case "index-mismatch":
                return IndexMismatch(f"search service {self.address}: {said}")
            case "bad-picture":
                return DecodeError(_reason(problem, Reason.NOT_AN_IMAGE), detail or title)
            case "picture-not-fetched":
                return FetchError(_reason(problem, Reason.BAD_URL), detail or title)
        return self._error_of_service(slug, said, one_line(_text(problem, "request"), 40))

    def _error_of_service(self, slug: str, said: str, request: str) -> EsclipError:
        """The error of a problem that is not one of what was asked."""
        match slug:
            case "unauthorized":
                return self._server.error("wants a token, or another one", "give it as token")
            case "wrong-host":
                return self._server.error(
                    "is not reached by this name", "it has to be started with that name among its hosts"
                )
            case "read-only":
                return self._server.error("is read-only", "it has to be started as a writable one")
            case "internal" | "store-failed":
                return self._server.error("failed", f"its own log says more of the request {request}")
            case "overloaded" | "store-unavailable" | "timeout" | "request-timeout":
                return self._server.unavailable(f"can't answer now ({said})", "try again later")
        return self._server.error(f"refused a request ({said})", "are both of one version?")

    def _checked(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise self._server.protocol_error(f"its answer is not one's: {type(error).__name__}") from None

    def _refusal(self, refusal: Refusal) -> Exception:
        problem = _problem(refusal)
        if problem is None and not refusal.is_busy:
            return self._server.protocol_error(f"it answers {refusal.status}")
        if problem is None:
            error: Exception = self._server.unavailable(
                f"is too busy or not ready ({refusal.status})", "try again later"
            )
        else:
            error = self.error(problem)
        return refusal.again(error) if isinstance(error, StoreUnavailable) else error


def _require_address(address: object) -> str:
    """The address of a service. Raises `ConfigError` for any other."""
    if not isinstance(address, str):
        raise ConfigError(f"the client's address is of type {type(address).__name__}; it is like {ADDRESS}")
    scheme, separator, rest = address.strip().partition("://")
    if separator and scheme.lower() in ("grpc", "grpcs", "ws", "wss", "websocket", "websockets"):
        secure = "s" if scheme.lower() in ("grpcs", "wss", "websockets") else ""
        shown = one_line(rest.rpartition("@")[2], 200)
        raise ConfigError(
            f"the client's address begins with {scheme}://, and a search service speaks HTTP; "
            f"write http{secure}://{shown}"
        )
    checked = server_address(address, "client")
    if checked is None:
        raise ConfigError(f"the client's address is no server's; it is like {ADDRESS}")
    return Address(checked)


def _problem(refusal: Refusal) -> Mapping[str, Any] | None:
    """The problem of a response; None where it is no search service's."""
    if refusal.content_type != "application/problem+json":
        return None
    try:
        problem = orjson.loads(refusal.body)
    except orjson.JSONDecodeError:
        return None
    known = isinstance(problem, dict) and _text(problem, "type").startswith("/problems/")
    return problem if known else None


def _text(problem: Mapping[str, Any], name: str) -> str:
    value = problem.get(name)
    return one_line(value) if isinstance(value, str) else ""


def _own_error(name: str, detail: str) -> EsclipError | ValueError:
    """The error that the same call of the library raises."""
    if name == "ValueError":
        return ValueError(detail)
    return EncoderError(detail) if name == "EncoderError" else ConfigError(detail)


def _reason(problem: Mapping[str, Any], default: Reason) -> Reason:
    value = _text(problem, "reason")
    return next((reason for reason in Reason if reason.value == value), default)


def can_be_id(id: str) -> bool:
    """Whether a service can be asked for an id: no document has another."""
    return 0 < len(id) <= MAX_ID_BYTES and is_unicode(id)


def pages_of_ids(ids: Iterable[str]) -> Iterator[list[str]]:
    """Ids in order, so many that a URL has room for them."""
    return batches(ids, MAX_IDS, weigh=lambda id: len(quote(id)), max_weight=MAX_URL_IDS)
