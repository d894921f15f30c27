"""`esclip serve-encoder`: an encoder at an address, for clients on other machines.

    sockets ─► waitress ─► EncoderApp ─► Batcher ─► encoder
    (one thread)  (a thread for each request that waits)

It listens when the encoder has been loaded and tried, so that one that can be reached is ready. A signal ends
it: what is in flight is finished first, a second signal ends it at once.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any

import waitress.server
from PIL import Image
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from esclip._errors import ConfigError
from esclip._protocols import Encoder
from esclip._server.encoder_app import CALLERS, EncoderApp, HttpError, RequestHead, unavailable
from esclip._text.secrets import Secret
from esclip.encoders.remote.protocol import JSON

__all__ = ["EncoderServer", "Limits", "open_server"]

SPARE_THREADS = 8
"""For answers that wait for nothing."""
GRACE_S = 30.0
"""For what is in flight when it stops."""
TURN_S = 0.5
SWEEP_S = 0.25
"""Between two looks for connections that take too long."""
IN_MEMORY = 16 << 20
"""The longest body that is not written to a temporary file while it arrives."""

_log = logging.getLogger("esclip")


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may take of a server, all of them together: who has no token can do no more than that."""

    connections: int = 1000
    """Of more, the one that has been silent or unfinished in its head for the longest is closed."""
    head_seconds: float = 10.0
    """For a request's head, from its first byte, or from the connection for the first."""
    body_seconds: float = 120.0
    """For a body, from the end of its head."""
    buffered: int = 256 << 20
    """Bytes of bodies that have come and are not answered yet; who brings more is asked to come again."""


