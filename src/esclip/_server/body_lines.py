"""The lines of a request's body, for a thread that reads them while they arrive.

event loop: receive() ─► chunk ◄─ asked for by ─ thread: lines ─► ...
                            nothing is received that isn't asked for
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum, auto

from esclip._server.http import Receive


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
        """None as long as lines may come."""
        self._receive = receive
        self._max_line = max_line
        self._seconds = seconds
        self._ready = ready
        self._loop = asyncio.get_running_loop()
        self._receiving: asyncio.Task[bytes] | None = None

    def read(self) -> Iterator[bytes | None]:
        """The lines, without their ends; None for one that is too long.

        A last line without an end is given where the body is whole: else it may be half a line.
        """
        line = _Line(self._max_line)
        for chunk in iter(self._next_chunk, b""):
            *ended, begun = chunk.split(b"\n")
            for piece in ended:
                line.append(piece)
                yield line.take()
            line.append(begun)
        if line.size and self.end is End.WHOLE:
            yield line.take()

    def stop(self) -> None:
        """Give no more lines. Called in the event loop."""
        self.end = self.end or End.STOPPED
        if self._receiving is not None:
            self._receiving.cancel()

    def _next_chunk(self) -> bytes:
        """The bytes that come next; none at the end."""
        return asyncio.run_coroutine_threadsafe(self._wait_for_chunk(), self._loop).result()

    async def _wait_for_chunk(self) -> bytes:
        chunk = b""
        if self.end is None:
            self._receiving = asyncio.create_task(self._receive_chunk())
            try:
                chunk = await self._receiving
            except asyncio.CancelledError:
                if self.end is not End.STOPPED:
                    raise
            finally:
                self._receiving = None
        return chunk

    async def _receive_chunk(self) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                await self._ready()
                while self.end is None:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        self.end = End.GONE
                    elif not message.get("more_body", False):
                        self.end = End.WHOLE
                    if chunk := message.get("body", b""):
                        return bytes(chunk)
        except TimeoutError:
            self.end = End.SLOW
        return b""


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
