"""Waits on sockets that end at a deadline, which counts for a request as a whole.

A socket's own timeout begins anew with each byte, so a server that drips the head of an answer could hold a
thread for days, and one that says nothing can't be left before the timeout. Here a name's addresses, a
connection, a TLS handshake and each byte are polled for, and `seconds_left` is called before each poll.

    connect ─► name ─► addresses, all of them welcome? ─► TCP ─► TlsSocket ─► PolledReader ─► bytes
"""

from __future__ import annotations

import errno
import io
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Thread
from typing import IO, Any

from urllib3.util.wait import wait_for_write

__all__ = [
    "ForbiddenAddressError",
    "PolledReader",
    "TlsSocket",
    "connect",
    "deadline_scope",
    "seconds_left",
]

TURN_S = 0.2

seconds_left: ContextVar[Callable[[], float]] = ContextVar("seconds_left")
"""How many seconds there are for the request that this thread is making; raises when there are none."""


class ForbiddenAddressError(Exception):
    """A host is at an address that must not be connected to."""


@contextmanager
def deadline_scope(left: Callable[[], float]) -> Iterator[None]:
    """A time in which `left` is this thread's `seconds_left`."""
    before = seconds_left.set(left)
    try:
        yield
    finally:
        seconds_left.reset(before)


def connect(
    host: str,
    port: int,
    patience: float,
    options: Sequence[tuple[int, int, int | bytes]],
    welcome: Callable[[str], bool],
) -> socket.socket:
    """A socket that is connected to the first address of `host` that answers within `patience` seconds.

    The name is looked up once, so what was found `welcome` is what is connected to.

    Raises `ForbiddenAddressError` before any connection when one of the addresses is not, else `OSError`.
    """
    found = _look_up(host, port, patience)
    for *_, address in found:
        if not welcome(str(address[0])):
            raise ForbiddenAddressError(f"{address[0]} is not an address of the public web")
    failure = OSError("no address")
    for family, kind, protocol, _, address in found:
        try:
            return _connect(socket.socket(family, kind, protocol), address, patience, options)
        except OSError as error:
            failure = error
    raise failure


def _look_up(host: str, port: int, patience: float) -> list[tuple[Any, ...]]:
    """What the system's resolver says, which can't be interrupted: its thread may outlive the wait for it."""
    found: Future[list[tuple[Any, ...]]] = Future()

    def look_up() -> None:
        try:
            found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:
            found.set_exception(error)

    Thread(target=look_up, name="esclip-dns", daemon=True).start()
    for turn in _turns(patience):
        if wait([found], turn).done:
            break
    return found.result()


def _connect(
    sock: socket.socket, address: Any, patience: float, options: Sequence[tuple[int, int, int | bytes]]
) -> socket.socket:
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            for turn in _turns(patience):
                if wait_for_write(sock, turn):
                    break
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        sock.settimeout(patience)
    except BaseException:
        sock.close()
        raise
    return sock


def _turns(patience: float) -> Iterator[float]:
    """How long to wait, again and again; raises `TimeoutError` after `patience` seconds."""
    until = time.monotonic() + patience
    while (rest := min(TURN_S, seconds_left.get()(), until - time.monotonic())) > 0:
        yield rest
    raise TimeoutError("timed out")


class TlsSocket(ssl.SSLSocket):
    """Shakes hands in short turns."""

    def do_handshake(self, block: bool = False) -> None:
        """Agree with the other end on how to encrypt."""
        patience = self.gettimeout() or TURN_S
        try:
            for turn in _turns(patience):
                self.settimeout(turn)
                with suppress(TimeoutError):
                    super().do_handshake(block)
                    break
        except BaseException:  # of a failed handshake, ssl closes the socket after some errors only
            self.close()
            raise
        self.settimeout(patience)


class PolledReader(io.RawIOBase):
    """A socket's bytes, waited for in short turns; `file` is the reader that the socket has counted."""

    def __init__(self, sock: socket.socket, file: IO[bytes]) -> None:
        self._socket = sock
        self._file = file
        self._patience = sock.gettimeout() or TURN_S

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for the next bytes."""
        for turn in _turns(self._patience):
            self._socket.settimeout(turn)
            with suppress(TimeoutError):
                return self._socket.recv_into(buffer)
        raise AssertionError("turns end with an exception")

    def close(self) -> None:
        """Let go of the socket."""
        self._file.close()
        super().close()
