"""Thumbnails of an index's pictures, made once and kept in a folder of bounded size.

Location, height ─► cached file? ─► bytes
                    └► make_thumbnail (only of the very file that was encoded) ─► file, bytes
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock

from esclip._files.atomic import write_atomically
from esclip._images.thumbnails import make_thumbnail

HEIGHTS = (240, 480, 1080)
"""Pixels: of tiles, of tiles on screens of double density, of a whole screen."""
MAX_CACHE_BYTES = 1 << 30
"""40,000 thumbnails of 240 pixels."""


class PictureCache:
    """Thread-safe; several processes may share its folder."""

    def __init__(self, folder: Path, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._bytes: int | None = None
        """Of the folder; None: not counted yet."""

    def thumbnail(self, file: Path, content: str, height: int) -> bytes | None:
        """A JPEG of a file whose bytes have this fingerprint; None where it is another file, or none."""
        if not content:
            return None
        name = hashlib.sha256(f"{content} {file} {height}".encode("utf-8", "surrogateescape")).hexdigest()
        cached = self._folder / name[:2] / f"{name}.jpg"
        with suppress(OSError):
            data = cached.read_bytes()
            os.utime(cached)
            return data
        thumbnail = make_thumbnail(file, content, height)
        if thumbnail is not None:
            with suppress(OSError):  # a full disk: it is made again next time
                self._keep(cached, thumbnail.jpeg)
        return thumbnail.jpeg if thumbnail else None

    def _keep(self, cached: Path, data: bytes) -> None:
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(cached, data)
        with self._lock:
            self._bytes = len(data) + (self._count() if self._bytes is None else self._bytes)
            if self._bytes > self._max_bytes:
                self._bytes = self._evict()

    def _count(self) -> int:
        return sum(file.stat().st_size for file in self._folder.glob("??/*.jpg"))

    def _evict(self) -> int:
        """Remove what was not used for longest, down to three quarters. Returns the bytes left."""
        files = [(file.stat(), file) for file in self._folder.glob("??/*.jpg")]
        left = sum(stat.st_size for stat, _ in files)
        for stat, file in sorted(files, key=lambda one: one[0].st_mtime_ns):
            if left <= self._max_bytes * 3 // 4:
                break
            file.unlink(missing_ok=True)
            left -= stat.st_size
        return left
