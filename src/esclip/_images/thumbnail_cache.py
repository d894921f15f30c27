"""Thumbnails of an index's pictures, made once and kept in a folder of bounded size.

Hit ─► file with its size and time, fingerprint, height ─► cached? ─► JPEG
                                                           └► make_thumbnail: only of the bytes encoded

A file that is gone or has changed is not shown, although its thumbnail may be there still.
"""

from __future__ import annotations

import functools
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from threading import Lock

from esclip._core.settings import thumbnail_cache
from esclip._core.types import MEMORY_SCHEME, PICTURE, Hit
from esclip._errors import ConfigError
from esclip._files.archives import stamp
from esclip._files.atomic import write_atomically
from esclip._images.thumbnails import THUMBNAIL_HEIGHT, Thumbnail, make_thumbnail, read_thumbnail

HEIGHTS = (240, 480, 1080)
"""Pixels: of tiles, of tiles on screens of double density, of a whole screen."""
MAX_CACHE_BYTES = 1 << 30
"""40,000 thumbnails of 240 pixels."""


def thumbnail(
    hit: Hit, height: int = THUMBNAIL_HEIGHT, cache: ThumbnailCache | None = None
) -> Thumbnail | None:
    """A small JPEG of a hit's picture, kept in `cache`, by default the user's.

    Returns None where the picture is no file on this machine, is gone, or is another than was encoded, and
    for a text.
    """
    if hit.kind != PICTURE or "://" in hit.location or hit.location.startswith(MEMORY_SCHEME):
        return None
    file = Path(hit.location)
    cache = cache or _default_cache()
    if cache is None or not hit.content:
        return make_thumbnail(file, hit.content, height)
    return cache.thumbnail(file, hit.content, height)


def _default_cache() -> ThumbnailCache | None:
    """The thumbnails in the user's cache directory; None where there can't be one."""
    with suppress(ConfigError):
        return _cache_in(thumbnail_cache())
    return None


@functools.cache
def _cache_in(folder: Path) -> ThumbnailCache:
    """The one cache of a folder, which knows how much is in it."""
    return ThumbnailCache(folder)


class ThumbnailCache:
    """Thread-safe; several processes may share its folder."""

    def __init__(self, folder: Path, max_bytes: int = MAX_CACHE_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._bytes: int | None = None
        """Of the folder; None: not counted yet."""

    def thumbnail(self, file: Path, content: str, height: int) -> Thumbnail | None:
        """The thumbnail of a file whose bytes have this fingerprint; None where it is another, or none."""
        try:
            size, modified = stamp(file)
        except (OSError, ValueError):  # ValueError: an invalid path
            return None
        key = f"{content} {file} {size} {modified} {height}"
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
        cached = self._folder / name[:2] / f"{name}.jpg"
        with suppress(OSError, ValueError):  # ValueError: a power cut has left no JPEG
            known = read_thumbnail(cached.read_bytes())
            os.utime(cached)
            return known
        made = make_thumbnail(file, content, height)
        if made is not None:
            with suppress(OSError):  # a full disk: it is made again next time
                self._keep(cached, made.jpeg)
        return made

    def _keep(self, cached: Path, data: bytes) -> None:
        write_atomically(cached, data)
        with self._lock:
            self._bytes = len(data) + (self._count() if self._bytes is None else self._bytes)
            if self._bytes > self._max_bytes:
                self._bytes = self._evict()

    def _count(self) -> int:
        return sum(status.st_size for status, _ in self._files())

    def _evict(self) -> int:
        """Remove what was not used for longest, down to three quarters. Returns the bytes left."""
        files = self._files()
        left = sum(status.st_size for status, _ in files)
        for status, file in sorted(files, key=lambda one: one[0].st_mtime_ns):
            if left <= self._max_bytes * 3 // 4:
                break
            file.unlink(missing_ok=True)
            left -= status.st_size
        return left

    def _files(self) -> list[tuple[os.stat_result, Path]]:
        """The thumbnails that are there; another process may remove some meanwhile."""
        files = []
        for file in self._folder.glob("??/*.jpg"):
            with suppress(OSError):
                files.append((file.stat(), file))
        return files
