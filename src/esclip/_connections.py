"""HTTP requests whose waits end when they should: at a deadline that counts as a whole, or when told to stop.

A socket's own timeout begins anew with each byte, so a server that drips the head of an answer could hold a
thread for days, and one that says nothing can't be left before the timeout. Here bytes are waited for in
short turns, and `time_left` is asked before each.

    send ─► Adapter ─► pool ─► connection ─► _Answer ─► _Turns ─► socket

Certificates are always verified. Proxies of the environment are used; a `.netrc` and cookies never are.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPResponse
from importlib.metadata import PackageNotFoundError, version
from threading import Event
from typing import IO, Any

import requests
import urllib3.exceptions as urllib3_errors
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Retry

__all__ = [
    "FOREIGN_ERRORS",
    "causes",
    "ending",
    "ending_with",
    "new_session",
    "retry_after",
    "seconds_asked",
    "send",
    "time_left",
    "waits_bounded",
]

TURN_S = 0.2

FOREIGN_ERRORS = (
    requests.RequestException,
    urllib3_errors.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)
"""All that a request can raise."""

time_left: ContextVar[Callable[[], float]] = ContextVar("time_left")
"""How many seconds there are for the request that this thread is making; raises when there are none."""

_ending: ContextVar[Event | None] = ContextVar("ending", default=None)


@contextmanager
def waits_bounded(left: Callable[[], float]) -> Iterator[None]:
    """A time in which `left` is this thread's `time_left`."""
    before = time_left.set(left)
    try:
        yield
    finally:
        time_left.reset(before)


@contextmanager
def ending_with(stopped: Event) -> Iterator[None]:
    """A time in which what this thread asks for is no longer wanted once `stopped` is set."""
    before = _ending.set(stopped)
    try:
        yield
    finally:
        _ending.reset(before)


def ending() -> Event:
    """What is set when the thing that this thread asks for is no longer wanted."""
    return _ending.get() or Event()


def new_session(connections: int, headers: Mapping[str, str]) -> requests.Session:
    """Settings and connections; nothing of it is changed by a request, so threads may share it."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(pool_maxsize=connections))
    session.auth = _anonymous  # with none at all, requests looks for a password in ~/.netrc
    session.headers.update({"User-Agent": _user_agent(), **headers})
    return session


def send(session: requests.Session, request: requests.Request, patience: float) -> requests.Response:
    """The answer's head; no wait is longer than `patience` seconds, nor than `time_left`.

    By the adapter: a session would read the bodies of redirects, however long.
    """
    prepared = session.prepare_request(request)
    settings = session.merge_environment_settings(request.url, {}, True, None, None)
    wait = min(time_left.get()(), patience)
    return session.get_adapter(request.url).send(
        prepared,
        stream=True,
        timeout=(wait, wait),
        verify=settings["verify"] or True,  # certificates that the environment names, or the usual ones
        cert=settings["cert"],
        proxies=settings["proxies"],
    )


def retry_after(answer: requests.Response) -> float:
    """How many seconds the server asks to be left alone."""
    return seconds_asked(answer.headers)


def seconds_asked(headers: Mapping[str, str]) -> float:
    """The same, by an answer's headers."""
    with suppress(urllib3_errors.InvalidHeader, ValueError, OverflowError):
        return Retry().parse_retry_after(headers.get("Retry-After", "0"))
    return 0.0


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it was raised for, as requests and urllib3 keep them: the root is the last."""
    yield error
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__):
        if isinstance(inner, BaseException):
            yield from causes(inner)


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


class _Turns(io.RawIOBase):
    """A socket's bytes, waited for in short turns; `file` is the reader that the socket has counted."""

    def __init__(self, sock: socket.socket, file: IO[bytes]) -> None:
        self._socket = sock
        self._file = file
        self._patience = sock.gettimeout() or TURN_S

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        until = time.monotonic() + self._patience
        while (rest := min(TURN_S, time_left.get()(), until - time.monotonic())) > 0:
            self._socket.settimeout(rest)
            with suppress(TimeoutError):
                return self._socket.recv_into(buffer)
        raise TimeoutError("timed out")

    def close(self) -> None:
        self._file.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **settings: Any) -> None:
        super().__init__(sock, *args, **settings)
        self.fp = io.BufferedReader(_Turns(sock, self.fp))


class _Connection(HTTPConnection):
    response_class = _Answer


class _TlsConnection(HTTPSConnection):
    response_class = _Answer


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
