"""Reading of bodies within limits, and applications that respond to whole requests.

head ─► authorize ─► body, by its deadline, within the bytes of all ─► respond, in a thread ─► Response
           └────────────────────────────────┴──────────────────────────────┴─► {"error": "..."}
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from http import HTTPStatus

from esclip._server.http import (
    JSON,
    MAX_HEAD_BYTES,
    HttpError,
    Limits,
    Message,
    Receive,
    RequestHead,
    Response,
    Send,
    unavailable,
)

SPARE_THREADS = 8
"""For requests that are answered at once."""


class BodyReader:
    """Reads bodies of up to `max_body` bytes. One event loop uses it."""

    def __init__(self, limits: Limits, max_body: int) -> None:
        self._max_body = max_body
        self._seconds = limits.body_seconds
        self._free_bytes = max(limits.buffered_bytes, max_body)

    @asynccontextmanager
    async def read(self, receive: Receive) -> AsyncIterator[bytes | None]:
        """Context manager: a request's body, which counts until the end; None where the client went away.

        Raises `HttpError` for a body that is too long or too slow, or when too many bodies are held.
        """
        chunks: list[bytes] = []
        try:
            whole = await self._collect(receive, chunks)
            yield b"".join(chunks) if whole else None
        finally:
            self._free_bytes += _size(chunks)

    async def _collect(self, receive: Receive, chunks: list[bytes]) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    self._append(chunks, message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            late = f"the body did not come in {self._seconds:g} s"
            raise HttpError(HTTPStatus.REQUEST_TIMEOUT, late) from None
        return True

    def _append(self, chunks: list[bytes], data: bytes) -> None:
        if _size(chunks) + len(data) > self._max_body:
            too_long = f"a longer body; at most {self._max_body} bytes are taken"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_long)
        if len(data) > self._free_bytes:
            raise unavailable("as many bodies are on their way as may")
        self._free_bytes -= len(data)
        chunks.append(data)


class BufferedApp(ABC):
    """An ASGI application that responds to whole requests, each in a thread."""

    def __init__(self, limits: Limits, *, max_body: int, concurrency: int) -> None:
        """Take bodies of up to `max_body` bytes, and let so many requests wait for something at a time."""
        self.max_body = max_body
        self.stopping = False
        """Set by the server when no new work shall begin."""
        self._bodies = BodyReader(limits, max_body)
        self._threads = ThreadPoolExecutor(concurrency + SPARE_THREADS, "esclip-http")

    @abstractmethod
    def authorize(self, head: RequestHead) -> None:
        """Let a request pass, or raise `HttpError`. Called before the body is read."""

    @abstractmethod
    def respond(self, head: RequestHead, body: bytes) -> Response:
        """The response. Raises `HttpError`. Thread-safe."""

    def close(self) -> None:
        """Finish what has begun, and end all threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        headers = {"Connection": "close"}  # unless the whole body has been read
        try:
            head = read_head(scope)
            self.authorize(head)
            async with self._bodies.read(receive) as body:
                if body is None:
                    return
                headers = {}
                loop = asyncio.get_running_loop()
                response = await loop.run_in_executor(self._threads, self.respond, head, body)
        except HttpError as error:
            response, headers = Response(error.body, JSON, error.status), {**headers, **error.headers}
        await send_response(send, response, headers)


def read_head(scope: Message) -> RequestHead:
    """The head of an ASGI request. Raises `HttpError` for one that is too long, or ambiguous."""
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE  # of a head that came at once h11 checks no size
        raise HttpError(status, f"the request's head has more than {MAX_HEAD_BYTES} bytes")
    headers = {
        name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
        for name, value in scope["headers"]
    }
    head = RequestHead.of(scope["method"], scope["path"], headers)
    head.require_one_length()
    return head


async def send_response(send: Send, response: Response, headers: dict[str, str]) -> None:
    """Send a whole response with further headers."""
    fields = {"Content-Type": response.content_type, "Content-Length": str(len(response.body)), **headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": response.status.value, "headers": encoded})
    await send({"type": "http.response.body", "body": response.body})


def _size(chunks: list[bytes]) -> int:
    return sum(map(len, chunks))
