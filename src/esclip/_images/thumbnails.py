"""Thumbnails of indexed images, for the gallery and HTML pages.

location, fingerprint of the encoded bytes ─► regular file? same bytes? ─► decoder ─► JPEG

An index is untrusted input: it may name any file of this machine as an image's location. But it can't know
the fingerprint of a file that its maker never had.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._core.types import content_fingerprint
from esclip._errors import DecodeError
from esclip._files.regular import open_regular
from esclip._images.decode import decoding

THUMBNAIL_HEIGHT = 240
"""Pixels."""


class Thumbnail(NamedTuple):
    """A small picture."""

    jpeg: bytes
    width: int
    height: int


def make_thumbnail(file: Path, content: str | None, height: int = THUMBNAIL_HEIGHT) -> Thumbnail | None:
    """Make a small JPEG of an image file, of at most `height` pixels.

    Returns None if the file is no image, or its bytes have another `content_fingerprint` than `content`. With
    None for `content` they are not compared: for files that the caller named.
    """
    try:
        with open_regular(file) as stream:
            data = stream.read(MAX_PICTURE_BYTES + 1)
        if len(data) > MAX_PICTURE_BYTES or content not in (None, content_fingerprint(data)):
            return None
        with decoding(data, side=height) as image:
            image.thumbnail((height * 4, height))
            jpeg = io.BytesIO()
            image.save(jpeg, "JPEG", quality=85)
    except (OSError, ValueError, DecodeError):  # missing or damaged; ValueError: an invalid path
        return None
    return Thumbnail(jpeg.getvalue(), *image.size)
