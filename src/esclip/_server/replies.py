"""What threads respond while a request goes on, until its client reads it.

A client may send all before it reads anything: what it hasn't read is on disk, beyond some of it in memory.
"""

from __future__ import annotations

import asyncio
from tempfile import SpooledTemporaryFile
from threading import Lock

IN_MEMORY = 1 << 20
MAX_HELD = 256 << 20
"""Bytes that may wait to be read. With more of them, no further request's bytes are wanted."""
CHUNK = 1 << 16
GATHER_S = 0.02
"""For more to come, so that many lines are sent at once."""


class Replies:
    """Bytes from any thread to one coroutine, in order. Made in the event loop."""

    def __init__(self) -> None:
        self.read_bytes = 0
        """How many have been read so far."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._lock = Lock()
        self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by `close`
        self._begin = self._end = 0
        self._ended = False

    def write(self, data: bytes) -> None:
        """Add bytes, from any thread."""
        with self._lock:
            if self._file.closed:
                return  # nobody reads any more
            was_empty = self._begin == self._end
            self._file.seek(self._end)
            self._file.write(data)
            self._end += len(data)
        if was_empty:
            self._loop.call_soon_threadsafe(self._changed.set)

    def end(self) -> None:
        """Let the reader come to its end. Called in the event loop."""
        self._ended = True
        self._changed.set()

    def close(self) -> None:
        """Keep nothing any more."""
        with self._lock:
            self._file.close()

    async def read(self) -> bytes:
        """The next bytes, waited for; none at the end."""
        while self._begin == self._end and not self._ended:
            self._changed.clear()
            if self._begin == self._end:  # nothing was written meanwhile
                await self._changed.wait()
                if not self._ended:
                    await asyncio.sleep(GATHER_S)
        data = self._take()
        self.read_bytes += len(data)
        return data

    async def wait_for_room(self) -> None:
        """Wait until so much has been read that more may be written."""
        while self._end > MAX_HELD:
            await asyncio.sleep(0.1)

    def _take(self) -> bytes:
        with self._lock:
            self._file.seek(self._begin)
            data = self._file.read(min(CHUNK, self._end - self._begin))
            self._begin += len(data)
            if self._begin == self._end:
                self._file.seek(0)
                self._file.truncate()
                self._begin = self._end = 0
        return data
