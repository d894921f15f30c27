"""Fetched pictures on disk, so that a second model, or a second try, downloads nothing again.

    folder/ab/cdef0123...   the bytes of one picture, named by the SHA-256 of its URL

A file appears under its name all at once, by a rename: whatever kills the program, a half-written one is
never taken for a picture. Any number of threads and processes may use one folder. A cache that can't be
written, or a full disk, costs speed and never a picture.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from pathlib import Path

from esclip._files.atomic import write_atomically

__all__ = ["PictureCache"]

_log = logging.getLogger("esclip")


class PictureCache:
    """Bytes by URL in a folder, which is made when there is something to keep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._complained = False

    def get(self, url: str) -> bytes | None:
        """What was kept for `url`, if anything can be read."""
        with suppress(OSError):
            return self._path(url).read_bytes() or None  # a power cut may leave an empty file
        return None

    def put(self, url: str, data: bytes) -> None:
        """Keep `data`, where the disk allows; the first failure is logged."""
        try:
            write_atomically(self._path(url), data)
        except OSError as error:
            if not self._complained:
                self._complained = True
                _log.warning("pictures can't be kept in %s: %s", self._folder, error)

    def discard(self, url: str) -> None:
        """Forget `url`."""
        with suppress(OSError):
            self._path(url).unlink()

    def _path(self, url: str) -> Path:
        key = hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()
        return self._folder / key[:2] / key[2:]
