"""Small pictures of what was encoded, for the gallery and the pages.

location, fingerprint of the bytes that were encoded ─► regular file? the same bytes? ─► decoder ─► JPEG

What an index holds is input from outside: an index that somebody handed over may name any file of this
machine as the place of a picture. It can't know the fingerprint of a file that its maker hasn't had.
"""

from __future__ import annotations

import io
from pathlib import Path

from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._core.types import content_fingerprint
from esclip._errors import DecodeError
from esclip._files.regular import open_regular
from esclip._images.decode import decoding

__all__ = ["THUMBNAIL_HEIGHT", "thumbnail"]

THUMBNAIL_HEIGHT = 240
"""Height of a thumbnail, in pixels."""


def thumbnail(file: Path, content: str | None) -> bytes | None:
    """The picture in a file as a small JPEG, as an encoder sees it.

    None where its bytes are others than those whose `content_fingerprint` is `content`, or no picture. With
    None for `content` any picture will do: nobody but the caller has named the file.
    """
    try:
        with open_regular(file) as stream:
            data = stream.read(MAX_PICTURE_BYTES + 1)
        if len(data) > MAX_PICTURE_BYTES or content not in (None, content_fingerprint(data)):
            return None
        with decoding(data, side=THUMBNAIL_HEIGHT) as picture:
            picture.thumbnail((THUMBNAIL_HEIGHT * 4, THUMBNAIL_HEIGHT))
            small = io.BytesIO()
            picture.save(small, "JPEG", quality=85)
    except (OSError, ValueError, DecodeError):  # gone or broken by now; ValueError: no path at all
        return None
    return small.getvalue()
