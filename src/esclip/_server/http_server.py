"""Runs an HTTP application by waitress, with deadlines, limits, and authorization before the body.

    sockets ─► waitress ─► head ─► authorize ─► body ─► respond
    (one thread)                             (a thread for each request)

`stop` ends it: requests in flight are finished first. An application knows nothing of waitress or WSGI.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import waitress.server
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from esclip._concurrency.cancellation import POLL_INTERVAL_S
from esclip._errors import ConfigError, error_text
from esclip._server.http import JSON, HttpApp, HttpError, RequestHead, Response, unavailable

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

SPARE_THREADS = 8
"""For requests that are answered at once."""
GRACE_PERIOD_S = 30.0
"""For requests in flight after `stop`."""
SWEEP_INTERVAL_S = 0.25
"""Between two checks for connections that take too long."""
MAX_IN_MEMORY = 16 << 20
"""The longest body that is not written to a temporary file while it arrives."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What all clients together may use of a server, whether they have the token or not."""

    connections: int = 1000
    """When one more comes, the one that has been idle, or without a whole head, for longest is closed."""
    head_seconds: float = 10.0
    """For a request's head, from its first byte; for the first head, from the connection."""
    body_seconds: float = 120.0
    """For a body, from the end of its head."""
    buffered_bytes: int = 256 << 20
    """Of bodies that are not answered yet. Further ones are refused with Retry-After."""


A = TypeVar("A", bound=HttpApp)


class HttpServer(Generic[A]):
    """An application at an address. Use it with `with`, which closes the application too."""

    def __init__(self, app: A, *, host: str, port: int, limits: Limits | None = None) -> None:
        """Listen, but respond to nothing before `run`. `port` 0 is any that is free.

        Raises `ConfigError` for a host or port that can't be listened at.
        """
        self.app = app
        self._limits = limits or Limits()
        self._last_sweep = 0.0
        try:
            listener = _listen(host, port, self._limits.connections)
        except BaseException:
            app.close()
            raise
        self._stopped = threading.Event()
        self._sockets: dict[int, Any] = {}
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        """What clients connect to."""
        self.is_local = ipaddress.ip_address(listener.getsockname()[0]).is_loopback
        """Whether only this machine can connect."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # requests that wait are expected
        self._server = waitress.server.create_server(
            self._respond,
            map=self._sockets,
            sockets=[listener],
            threads=app.concurrency + SPARE_THREADS,
            connection_limit=self._limits.connections + SPARE_THREADS,
            max_request_body_size=app.max_body + 1,
            max_request_header_size=1 << 14,
            inbuf_overflow=MAX_IN_MEMORY,
            outbuf_overflow=MAX_IN_MEMORY,
            recv_bytes=1 << 18,
            asyncore_use_poll=True,
            log_socket_errors=False,
            ident="esclip",
        )
        buffered = _ByteBudget(max(self._limits.buffered_bytes, app.max_body))

        def open_channel(*args: Any, **settings: Any) -> _Channel:
            self._close_idle()
            return _Channel(app, buffered, *args, **settings)

        self._server.channel_class = open_channel

    def __enter__(self) -> HttpServer[A]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._sockets, ignore_all=True)
        self.app.close()

    def run(self) -> None:
        """Respond to requests until `stop`, then finish those that have arrived."""
        while not self._stopped.is_set():
            self._poll(POLL_INTERVAL_S)
        self.app.stopping = True
        deadline = time.monotonic() + GRACE_PERIOD_S
        while self._busy() and time.monotonic() < deadline:
            self._poll(POLL_INTERVAL_S / 4)

    def stop(self) -> bool:
        """End `run`, from any thread or a signal's handler. True: it will end."""
        self._stopped.set()
        self._server.pull_trigger()
        return True

    def _respond(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """The WSGI application that waitress calls."""
        headers = {name.removeprefix("HTTP_"): value for name, value in environ.items()}
        head = RequestHead.of(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers)
        extra: Mapping[str, str] = {}
        try:
            self.app.authorize(head)
            response = self.app.respond(head, environ["wsgi.input"].read())
        except HttpError as error:
            response, extra = Response(error.body, JSON, error.status), error.headers
        status = f"{response.status.value} {response.status.phrase}"
        start_response(status, [("Content-Type", response.content_type), *extra.items()])
        return [response.body]

    def _poll(self, seconds: float) -> None:
        wasyncore.loop(seconds, use_poll=True, map=self._sockets, count=1)
        now = time.monotonic()
        if now >= self._last_sweep + SWEEP_INTERVAL_S:
            self._last_sweep = now
            for channel in list(self._server.active_channels.values()):
                if channel.is_late(now, self._limits):
                    channel.handle_close()

    def _close_idle(self) -> None:
        """Close the connections that have been idle for longest, so that a new one is never refused."""
        channels = list(self._server.active_channels.values())
        excess = len(channels) - self._limits.connections + 1
        if excess > 0:
            idle = sorted((c for c in channels if c.is_idle), key=lambda channel: channel.since)
            for channel in idle[:excess]:
                channel.handle_close()

    def _busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=backlog)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"can't listen at {host}, port {port} ({error_text(error)}); choose another"
        ) from error


