"""Small pictures side by side on one, each with its number: for agents and terminals."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

TILE = 240, 200
"""Pixels of a picture's place, with its margin."""
MARGIN = 4
FONT_HEIGHT = 24
_GROUND = 32, 32, 32


class Tile(NamedTuple):
    """What stands in one place."""

    number: int
    jpeg: bytes | None
    """None: its picture can't be shown."""


def draw_contact_sheet(tiles: Sequence[Tile], columns: int) -> Image.Image:
    """The tiles in rows of so many."""
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (columns * TILE[0], rows * TILE[1]), _GROUND)
    for place, tile in enumerate(tiles):
        _draw_tile(sheet, place % columns * TILE[0], place // columns * TILE[1], tile)
    return sheet


def _draw_tile(sheet: Image.Image, left: int, top: int, tile: Tile) -> None:
    """Draw a picture in the middle of its place, and its number in the corner."""
    if tile.jpeg is not None:
        with Image.open(io.BytesIO(tile.jpeg), formats=["JPEG"]) as image:
            image.thumbnail((TILE[0] - 2 * MARGIN, TILE[1] - 2 * MARGIN))
            sheet.paste(image, (left + (TILE[0] - image.width) // 2, top + (TILE[1] - image.height) // 2))
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=FONT_HEIGHT)
    place = left + 2 * MARGIN, top + 2 * MARGIN
    bounds = pen.textbbox(place, str(tile.number), font)
    around = (bounds[0] - MARGIN, bounds[1] - MARGIN, bounds[2] + MARGIN, bounds[3] + MARGIN)
    pen.rectangle(around, fill="black", outline="white")
    pen.text(place, str(tile.number), "white", font)
