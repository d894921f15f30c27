"""Runs an ASGI application by uvicorn, with limits on what clients leave unfinished.

    sockets ─► _Connection: a deadline for the head, so many connections ─► ASGI application
    (one thread, an event loop)

`stop` ends it: requests in flight are finished first.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from types import TracebackType
from typing import Any, Generic, TypeVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from esclip._errors import ConfigError, error_text
from esclip._server.http import JSON, MAX_HEAD_BYTES, AsgiApp, HttpError, Limits

GRACE_PERIOD_S = 30.0
"""For requests in flight after `stop`."""
KEEP_ALIVE_S = 120
"""For the next request on a connection."""

A = TypeVar("A", bound=AsgiApp)


class HttpServer(Generic[A]):
    """An application at an address. Use it with `with`, which closes the application too."""

    def __init__(self, app: A, *, host: str, port: int, limits: Limits | None = None) -> None:
        """Listen, but respond to nothing before `run`. `port` 0 is any that is free.

        Raises `ConfigError` for a host or port that can't be listened at.
        """
        self.app = app
        limits = limits or Limits()
        try:
            self._listener = _listen(host, port, limits.connections)
        except BaseException:
            app.close()
            raise
        bound = self._listener.getsockname()
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{bound[1]}"
        """What clients connect to."""
        self.is_local = ipaddress.ip_address(bound[0]).is_loopback
        """Whether only this machine can connect."""
        config = uvicorn.Config(
            app,
            http=type("Connection", (_Connection,), {"limits": limits}),
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level=logging.CRITICAL,  # what clients send is not this machine's trouble
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=1,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        )
        self._server = _Server(config, self._request_end)

    def __enter__(self) -> HttpServer[A]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.app.close()

    def run(self) -> None:
        """Respond to requests until `stop`, then finish those that have arrived."""
        self._server.run(sockets=[self._listener])

    def stop(self) -> bool:
        """End `run`, from any thread or a signal's handler. True: it will end."""
        self._server.should_exit = True
        return True

    def _request_end(self) -> None:
        self.app.stopping = True


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=backlog)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"can't listen at {host}, port {port} ({error_text(error)}); choose another"
        ) from error


class _Server(uvicorn.Server):
    """Goes on responding after `should_exit` until what has arrived is answered; leaves signals alone."""

    def __init__(self, config: uvicorn.Config, request_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._request_end = request_end
        self._deadline = 0.0

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # a generator there
        return nullcontext()

    async def on_tick(self, counter: int) -> bool:
        """Whether to end. Called ten times a second."""
        if not await super().on_tick(counter):
            return False
        if not self._deadline:
            self._request_end()
            self._deadline = time.monotonic() + GRACE_PERIOD_S
            return False  # requests that are in the sockets' buffers have a tick to arrive
        connections: Any = self.server_state.connections
        return time.monotonic() > self._deadline or not any(one.is_answering for one in connections)


class _Connection(H11Protocol):
    """A connection whose request heads have a deadline, and that makes room for others while it is idle."""

    limits: Limits

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.since = time.monotonic()
        """When it began to wait for a request."""
        self._head_deadline: asyncio.TimerHandle | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it has no whole head that is not answered yet."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_answering(self) -> bool:
        """Whether a request has arrived whose response has not been sent whole.

        One whose application sets `responds_early` in its state is responded to while its body arrives.
        """
        if self.is_idle:
            return self.transport.get_write_buffer_size() > 0
        return not self.cycle.more_body or "responds_early" in self.cycle.scope["state"]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        # Sent in several writes, a response would wait 40 ms for an acknowledgement before the last.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start_head_deadline()
        connections: Any = self.connections
        others = [one for one in connections if one is not self and not one.transport.is_closing()]
        if len(others) >= self.limits.connections:
            idle = [one for one in others if one.is_idle and not one.is_answering]
            min(idle, key=lambda one: one.since, default=self).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.is_idle and self._head_deadline is None:
            self._start_head_deadline()
        super().data_received(data)
        if not self.is_idle:
            self._cancel_head_deadline()

    def on_response_complete(self) -> None:
        self.since = time.monotonic()
        super().on_response_complete()

    def shutdown(self) -> None:
        """Close, unless a request is being answered."""
        super().shutdown()
        if not self.is_idle and not self.is_answering:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP request, with the status that h11 names."""
        cause = sys.exc_info()[1]
        status = HTTPStatus(cause.error_status_hint if isinstance(cause, h11.RemoteProtocolError) else 400)
        error = HttpError(status, f"{status.phrase}: {cause or msg}")
        headers = [("Content-Type", JSON), ("Content-Length", str(len(error.body))), ("Connection", "close")]
        for event in (
            h11.Response(status_code=status, headers=headers, reason=status.phrase),
            h11.Data(data=error.body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _start_head_deadline(self) -> None:
        self._head_deadline = self.loop.call_later(self.limits.head_seconds, self.transport.abort)

    def _cancel_head_deadline(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None
