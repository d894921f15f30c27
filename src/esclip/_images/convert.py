"""Convert an opened image of any mode to RGB, with its EXIF orientation applied.

    pixels ─► oriented ─► 8 bits, on white ─► RGB

No step holds more than two images in memory: 8 bytes for each pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

BAND_PIXELS = 1 << 20
"""Pixels of more than 8 bits that are scaled in one step."""

MAX_EXIF_BYTES = 1 << 20
"""Longer EXIF is ignored; a camera writes less than 64 kB."""

_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation."""


QUARTER_TURNS = frozenset(_TRANSPOSES[orientation] for orientation in (5, 6, 7, 8))
"""Those that exchange width and height."""


def apply_orientation(image: Image.Image) -> Image.Image:
    """Load the image and apply its EXIF orientation. Raises what Pillow raises on unreadable pixels."""
    image.load()
    transpose = transpose_of(image)
    return image if transpose is None else image.transpose(transpose)


def transpose_of(image: Image.Image) -> Image.Transpose | None:
    """By what the image's EXIF orientation is applied; None where it is upright. May load the image."""
    with suppress(Exception):  # damaged EXIF: only the orientation is lost
        if len(image.info.get("exif", b"")) <= MAX_EXIF_BYTES:
            return _TRANSPOSES.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return None


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert to three channels of 8 bits, with transparent pixels on white."""
    match image.mode:
        case "RGB" if not image.has_transparency_data:
            return image
        case "I" | "F" | "I;16" | "I;16L" | "I;16B" | "I;16N":
            return _scale_to_8_bits(image).convert("RGB")
        case "La":
            return _paste_on_white(image.convert("LA").convert("RGBA"))  # Pillow can't convert it directly
        case "RGBA":
            return _paste_on_white(image)
        case _ if image.has_transparency_data:
            return _paste_on_white(image.convert("RGBA"))
        case _:
            return image.convert("RGB")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey of more bits, which Pillow would clip at 255: from 16 bits, or from the image's range."""
    low, high = 0.0, 65535.0
    lows, highs = zip(*((float(v.min()), float(v.max())) for _, v in _bands(image)), strict=True)
    if image.mode == "F" or min(lows) < low or max(highs) > high:
        low, high = min(lows), max(highs)
    grey = Image.new("L", image.size)
    for top, values in _bands(image):
        scaled = (values - low) * (255.0 / max(high - low, 1e-30))
        grey.paste(Image.fromarray(np.rint(scaled).astype(np.uint8)), (0, top))
    return grey


def _bands(image: Image.Image) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Bands of rows as (first row, values of shape (rows, width))."""
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        yield top, np.nan_to_num(np.asarray(band, dtype=np.float32), posinf=0.0, neginf=0.0)


def _paste_on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image)
    return white
