"""What servers and their applications share: heads of requests, responses, errors, limits, ASGI's types.

`http_server.py` runs an ASGI application; `encoder_app.py` is one.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias

import orjson

from esclip._errors.counts import pluralize
from esclip._errors.secrets import Secret

Message: TypeAlias = MutableMapping[str, Any]
"""A request's scope, or an event, as the ASGI specification has them."""
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

JSON = "application/json"

RETRY_AFTER_S = 1

MAX_HEAD_BYTES = 1 << 14
"""Of a request's head."""


class HttpError(Exception):
    """A response other than a success."""

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}

    @property
    def body(self) -> bytes:
        """The message as JSON."""
        return orjson.dumps({"error": str(self)})


def unavailable(message: str) -> HttpError:
    """The response to a client that should retry soon."""
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_AFTER_S)})


@dataclass(frozen=True, slots=True)
class Limits:
    """What all clients together may use of a server, whether they have the token or not."""

    connections: int = 1000
    """When one more comes, the one that has been idle, or without a whole head, for longest is closed."""
    head_seconds: float = 10.0
    """For a request's head, from its first byte; for the first head, from the connection."""
    body_seconds: float = 120.0
    """For a body, from the end of its head."""
    chunk_seconds: float = 60.0
    """For the next bytes of a body that is used as it comes, and for its client to read a response."""
    buffered_bytes: int = 256 << 20
    """Of bodies that are not answered yet. Further ones are refused with Retry-After."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its body."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By their names in upper case, with `_` for `-`."""

    @classmethod
    def of(cls, method: str, path: str, headers: Mapping[str, str]) -> RequestHead:
        """With credentials that no traceback shows."""
        if "AUTHORIZATION" in headers:
            headers = {**headers, "AUTHORIZATION": Secret(headers["AUTHORIZATION"])}
        return cls(method, path, headers)

    def header(self, name: str) -> str:
        """A header's value; empty where it isn't sent."""
        return self.headers.get(name.upper().replace("-", "_"), "")

    @property
    def content_type(self) -> str:
        """Without parameters, in lower case."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    @property
    def content_length(self) -> int:
        """0 where it isn't sent."""
        length = self.header("Content-Length")[:20]
        return int(length) if length.isdecimal() else 0

    def require_one_length(self) -> None:
        """Raise `HttpError` for a body of two lengths: a proxy may take the other."""
        if self.header("Transfer-Encoding") and self.header("Content-Length"):
            raise HttpError(HTTPStatus.BAD_REQUEST, "both Transfer-Encoding and Content-Length are given")

    def require_plain_body(self) -> None:
        """Raise `HttpError` for a compressed body: it could be any number of times as long."""
        if self.header("Content-Encoding").strip().lower() not in ("", "identity"):
            message = "compressed bodies are not taken: leave Content-Encoding out"
            raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.content_length > 0 or bool(self.header("Transfer-Encoding"))

    def require_route(self, routes: Mapping[str, tuple[str, str]]) -> None:
        """Raise `HttpError` when `routes` have no such path, or another method for it."""
        if self.path not in routes:
            raise HttpError(HTTPStatus.NOT_FOUND, f"there is no {self.path[:100]!r} here")
        method, _ = routes[self.path]
        if self.method != method:
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, f"{self.path} takes {method}", {"Allow": method})

    def require_authorization(self, expected: str) -> None:
        """Raise `HttpError` without this Authorization. Takes as long for any other."""
        given = self.header("Authorization")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise HttpError(HTTPStatus.UNAUTHORIZED, "wants a token", {"WWW-Authenticate": "Bearer"})

    def require_body(self, content_type: str, max_bytes: int) -> None:
        """Raise `HttpError` for a longer body, or one of another type."""
        if self.content_length > max_bytes:
            message = f"a body of {pluralize(self.content_length, 'byte')}; at most {max_bytes:,} are taken"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        if content_type and self.content_type != content_type:
            raise HttpError(
                HTTPStatus.BAD_REQUEST, f"Content-Type is {self.content_type[:100]!r}, not {content_type}"
            )


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request."""

    body: bytes
    content_type: str = JSON
    status: HTTPStatus = HTTPStatus.OK


class AsgiApp(Protocol):
    """An application that a server runs."""

    stopping: bool
    """Set by the server when no new work shall begin."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to one request."""

    def close(self) -> None:
        """Finish what has begun, and end all threads."""
