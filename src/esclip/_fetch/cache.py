"""A cache of downloaded pictures on disk, for a second model or a second attempt.

    folder/ab/cdef0123...   the bytes of one picture, named by the SHA-256 of its URL

Files are written atomically, so a killed program leaves no partial picture. Any number of threads and
processes may use one folder. Without space or permission to write, pictures are downloaded again.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import suppress
from pathlib import Path

from esclip._files.atomic import write_atomically

_log = logging.getLogger("esclip")


class PictureCache:
    """Bytes by URL in a folder, which is made when the first are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warned = False

    def get(self, url: str) -> bytes | None:
        """The bytes of `url`, or None if they aren't cached."""
        with suppress(OSError):
            return self._path(url).read_bytes() or None  # a power cut may leave an empty file
        return None

    def put(self, url: str, data: bytes) -> None:
        """Write `data`. Failures are no errors; the first is logged."""
        try:
            write_atomically(self._path(url), data)
        except OSError as error:
            if not self._warned:
                self._warned = True
                _log.warning("pictures can't be kept in %s: %s", self._folder, error)

    def discard(self, url: str) -> None:
        """Remove `url`."""
        with suppress(OSError):
            self._path(url).unlink()

    def _path(self, url: str) -> Path:
        key = hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()
        return self._folder / key[:2] / key[2:]
