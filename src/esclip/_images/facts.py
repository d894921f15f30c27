"""The facts of a picture (`_core/picture_facts.py`) but for its colour: size, format, EXIF."""

from __future__ import annotations

from typing import Any

from PIL import Image

from esclip._core.picture_facts import shape_facts
from esclip._core.types import Metadata
from esclip._images.convert import MAX_EXIF_BYTES, QUARTER_TURNS, transpose_of
from esclip._images.exif import read_exif
from esclip._images.formats import ImageFormat
from esclip._images.heif import exif_item


def picture_facts(data: bytes, image: Image.Image, format: ImageFormat, size: tuple[int, int]) -> Metadata:
    """The facts of an opened image, whose whole picture has the `size` before its orientation is applied."""
    # Pillow gives the size of a TIFF as it is shown
    turned = format is not ImageFormat.TIFF and transpose_of(image) in QUARTER_TURNS
    width, height = size[::-1] if turned else size
    return {**shape_facts(width, height), "format": format.value, **read_exif(_exif(data, image, format))}


def _exif(data: bytes, image: Image.Image, format: ImageFormat) -> bytes:
    """The EXIF block of a picture's bytes; empty where there is none, or one that is too long."""
    match format:
        case ImageFormat.TIFF:
            return data
        case ImageFormat.HEIC | ImageFormat.AVIF:  # whose EXIF is hidden from their decoders
            return exif_item(data)
        case _:
            exif: Any = image.info.get("exif", b"")
            return exif if isinstance(exif, bytes) and len(exif) <= MAX_EXIF_BYTES else b""
