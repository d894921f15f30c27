"""Which texts are web addresses. Whether one may be fetched, `_fetch.hosts` decides."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_URL = 8000
"""Characters. Servers accept no longer ones, and a name of megabytes takes seconds to parse."""

_BREAKS = re.compile(r"[\x00-\x1f\x7f]")


def is_web_address(text: str) -> bool:
    """Whether a browser can open it: http or https, with a host, without a user name or password."""
    if len(text) > MAX_URL or _BREAKS.search(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
