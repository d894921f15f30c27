"""The lines of a request's body, for a thread that reads them while they arrive.

event loop: receive() ─► READ_AHEAD bytes at most ─► thread: lines ─► ...

A thread that reads slowly lets the client wait: nothing more is received meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from enum import Enum, auto
from threading import Condition

from esclip._server.http import Receive

READ_AHEAD = 1 << 20
"""Bytes that are received before they are read, so that thread and event loop seldom wait for each other."""


class End(Enum):
    """Why no more lines come."""

    WHOLE = auto()
    """The body has come to its end."""
    GONE = auto()
    """The client has gone."""
    SLOW = auto()
    """The client has sent nothing, or read nothing of the response, for too long."""
    STOPPED = auto()
    """Nothing more is wanted."""


class BodyLines:
    """One body's lines. Made in the event loop, read by one thread, in the memory of one line."""

    def __init__(
        self, receive: Receive, *, max_line: int, seconds: float, ready: Callable[[], Awaitable[None]]
    ) -> None:
        """Receive further bytes when `ready` has returned; both together may take so many seconds."""
        self.end: End | None = None
        """None as long as bytes may come."""
        self._receive = receive
        self._max_line = max_line
        self._seconds = seconds
        self._ready = ready
        self._chunks: list[bytes] = []
        self._held = 0
        self._changed = Condition()
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._receiving = asyncio.create_task(self._receive_all())

    def read(self) -> Iterator[bytes | None]:
        """The lines, without their ends; None for one that is too long.

        A last line without an end is given where the body is whole: else it may be half a line.
        """
        line = _Line(self._max_line)
        for data in iter(self._take, b""):
            *ended, begun = data.split(b"\n")
            for piece in ended:
                line.append(piece)
                yield line.take()
            line.append(begun)
        if line.size and self.end is End.WHOLE:
            yield line.take()

    def stop_soon(self) -> None:
        """Give no more lines. Called in any thread."""
        with suppress(RuntimeError):  # the event loop has ended, and all its tasks
            self._loop.call_soon_threadsafe(self.stop)

    def stop(self) -> None:
        """Give no more lines. Called in the event loop."""
        self._receiving.cancel()
        with self._changed:
            self.end = self.end or End.STOPPED
            self._chunks.clear()
            self._changed.notify()

    def _take(self) -> bytes:
        """All that has been received, waited for; nothing at the end."""
        with self._changed:
            while not self._chunks and self.end is None:
                self._changed.wait()
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._held = 0
        if self.end is None:
            self._loop.call_soon_threadsafe(self._room.set)
        return data

    async def _receive_all(self) -> None:
        end: End | None = None
        try:
            while end is None:
                end, chunk = await self._receive_chunk()
                with self._changed:
                    if chunk:
                        self._chunks.append(chunk)
                        self._held += len(chunk)
                    self._room.clear()
                    is_full = self._held >= READ_AHEAD
                    self.end = end
                    self._changed.notify()
                if is_full and end is None:
                    await self._room.wait()
        finally:
            with self._changed:  # also where the event loop itself ends
                self.end = self.end or End.STOPPED
                self._changed.notify()

    async def _receive_chunk(self) -> tuple[End | None, bytes]:
        try:
            async with asyncio.timeout(self._seconds):
                await self._ready()
                message = await self._receive()
        except TimeoutError:
            return End.SLOW, b""
        if message["type"] == "http.disconnect":
            return End.GONE, b""
        return None if message.get("more_body", False) else End.WHOLE, message.get("body", b"")


class _Line:
    """A line that comes in pieces, of which no more is kept than may be."""

    def __init__(self, max_size: int) -> None:
        self.size = 0
        self._max_size = max_size
        self._pieces: list[bytes] = []

    def append(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size > self._max_size:
            self._pieces.clear()
        elif piece:
            self._pieces.append(piece)

    def take(self) -> bytes | None:
        """The line, if it is not too long. The next one begins."""
        line = b"".join(self._pieces) if self.size <= self._max_size else None
        self.size = 0
        self._pieces.clear()
        return line
