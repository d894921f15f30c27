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
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any

import waitress.server
from PIL import Image
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ErrorTask

from esclip._encoder_app import CALLERS, EncoderApp, Head, Refused
from esclip._errors import ConfigError
from esclip._protocols import Encoder
from esclip._secrets import Secret
from esclip._signals import signals_ask
from esclip.encoders._wire import JSON

__all__ = ["EncoderServer", "open_server"]

CONNECTIONS = 1000
SPARE_THREADS = 8
"""For answers that wait for nothing."""
GRACE_S = 30.0
"""For what is in flight when it stops."""
TURN_S = 0.5
IN_MEMORY = 16 << 20
"""The longest body that is not written to a temporary file while it arrives."""

_log = logging.getLogger("esclip")


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
        self, encoder: Encoder, *, host: str, port: int, token: str | None, batch_size: int, max_body: int
    ) -> None:
        """Listen, but answer nothing before `run`. `port` 0 is any that is free."""
        token = Secret(token) if token is not None else None
        listening = _listen(host, port)
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
            connection_limit=CONNECTIONS,
            max_request_body_size=max_body + 1,
            max_request_header_size=1 << 14,
            inbuf_overflow=IN_MEMORY,
            outbuf_overflow=IN_MEMORY,
            recv_bytes=1 << 18,
            asyncore_use_poll=True,
            log_socket_errors=False,
            ident="esclip",
        )
        self._server.channel_class = lambda *args, **named: _Channel(self.app, *args, **named)

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

    def run_until_signal(self, on_ready: Callable[[], object]) -> int:
        """The same until SIGTERM or SIGINT, which may come from `on_ready` on; which of them it was."""
        with signals_ask(self._ask) as received:
            on_ready()
            self.run()
        return received[0]

    def stop(self) -> None:
        """End `run`, from any thread or a signal's."""
        self._stopped.set()
        self._server.pull_trigger()

    def _ask(self) -> bool:
        self.stop()
        return True

    def _turn(self, seconds: float) -> None:
        wasyncore.loop(seconds, use_poll=True, map=self._sockets, count=1)

    def _busy(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=CONNECTIONS)
    except (OSError, OverflowError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"can't listen at {host}, port {port} ({words}); choose another") from error


class _Refusal(ErrorTask):  # type: ignore[misc]  # waitress is untyped
    """The answer to a request that was not let pass: as the application's, also where waitress refuses."""

    def execute(self) -> None:
        error = self.request.error
        if not isinstance(error, Refused):
            words = " ".join(f"{error.reason}: {error.body}".split())
            error = Refused(HTTPStatus(error.code), words)
        self.status = f"{error.status.value} {error.status.phrase}"
        self.response_headers += [("Content-Type", JSON), *error.headers.items()]
        self.set_close_on_finish()
        self.content_length = len(error.body)
        self.write(error.body)


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress is untyped
    """Asks the application about a request before it reads its body."""

    def __init__(self, app: EncoderApp, adj: Any) -> None:
        super().__init__(adj)
        self._app = app

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # a length of thousands of digits
            raise ParsingError("Header invalid") from error
        try:
            self._app.admit(Head.of(self.command, self.path, self.headers))
        except Refused as refused:
            self.error = refused
            self.completed = True
            self.content_length = 0  # or waitress finds words of its own for one that is too long
            self.expect_continue = False


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    error_task_class = _Refusal

    def __init__(self, app: EncoderApp, *args: Any, **named: Any) -> None:
        self.parser_class = lambda adj: _Parser(app, adj)
        super().__init__(*args, **named)
