"""Waits on sockets that end at a deadline, which holds for a request as a whole.

A socket's own timeout begins anew with each byte, so a server that drips the head of a response could hold a
thread for days, and a wait for a silent server can't be cancelled. Here name resolution, connection, TLS
handshake and each byte are polled for, and `seconds_left` is called before each poll.

    connect ─► name ─► addresses, all allowed? ─► TCP ─► TlsSocket ─► PolledReader ─► bytes
"""

from __future__ import annotations

import errno
import io
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event, Thread
from typing import IO, Any

from urllib3.util.wait import wait_for_write

from esclip._concurrency.cancellation import POLL_INTERVAL_S

_limits: ContextVar[tuple[float, Event]] = ContextVar("limits")
"""The deadline on the monotonic clock, and the cancellation, of this thread's request."""


class DeadlineExceededError(Exception):
    """A request took too long. No `OSError`: libraries would handle it, and change the message."""


class ForbiddenAddressError(Exception):
    """A host has an address that must not be connected to."""


@contextmanager
def deadline_scope(deadline: float, cancelled: Event) -> Iterator[None]:
    """Context manager: within it, this thread's requests end at `deadline`, or when `cancelled` is set."""
    token = _limits.set((deadline, cancelled))
    try:
        yield
    finally:
        _limits.reset(token)


def seconds_left() -> float:
    """Seconds until the deadline of this thread's request.

    Raises `DeadlineExceededError` after it, and `CancelledError`.
    """
    deadline, cancelled = _limits.get()
    if cancelled.is_set():
        raise CancelledError
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise DeadlineExceededError("not all of it arrived within the deadline")
    return seconds


def connect(
    host: str,
    port: int,
    timeout: float,
    options: Sequence[tuple[int, int, int | bytes]],
    allow_address: Callable[[str], bool],
) -> socket.socket:
    """A socket connected to the first address of `host` that answers within `timeout` seconds.

    The name is resolved once: the addresses that were checked are those that are connected to.

    Raises `ForbiddenAddressError` before any connection when `allow_address` refuses one, else `OSError`.
    """
    resolved = _look_up(host, port, timeout)
    for *_, address in resolved:
        if not allow_address(str(address[0])):
            raise ForbiddenAddressError(f"{address[0]} is not an address of the public web")
    failure = OSError("no address")
    for family, kind, protocol, _, address in resolved:
        try:
            return _connect(socket.socket(family, kind, protocol), address, timeout, options)
        except OSError as error:
            failure = error
    raise failure


def _look_up(host: str, port: int, timeout: float) -> list[tuple[Any, ...]]:
    """The addresses by the system's resolver, which can't be interrupted: its thread may outlive the wait."""
    resolved: Future[list[tuple[Any, ...]]] = Future()

    def look_up() -> None:
        try:
            resolved.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:
            resolved.set_exception(error)

    Thread(target=look_up, name="esclip-dns", daemon=True).start()
    for seconds in _polls(timeout):
        if wait([resolved], seconds).done:
            break
    return resolved.result()


def _connect(
    sock: socket.socket, address: Any, timeout: float, options: Sequence[tuple[int, int, int | bytes]]
) -> socket.socket:
    try:
        for option in options:
            sock.setsockopt(*option)
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            for seconds in _polls(timeout):
                if wait_for_write(sock, seconds):
                    break
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        sock.settimeout(timeout)
    except BaseException:
        sock.close()
        raise
    return sock


def _polls(timeout: float) -> Iterator[float]:
    """Seconds to wait for, again and again. Raises `TimeoutError` after `timeout` seconds in all."""
    until = time.monotonic() + timeout
    while (rest := min(POLL_INTERVAL_S, seconds_left(), until - time.monotonic())) > 0:
        yield rest
    raise TimeoutError("timed out")


class TlsSocket(ssl.SSLSocket):
    """Shakes hands in short waits."""

    def do_handshake(self, block: bool = False) -> None:
        """Perform the TLS handshake."""
        timeout = self.gettimeout() or POLL_INTERVAL_S
        try:
            for seconds in _polls(timeout):
                self.settimeout(seconds)
                with suppress(TimeoutError):
                    super().do_handshake(block)
                    break
        except BaseException:  # of a failed handshake, ssl closes the socket after some errors only
            self.close()
            raise
        self.settimeout(timeout)


class PolledReader(io.RawIOBase):
    """Reads a socket in short waits; `file` is the reader that keeps the socket open."""

    def __init__(self, sock: socket.socket, file: IO[bytes]) -> None:
        self._socket = sock
        self._file = file
        self._timeout = sock.gettimeout() or POLL_INTERVAL_S

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for the next bytes."""
        for seconds in _polls(self._timeout):
            self._socket.settimeout(seconds)
            with suppress(TimeoutError):
                return self._socket.recv_into(buffer)
        raise AssertionError("polls end with an exception")

    def close(self) -> None:
        """Release the socket."""
        self._file.close()
        super().close()
