"""The hosts whose pictures the page may show: those of hits, as its Content-Security-Policy names them.

A page's policy is fixed when it is loaded. Where a later hit has a picture of another host, the script loads
the page again, and by then the host is known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from threading import Lock
from urllib.parse import urlsplit

from esclip._core.urls import is_web_address

MAX_HOSTS = 50
"""Of a header, which has a limit; pictures of further hosts are not shown."""

_SAFE = re.compile(r"[a-z0-9.-]+(:[0-9]+)?")
"""Anything else, such as a semicolon, would say something else in the header."""


class PictureHosts:
    """Origins of pictures that were found. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._origins: dict[str, None] = {}

    def remember(self, locations: Iterable[str]) -> None:
        """Keep the origins of those that are web addresses."""
        found = [origin for location in locations if (origin := _origin(location))]
        with self._lock:
            for origin in found:
                if len(self._origins) < MAX_HOSTS:
                    self._origins[origin] = None

    def policy(self) -> str:
        """The Content-Security-Policy of the page."""
        images = " ".join(["'self'", *self._origins])
        return (
            f"default-src 'none'; img-src {images}; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )


def _origin(location: str) -> str:
    """`https://host:port`; empty for what is no web address, or of no plain host."""
    if not is_web_address(location):
        return ""
    parts = urlsplit(location)
    try:
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
    named = f"{host}:{parts.port}" if parts.port else host
    return f"{parts.scheme}://{named}" if _SAFE.fullmatch(named) else ""
