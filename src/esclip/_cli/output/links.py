"""What a terminal opens when a picture's place is clicked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from esclip._core.urls import is_web_address
from esclip._files.archives import archive_of

if TYPE_CHECKING:
    from esclip._core.types import Hit

MAX_LINK = 2000
"""Characters. Terminals take none that is much longer."""

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def hit_link(hit: Hit) -> str | None:
    """The file of a hit; of a picture on the web its page, or itself."""
    return place_link(hit.location) if _is_file(hit.location) else place_link(hit.page or hit.location)


def place_link(place: str) -> str | None:
    """The address of a file, its archive, or a web page, in printable ASCII; None where it has none.

    Within a link, anything else could end it and command the terminal.
    """
    if _is_file(place):
        link = Path(archive_of(place) or place).as_uri()
    elif is_web_address(place):
        link = quote(place, safe=_PRINTABLE)
    else:
        return None
    return link if len(link) <= MAX_LINK else None


def _is_file(place: str) -> bool:
    return "\0" not in place and Path(place).is_absolute()
