"""Connections whose waits end when they should: at a deadline that counts as a whole, or when told to stop.

A socket's own timeout begins anew with each byte, so a server that drips the head of an answer could hold a
thread for days, and one that says nothing can't be left before the timeout. Here bytes are waited for in
short turns, and `time_left` is asked before each.

    requests ─► Adapter ─► pool ─► connection ─► _Answer ─► _Turns ─► socket
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import IO, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["Adapter", "time_left"]

TURN_S = 0.2

time_left: ContextVar[Callable[[], float]] = ContextVar("time_left")
"""How many seconds there are for the request that this thread is making; raises when there are none."""


class Adapter(HTTPAdapter):
    """What a session sends requests with, directly or by a proxy."""

    def init_poolmanager(self, *args: Any, **settings: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **settings)
        _use_our_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: Any, **settings: Any) -> Any:
        """Make the pools of connections through `proxy`."""
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
