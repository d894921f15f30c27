"""The one maker of thumbnails of indexed images, for galleries, pages and agents.

location, fingerprint of the encoded bytes ─► regular file? same bytes? ─► decoder ─► JPEG

An index is untrusted input: it may name any file of this machine as an image's location. But it can't know
the fingerprint of a file that its maker never had.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image, JpegImagePlugin

from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._core.types import Box, content_fingerprint
from esclip._errors import DecodeError
from esclip._files.archives import read_file
from esclip._images.decode import decoding

THUMBNAIL_HEIGHT = 240
"""Pixels."""


class Thumbnail(NamedTuple):
    """A small picture."""

    jpeg: bytes
    width: int
    height: int


def make_thumbnail(
    file: Path,
    content: str | None,
    height: int = THUMBNAIL_HEIGHT,
    *,
    max_width: int | None = None,
    box: Box | None = None,
) -> Thumbnail | None:
    """Make a small JPEG of an image file or of a part of it, of at most `height` pixels.

    It is at most four times as wide, or `max_width`. Returns None if the file is no image, or its bytes have
    another `content_fingerprint` than `content`. With None for `content` they are not compared: for files
    that the caller named.
    """
    data = read_indexed(file, content)
    if data is None:
        return None
    try:
        return shrink(data, height, max_width=max_width, box=box)
    except (OSError, ValueError, DecodeError):  # damaged, or not to be written as a JPEG
        return None


def shrink(data: bytes, height: int, *, max_width: int | None = None, box: Box | None = None) -> Thumbnail:
    """A small JPEG of an image file's bytes, as `make_thumbnail`. Raises `DecodeError`."""
    side = round(height / min(box.right - box.left, box.bottom - box.top)) if box else height
    with decoding(data, side=side) as whole:
        image = _crop(whole, box) if box else whole
        image.thumbnail((max_width or height * 4, height))
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=85)
    return Thumbnail(jpeg.getvalue(), *image.size)


def read_indexed(file: Path, content: str | None) -> bytes | None:
    """The bytes of an image file, if they have this `content_fingerprint`; None: whichever they have.

    The file may be in an archive. Returns None if it is not there, is no regular one, is too large, or has
    other bytes.
    """
    try:
        data = read_file(file, MAX_PICTURE_BYTES + 1)
    except (OSError, ValueError):  # ValueError: an invalid path
        return None
    fits = len(data) <= MAX_PICTURE_BYTES and content in (None, content_fingerprint(data))
    return data if fits else None


QUALITIES = 85, 70, 55, 40, 25, 10


def save_within(image: Image.Image, max_bytes: int) -> bytes:
    """A JPEG of at most so many bytes, of the best quality with which it fits; the smallest if none does."""
    for quality in QUALITIES:
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=quality)
        if jpeg.tell() <= max_bytes:
            break
    return jpeg.getvalue()


def fit_thumbnail(small: Thumbnail, max_bytes: int) -> Thumbnail:
    """The same picture in at most so many bytes."""
    if len(small.jpeg) <= max_bytes:
        return small
    with Image.open(io.BytesIO(small.jpeg), formats=["JPEG"]) as image:
        return small._replace(jpeg=save_within(image, max_bytes))


def read_thumbnail(jpeg: bytes) -> Thumbnail:
    """A thumbnail that was made before, with its size. Raises `ValueError` where these bytes are no JPEG."""
    try:
        size = JpegImagePlugin.JpegImageFile(io.BytesIO(jpeg)).size
    except Exception as error:  # Pillow raises almost anything on damaged bytes
        raise ValueError("no JPEG") from error
    return Thumbnail(jpeg, *size)


def _crop(image: Image.Image, box: Box) -> Image.Image:
    """A part of a picture, at least one pixel."""
    left, top = int(box.left * image.width), int(box.top * image.height)
    right, bottom = round(box.right * image.width), round(box.bottom * image.height)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
