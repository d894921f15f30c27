"""Pictures for agents: a contact sheet of thumbnails with numbers, and one picture or a part of it.

Clients refuse results of more than 1 MB, and pictures of more than 2000 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from esclip._core.types import PICTURE, Box, Hit
from esclip._images.contact_sheet import Tile, draw_contact_sheet
from esclip._images.thumbnail_cache import ThumbnailCache, thumbnail
from esclip._images.thumbnails import fit_thumbnail, make_thumbnail, save_within

MAX_COLUMNS = 8
"""Eight tiles are 1,920 pixels; fifty pictures are seven rows of 200."""
MAX_SIDE = 1568
"""Pixels of a picture: models scale down what is larger."""
MAX_JPEG = 650_000
"""Bytes: 867 kB in base64, and the text beside it."""


def make_contact_sheet(hits: Sequence[Hit], thumbnails: ThumbnailCache | None) -> bytes | None:
    """The hits' pictures side by side as a JPEG, each with its rank; None where none can be shown."""
    hits = [hit for hit in hits if hit.kind == PICTURE]
    small = [thumbnail(hit, cache=thumbnails) for hit in hits]
    if not any(small):
        return None
    tiles = [Tile(hit.rank, one and one.jpeg) for hit, one in zip(hits, small, strict=True)]
    columns = min(MAX_COLUMNS, max(5, -(-len(hits) // 6)), len(hits))
    return save_within(draw_contact_sheet(tiles, columns), MAX_JPEG)


def view_file(file: Path, content: str, box: Box | None) -> bytes | None:
    """A file's picture, or a part of it, as a JPEG; None where it is not the file that was encoded."""
    made = make_thumbnail(file, content, MAX_SIDE, max_width=MAX_SIDE, box=box)
    return made and fit_thumbnail(made, MAX_JPEG).jpeg
