"""An `HttpApp` as an ASGI application: requests are admitted by their head, and their bodies are bounded.

head ─► authorize ─► body, by its deadline, within the bytes of all ─► respond, in a thread ─► Response
           └────────────────────────────────┴──────────────────────────────┴─► {"error": "..."}
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from esclip._server.http import (
    JSON,
    MAX_HEAD_BYTES,
    HttpApp,
    HttpError,
    Limits,
    RequestHead,
    Response,
    unavailable,
)

SPARE_THREADS = 8
"""For requests that are answered at once."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_log = logging.getLogger("esclip")


class Admission:
    """The ASGI application. One event loop calls it."""

    def __init__(self, app: HttpApp, limits: Limits) -> None:
        self._app = app
        self._body_seconds = limits.body_seconds
        self._free_bytes = max(limits.buffered_bytes, app.max_body)
        self._threads = ThreadPoolExecutor(app.concurrency + SPARE_THREADS, "esclip-http")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body: list[bytes] = []
        whole = False
        headers: dict[str, str] = {}
        try:
            head = _head_of(scope)
            self._app.authorize(head)
            whole = await self._read(receive, body)
            if not whole:
                return
            respond = self._app.respond
            response = await asyncio.get_running_loop().run_in_executor(
                self._threads, respond, head, b"".join(body)
            )
        except HttpError as error:
            response, headers = Response(error.body, JSON, error.status), dict(error.headers)
        finally:
            self._free_bytes += _size(body)
        if not whole:
            headers["Connection"] = "close"
        await _send(send, response, headers)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _read(self, receive: Receive, body: list[bytes]) -> bool:
        """Append the request's body; False where the client went away."""
        try:
            async with asyncio.timeout(self._body_seconds):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    self._append(body, message.get("body", b""))
                    more = message.get("more_body", False)
        except TimeoutError:
            message_text = f"the body did not come in {self._body_seconds:g} s"
            raise HttpError(HTTPStatus.REQUEST_TIMEOUT, message_text) from None
        return True

    def _append(self, body: list[bytes], data: bytes) -> None:
        if _size(body) + len(data) > self._app.max_body:
            raise HttpError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"a longer body; at most {self._app.max_body} bytes are taken",
            )
        if len(data) > self._free_bytes:
            raise unavailable("as many bodies are on their way as may")
        self._free_bytes -= len(data)
        body.append(data)


def _size(body: list[bytes]) -> int:
    return sum(map(len, body))


def _head_of(scope: Message) -> RequestHead:
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEAD_BYTES:
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE  # of a head that came at once h11 checks no size
        raise HttpError(status, f"the request's head has more than {MAX_HEAD_BYTES} bytes")
    headers = {
        name.decode("latin-1").upper().replace("-", "_"): value.decode("latin-1")
        for name, value in scope["headers"]
    }
    return RequestHead.of(scope["method"], scope["path"], headers)


async def _send(send: Send, response: Response, headers: dict[str, str]) -> None:
    fields = {"Content-Type": response.content_type, "Content-Length": str(len(response.body)), **headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": response.status.value, "headers": encoded})
    await send({"type": "http.response.body", "body": response.body})
