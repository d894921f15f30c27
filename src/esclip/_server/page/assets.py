"""Styles and scripts of the page: files of the package, compressed once, kept by browsers for ever.

One version stands for all files. In scripts `./NAME.js` becomes `./NAME.js?v=VERSION`: a module imports
others of its own version, without an import map, which would be an inline script.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_IMPORTED = re.compile(rb"""(["']\./[\w-]+\.js)(["'])""")


class Asset(NamedTuple):
    """A file for browsers."""

    body: bytes
    gzipped: bytes
    content_type: str


class Assets:
    """All files of a folder by their names. No other file is read, whatever a request names."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @cached_property
    def version(self) -> str:
        """Changes when any file does."""
        digest = hashlib.sha256()
        for name, body in self._bodies.items():
            digest.update(b"%s %d " % (name.encode(), len(body)) + body)
        return digest.hexdigest()[:12]

    @cached_property
    def by_name(self) -> Mapping[str, Asset]:
        """The files, each also compressed."""
        versioned = rb"\1?v=%s\2" % self.version.encode()
        assets = {}
        for name, body in self._bodies.items():
            sent = _IMPORTED.sub(versioned, body) if name.endswith(".js") else body
            assets[name] = Asset(sent, gzip.compress(sent, 9, mtime=0), TYPES[Path(name).suffix])
        return assets

    @cached_property
    def _bodies(self) -> dict[str, bytes]:
        files = sorted(file for file in self._folder.iterdir() if file.suffix in TYPES)
        return {file.name: file.read_bytes() for file in files}
