"""HTTP requests that check the deadline while they wait, and the addresses that they connect to.

    send ─► _Adapter ─► pool ─► _Connection ─► _Response

Certificates are always verified. Proxies of the environment are used, and resolve names themselves; `.netrc`
and cookies never are.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPResponse
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import requests
import urllib3.exceptions as urllib3_errors
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Retry, create_urllib3_context

from esclip._net.environment import check_certificates, check_proxy
from esclip._net.sockets import (
    DeadlineExceededError,
    ForbiddenAddressError,
    PolledReader,
    TlsSocket,
    connect,
    seconds_left,
)

MAX_INTERIM = 20
"""Interim responses (100 to 199) before the final one."""

FOREIGN_ERRORS = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    DeadlineExceededError,
    ForbiddenAddressError,
    OSError,
    ValueError,
)
"""All that a request can raise."""

CHUNK_BYTES = 1 << 16

_allow_address: ContextVar[Callable[[str], bool]] = ContextVar("allow_address", default=lambda address: True)


@contextmanager
def address_scope(allow_address: Callable[[str], bool]) -> Iterator[None]:
    """Context manager: within it, this thread connects only to allowed addresses. A proxy's always is."""
    token = _allow_address.set(allow_address)
    try:
        yield
    finally:
        _allow_address.reset(token)


def new_session(connections: int, headers: Mapping[str, str], *, proxy: bool = True) -> requests.Session:
    """A session with up to `connections` per host. Requests don't change it, so threads may share it.

    Without `proxy` the environment's proxies are not used; its certificates are.
    """
    session = requests.Session() if proxy else _DirectSession()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_maxsize=connections))
    session.auth = _anonymous  # with none at all, requests looks for a password in ~/.netrc
    session.headers.update({"User-Agent": _user_agent(), **headers})
    return session


def send(session: requests.Session, request: requests.Request, timeout: float) -> requests.Response:
    """The response, its body still unread; no wait takes more than `timeout` seconds, or `seconds_left`.

    By the adapter: a session would read the bodies of redirects, of any length. Raises `FOREIGN_ERRORS`, and
    `ConfigError` for a proxy or certificates of the environment that can't be used.
    """
    prepared = session.prepare_request(request)
    settings = session.merge_environment_settings(request.url, {}, True, None, None)
    check_proxy(request.url, settings["proxies"])
    check_certificates(request.url, settings["verify"])
    wait = min(seconds_left(), timeout)
    return session.get_adapter(request.url).send(
        prepared,
        stream=True,
        timeout=(wait, wait),
        verify=settings["verify"] or True,  # certificates that the environment names, or the usual ones
        cert=settings["cert"],
        proxies=settings["proxies"],
    )


def read_body(response: requests.Response, max_bytes: int) -> bytes:
    """The body; of a longer one, some more than `max_bytes`."""
    body = bytearray()
    while len(body) <= max_bytes and (chunk := response.raw.read1(CHUNK_BYTES, decode_content=True)):
        body += chunk
        seconds_left()
    return bytes(body)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a response's Retry-After asks to wait for; 0 without one."""
    with suppress(urllib3_errors.InvalidHeader, ValueError, OverflowError):
        return Retry().parse_retry_after(headers.get("Retry-After", "0"))
    return 0.0


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, as requests and urllib3 keep them; the root cause is the last."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__):
        if isinstance(inner, BaseException):
            yield from causes(inner)


class _DirectSession(requests.Session):
    """A session without the environment's proxies, which would resolve names by themselves."""

    def merge_environment_settings(self, *given: Any) -> Any:
        return {**super().merge_environment_settings(*given), "proxies": {}}


def _anonymous(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _user_agent() -> str:
    with suppress(PackageNotFoundError):  # run from a source tree
        return f"esclip/{version('esclip')}"
    return "esclip"


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        super().init_poolmanager(*args, **settings)
        _use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **settings)
        _use_our_pools(manager)
        return manager


def _use_our_pools(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **settings: Any) -> None:
        super().__init__(sock, *args, **settings)
        self.fp = io.BufferedReader(PolledReader(sock, self.fp))

    def _read_status(self) -> tuple[str, int, str]:
        """The status line; http.client would take 103 for the response, and that for the next one."""
        for _ in range(MAX_INTERIM):
            line: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= line[1] < 200:
                return line
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"sends more than {MAX_INTERIM} interim responses")


class _Connection(HTTPConnection):
    response_class = _Response

    @property
    def is_connected(self) -> bool:
        """Whether the next request may use it, for which fewer addresses may be allowed."""
        if not super().is_connected or self.sock is None:
            return False
        if getattr(self.sock, "pending", int)():  # bytes after the last response: not the next one's
            return False
        with suppress(OSError):  # it broke just now
            return self.proxy is not None or _allow_address.get()(str(self.sock.getpeername()[0]))
        return False

    def _new_conn(self) -> socket.socket:
        allow_address = _allow_address.get() if self.proxy is None else lambda address: True
        timeout = self.timeout or seconds_left()
        try:
            return connect(self._dns_host, self.port, timeout, self.socket_options or (), allow_address)
        except socket.gaierror as error:
            raise urllib3_errors.NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise urllib3_errors.ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise urllib3_errors.NewConnectionError(self, str(error)) from error


class _TlsConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        """Connect, shake hands, and check the certificate."""
        self.ssl_context = create_urllib3_context()
        self.ssl_context.sslsocket_class = TlsSocket
        super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
