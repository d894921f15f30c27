"""Pictures for agents: a contact sheet of thumbnails with numbers, and one picture or a part of it.

Clients refuse results of more than 1 MB, and pictures of more than 2000 pixels.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from esclip._core.types import Box, Hit
from esclip._images.thumbnail_cache import ThumbnailCache, thumbnail
from esclip._images.thumbnails import Thumbnail, make_thumbnail

TILE = 240, 200
"""Pixels of a picture's place on a contact sheet, with its margin."""
MARGIN = 4
MAX_COLUMNS = 8
"""Eight tiles are 1,920 pixels; fifty pictures are seven rows of 200."""
MAX_SIDE = 1568
"""Pixels of a picture: models scale down what is larger."""
MAX_JPEG = 650_000
"""Bytes: 867 kB in base64, and the text beside it."""
QUALITIES = 85, 70, 50, 30, 10
_GROUND = 32, 32, 32


def make_contact_sheet(hits: Sequence[Hit], thumbnails: ThumbnailCache | None) -> bytes | None:
    """The hits' pictures side by side as a JPEG, each with its rank; None where none can be shown."""
    pictures = [thumbnail(hit, cache=thumbnails) for hit in hits]
    if not any(pictures):
        return None
    columns = min(MAX_COLUMNS, max(5, -(-len(hits) // 6)), len(hits))
    rows = -(-len(hits) // columns)
    sheet = Image.new("RGB", (columns * TILE[0], rows * TILE[1]), _GROUND)
    for place, (hit, picture) in enumerate(zip(hits, pictures, strict=True)):
        corner = place % columns * TILE[0], place // columns * TILE[1]
        _draw_tile(sheet, corner, str(hit.rank), picture)
    return _to_jpeg(sheet)


def view_file(file: Path, content: str, box: Box | None) -> bytes | None:
    """A file's picture, or a part of it, as a JPEG; None where it is not the file that was encoded."""
    made = make_thumbnail(file, content, MAX_SIDE, max_width=MAX_SIDE, box=box)
    if made is None or len(made.jpeg) <= MAX_JPEG:
        return made and made.jpeg
    with Image.open(io.BytesIO(made.jpeg), formats=["JPEG"]) as image:
        return _to_jpeg(image)


def _draw_tile(sheet: Image.Image, corner: tuple[int, int], number: str, picture: Thumbnail | None) -> None:
    """Draw a picture in the middle of its tile, and its number in the corner."""
    pen = ImageDraw.Draw(sheet)
    left, top = corner
    if picture is not None:
        with Image.open(io.BytesIO(picture.jpeg), formats=["JPEG"]) as image:
            image.thumbnail((TILE[0] - 2 * MARGIN, TILE[1] - 2 * MARGIN))
            sheet.paste(image, (left + (TILE[0] - image.width) // 2, top + (TILE[1] - image.height) // 2))
    font = ImageFont.load_default(size=24)
    bounds = pen.textbbox((left + 2 * MARGIN, top + 2 * MARGIN), number, font)
    around = (bounds[0] - MARGIN, bounds[1] - MARGIN, bounds[2] + MARGIN, bounds[3] + MARGIN)
    pen.rectangle(around, fill="black", outline="white")
    pen.text((left + 2 * MARGIN, top + 2 * MARGIN), number, "white", font)


def _to_jpeg(image: Image.Image) -> bytes:
    """A JPEG of at most `MAX_JPEG` bytes, of the best quality that this takes."""
    for quality in QUALITIES:
        jpeg = io.BytesIO()
        image.save(jpeg, "JPEG", quality=quality)
        if jpeg.tell() <= MAX_JPEG:
            break
    return jpeg.getvalue()