class _ByteBudget:
    """Bytes of bodies in memory or in temporary files. Thread-safe."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._used = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> bool:
        """Use so many more, or fewer; False, and nothing is changed, where that would be too many."""
        with self._lock:
            if size > 0 and self._used + size > self._maximum:
                return False
            self._used += size
            return True


class _ErrorResponse(ErrorTask):  # type: ignore[misc]  # waitress is untyped
    """The response to a request that was refused before its body: by the application, or by waitress."""

    def execute(self) -> None:
        error = self.request.error
        if not isinstance(error, HttpError):
            error = HttpError(HTTPStatus(error.code), " ".join(f"{error.reason}: {error.body}".split()))
        self.status = f"{error.status.value} {error.status.phrase}"
        self.response_headers += [("Content-Type", JSON), *error.headers.items()]
        self.set_close_on_finish()
        self.content_length = len(error.body)
        self.write(error.body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress is untyped
    """Has the application authorize a request before its body is read, for which there must be room."""

    error: Any = None

    def __init__(self, app: HttpApp, budget: _ByteBudget, adj: Any) -> None:
        super().__init__(adj)
        self._app = app
        self._budget = budget
        self._used = 0

    def received(self, data: bytes) -> int:
        """Read the next bytes. Returns how many of them belong to this request."""
        consumed: int = super().received(data)
        if self.body_bytes_received > self._used and self.error is None:
            if self._budget.add(self.body_bytes_received - self._used):
                self._used = self.body_bytes_received
            else:
                self.close()
                self.error = unavailable("as many bodies are on their way as may")
                self.completed = True
        return consumed

    def close(self) -> None:
        """Free the body's share of the budget."""
        super().close()
        used, self._used = self._used, 0
        self._budget.add(-used)

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a length of thousands of digits
            raise ParsingError("Header invalid") from error
        try:
            self._app.authorize(RequestHead.of(self.command, self.path, self.headers))
        except HttpError as error:
            self.error = error
            self.completed = True
            self.content_length = 0  # or waitress would refuse one that is too long by itself
            self.expect_continue = False


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    error_task_class = _ErrorResponse

    def __init__(self, app: HttpApp, budget: _ByteBudget, *args: Any, **settings: Any) -> None:
        self.parser_class = lambda adj: _Parser(app, budget, adj)
        self.since = time.monotonic()
        """When it began to wait for what it waits for now, as the last sweep saw it."""
        self._state: Any = None
        super().__init__(*args, **settings)

    @property
    def is_idle(self) -> bool:
        """Whether no authorized request is being read, and no response is being written."""
        reading_body = self.request is not None and self.request.headers_finished
        return not (self.requests or self.total_outbufs_len or reading_body)

    def is_late(self, now: float, limits: Limits) -> bool:
        """Whether a head or a body takes too long. Kept-alive connections have waitress's timeout."""
        if self.requests or self.total_outbufs_len:
            self._state, self.since = None, now
            return False
        state = (self.request, self.request is not None and self.request.headers_finished)
        if self._state is None or self._state[0] is not state[0] or self._state[1] != state[1]:
            if self._state is not None or self.last_activity != self.creation_time:
                self.since = now
            self._state = state
        if self.request is None:
            fresh = self.last_activity == self.creation_time
            return fresh and now - self.since > limits.head_seconds
        return now - self.since > (limits.body_seconds if state[1] else limits.head_seconds)

    def handle_close(self) -> None:
        """Close, and free a body's share of the budget."""
        super().handle_close()
        if self.request is not None:
            self.request.close()