class _Buffered:
    """How many bytes of bodies are held. Safe from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> bool:
        """Count so many more, or fewer; False, and nothing counted, where that would be too many."""
        with self._lock:
            if size > 0 and self._held + size > self._most:
                return False
            self._held += size
            return True


def open_server(
    encoder: Encoder, *, host: str, port: int, token: str | None, batch_size: int, max_body: int
) -> EncoderServer:
    """The encoder at `host` and `port`, tried before. `run` it.

    Raises `EncoderError` when it doesn't work, `ConfigError` for a setting that can't be used.
    """
    token = Secret(token) if token is not None else None
    encoder.encode_images([encoder.preprocess(Image.new("RGB", (64, 64), "red"))])
    encoder.encode_texts(["a red picture"])
    return EncoderServer(encoder, host=host, port=port, token=token, batch_size=batch_size, max_body=max_body)


class EncoderServer:
    """An encoder at an address. Use it with `with`."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        host: str,
        port: int,
        token: str | None,
        batch_size: int,
        max_body: int,
        limits: Limits | None = None,
    ) -> None:
        """Listen, but answer nothing before `run`. `port` 0 is any that is free."""
        self._limits = limits or Limits()
        self._swept = 0.0
        token = Secret(token) if token is not None else None
        listening = _listen(host, port, self._limits.connections)
        try:
            self.app = EncoderApp(encoder, token=token, batch_size=batch_size, max_body=max_body)
        except BaseException:
            listening.close()
            raise
        self._stopped = threading.Event()
        self._sockets: dict[int, Any] = {}
        self.address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        """Where clients find it."""
        if token is None and not ipaddress.ip_address(listening.getsockname()[0]).is_loopback:
            _log.warning("%s answers whoever can reach it; give a token (ESCLIP_ENCODER_TOKEN)", self.address)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that threads wait is what they are for
        self._server = waitress.server.create_server(
            self.app,
            map=self._sockets,
            sockets=[listening],
            threads=CALLERS + SPARE_THREADS,
            connection_limit=self._limits.connections + SPARE_THREADS,
            max_request_body_size=max_body + 1,
            max_request_header_size=1 << 14,
            inbuf_overflow=IN_MEMORY,
            outbuf_overflow=IN_MEMORY,
            recv_bytes=1 << 18,
            asyncore_use_poll=True,
            log_socket_errors=False,
            ident="esclip",
        )
        buffered = _Buffered(max(self._limits.buffered, max_body))

        def channel(*args: Any, **named: Any) -> _Channel:
            self._make_room()
            return _Channel(self.app, buffered, *args, **named)

        self._server.channel_class = channel

    def __enter__(self) -> EncoderServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._sockets, ignore_all=True)
        self.app.close()

    def run(self) -> None:
        """Answer requests until `stop`, then finish those that have arrived."""
        while not self._stopped.is_set():
            self._turn(TURN_S)
        self.app.stopping = True
        end = time.monotonic() + GRACE_S
        while self._busy() and time.monotonic() < end:
            self._turn(TURN_S / 10)

    def stop(self) -> bool:
        """End `run`, from any thread or a signal's handler. True: it will end."""
        self._stopped.set()
        self._server.pull_trigger()
        return True

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(seconds, use_poll=True, map=self._sockets, count=1)
        now = time.monotonic()
        if now >= self._swept + SWEEP_S:
            self._swept = now
            for channel in list(self._server.active_channels.values()):
                if channel.is_late(now, self._limits):
                    channel.handle_close()

    def _make_room(self) -> None:
        """Close the connections that have waited longest for a head, so that a new one is never refused."""
        channels = list(self._server.active_channels.values())
        excess = len(channels) - self._limits.connections + 1
        if excess > 0:
            idle = sorted((one for one in channels if one.is_idle), key=lambda one: one.since)
            for channel in idle[:excess]:
                channel.handle_close()

    def _busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def _listen(host: str, port: int, waiting: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=waiting)
    except (OSError, OverflowError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"can't listen at {host}, port {port} ({words}); choose another") from error


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress is untyped
    """The answer to a request that was not let pass: as the application's, also where waitress refuses."""

    def execute(self) -> None:
        error = self.request.error
        if not isinstance(error, HttpError):
            words = " ".join(f"{error.reason}: {error.body}".split())
            error = HttpError(HTTPStatus(error.code), words)
        self.status = f"{error.status.value} {error.status.phrase}"
        self.response_headers += [("Content-Type", JSON), *error.headers.items()]
        self.set_close_on_finish()
        self.content_length = len(error.body)
        self.write(error.body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress is untyped
    """Asks the application about a request before it reads its body, for which there must be room."""

    error: Any = None

    def __init__(self, app: EncoderApp, buffered: _Buffered, adj: Any) -> None:
        super().__init__(adj)
        self._app = app
        self._buffered = buffered
        self._held = 0

    def received(self, data: bytes) -> int:
        """Take the next bytes; how many of them are this request's."""
        taken: int = super().received(data)
        if self.body_bytes_received > self._held and self.error is None:
            if self._buffered.add(self.body_bytes_received - self._held):
                self._held = self.body_bytes_received
            else:
                self.close()
                self.error = unavailable("as many bodies are on their way as may")
                self.completed = True
        return taken

    def close(self) -> None:
        """Free what is held of the body."""
        super().close()
        held, self._held = self._held, 0
        self._buffered.add(-held)

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a length of thousands of digits
            raise ParsingError("Header invalid") from error
        try:
            self._app.admit(RequestHead.of(self.command, self.path, self.headers))
        except HttpError as refused:
            self.error = refused
            self.completed = True
            self.content_length = 0  # or waitress finds words of its own for one that is too long
            self.expect_continue = False


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    error_task_class = _Refusal

    def __init__(self, app: EncoderApp, buffered: _Buffered, *args: Any, **named: Any) -> None:
        self.parser_class = lambda adj: _Parser(app, buffered, adj)
        self.since = time.monotonic()
        """When it began to wait for what it waits for now, as the last sweep saw it."""
        self._seen: Any = None
        super().__init__(*args, **named)

    @property
    def is_idle(self) -> bool:
        """Whether nothing that was let in is on its way here, or an answer back."""
        reading_body = self.request is not None and self.request.headers_finished
        return not (self.requests or self.total_outbufs_len or reading_body)

    def is_late(self, now: float, limits: Limits) -> bool:
        """Whether a head or a body takes too long. One that is kept for later has waitress's time."""
        if self.requests or self.total_outbufs_len:
            self._seen, self.since = None, now
            return False
        state = (self.request, self.request is not None and self.request.headers_finished)
        if self._seen is None or self._seen[0] is not state[0] or self._seen[1] != state[1]:
            if self._seen is not None or self.last_activity != self.creation_time:
                self.since = now
            self._seen = state
        if self.request is None:
            fresh = self.last_activity == self.creation_time
            return fresh and now - self.since > limits.head_seconds
        return now - self.since > (limits.body_seconds if state[1] else limits.head_seconds)

    def handle_close(self) -> None:
        """Close, and free what has come of a body."""
        super().handle_close()
        if self.request is not None:
            self.request.close()
