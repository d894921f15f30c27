"""A small HTTP server of pictures on the loopback interface, with every way of misbehaving that we know.

    with PictureServer({"/a.jpg": body(data), "/b.jpg": status(404)}) as server:
        fetch(server.url("/a.jpg"))
        assert server.requests["/a.jpg"] == 1

A route is a function that answers one request. They combine: `in_turn(status(503), body(data))`.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

__all__ = [
    "Exchange",
    "PictureServer",
    "Route",
    "body",
    "certificate",
    "chunked",
    "cut_off",
    "drip",
    "drip_headers",
    "endless",
    "hang_up",
    "in_turn",
    "raw",
    "redirect",
    "stall",
    "status",
    "unused_port",
]


class Exchange(BaseHTTPRequestHandler):
    """One connection's requests; a route writes its answer through it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body written after its head would wait 40 ms for an acknowledgement
    server: _Server

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.requests[path] += 1
        self.server.headers_seen.append(dict(self.headers))
        with suppress(OSError):  # the client may hang up at any time
            self.server.routes.get(path, status(404))(self)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def head(self, code: int, **headers: str | int) -> None:
        """Send the status and headers; `_` in a name stands for `-`."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def pause(self, seconds: float) -> bool:
        """Wait, unless the server is stopping; whether to go on."""
        return not self.server.stopping.wait(seconds)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


Route: TypeAlias = Callable[[Exchange], None]


class PictureServer:
    """Serves `routes` from a thread of its own for as long as it is entered; with `tls`, over HTTPS."""

    def __init__(self, routes: Mapping[str, Route], tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server(dict(routes), tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="pictures")
        self._scheme = "https" if tls else "http"

    def __enter__(self) -> PictureServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._server.server_port}"

    def url(self, path: str) -> str:
        return f"{self._scheme}://{self.host}{path}"

    @property
    def routes(self) -> dict[str, Route]:
        """May be changed while it runs."""
        return self._server.routes

    @property
    def requests(self) -> Counter[str]:
        """How often each path was asked for."""
        return self._server.requests

    @property
    def headers_seen(self) -> list[dict[str, str]]:
        """The headers of each request, in order."""
        return self._server.headers_seen

    @property
    def connections(self) -> int:
        """How many connections were accepted."""
        return self._server.connections


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing the server waits for them
    request_queue_size = 1024  # a full one drops connections, which are tried again after a second

    def __init__(self, routes: dict[str, Route], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.routes = routes
        self.requests: Counter[str] = Counter()
        self.headers_seen: list[dict[str, str]] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections += 1
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error of the server."""

    def hang_up(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A certificate that vouches for itself and for the host `name`, and a server's context with it."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    options = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName={name}"
    command = ["openssl", *options.split(), "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


def body(data: bytes, **headers: str | int) -> Route:
    """A right answer."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(data), **headers)
        exchange.wfile.write(data)

    return answer


def status(code: int, **headers: str | int) -> Route:
    """A status with an empty body."""
    return lambda exchange: exchange.head(code, Content_Length=0, **headers)


def redirect(location: str, code: int = 302) -> Route:
    return status(code, Location=location)


def in_turn(*routes: Route) -> Route:
    """Each answers once, in order; the last from then on."""
    rest: Iterator[Route] = iter(routes[:-1])
    lock = threading.Lock()

    def answer(exchange: Exchange) -> None:
        with lock:
            route = next(rest, routes[-1])
        route(exchange)

    return answer


def cut_off(data: bytes, announced: int) -> Route:
    """Announces more than it sends, and hangs up."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=announced)
        exchange.wfile.write(data)
        exchange.close_connection = True

    return answer


def chunked(*chunks: bytes, complete: bool = True) -> Route:
    """A body of unannounced length; an incomplete one ends without the last chunk."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, Transfer_Encoding="chunked")
        for chunk in chunks:
            exchange.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if complete:
            exchange.wfile.write(b"0\r\n\r\n")
        exchange.close_connection = not complete

    return answer


def endless(chunk: bytes) -> Route:
    """A body without an announced length that never ends."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, Connection="close")
        while exchange.pause(0):
            exchange.wfile.write(chunk)

    return answer


def drip(data: bytes, every: float) -> Route:
    """A right answer, one byte at a time."""

    def answer(exchange: Exchange) -> None:
        exchange.head(200, Content_Length=len(data))
        for at in range(len(data)):
            exchange.wfile.write(data[at : at + 1])
            if not exchange.pause(every):
                return

    return answer


def drip_headers(every: float) -> Route:
    """A header that never ends, one byte at a time."""

    def answer(exchange: Exchange) -> None:
        exchange.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while exchange.pause(every):
            exchange.wfile.write(b"x")

    return answer


def stall(exchange: Exchange) -> None:
    """No answer at all, until the server stops."""
    exchange.server.stopping.wait()
    exchange.close_connection = True


def hang_up(exchange: Exchange) -> None:
    """The connection is closed instead of an answer."""
    exchange.close_connection = True


def raw(data: bytes) -> Route:
    """These bytes instead of an answer; then the connection is closed."""

    def answer(exchange: Exchange) -> None:
        exchange.wfile.write(data)
        exchange.close_connection = True

    return answer


def unused_port() -> int:
    """A port on the loopback interface at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
