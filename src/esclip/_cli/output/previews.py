"""Hits as small pictures with their numbers, above their table on a terminal."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from typing import TYPE_CHECKING

from esclip._cli.output.console import is_terminal, print_bytes, print_columns, say

if TYPE_CHECKING:
    from esclip._search.hits import Hits

TILE_COLUMNS = 16
"""Of a terminal, for one picture: five stand beside each other in 80 columns."""
MAX_TILES = 12
"""Beside each other."""


def print_previews(hits: Hits, protocol: str | None, allow_hosts: Collection[str]) -> None:
    """Show the hits' pictures in rows; where the terminal can't, say so. `protocol`: without asking it."""
    from esclip._cli.output import terminal_images
    from esclip._core.types import PICTURE
    from esclip._images.contact_sheet import Tile, draw_contact_sheet
    from esclip._search.previews import read_previews

    try:
        if not is_terminal() and protocol is None:
            raise terminal_images.NoPictures("stdout is no terminal")
        wanted = terminal_images.Protocol(protocol or terminal_images.detect_protocol(os.environ))
    except terminal_images.NoPictures as reason:
        say(f"no pictures here: {reason}; --open shows them in the browser")
        return
    pictures = [hit for hit in hits if hit.kind == PICTURE]
    previews = read_previews(pictures, allow_hosts)
    tiles = [Tile(hit.rank, preview) for hit, preview in zip(pictures, previews, strict=True)]
    across = max(1, min(MAX_TILES, shutil.get_terminal_size().columns // TILE_COLUMNS))
    for start in range(0, len(tiles), across):
        row = tiles[start : start + across]
        image = draw_contact_sheet(row, len(row))
        columns = len(row) * TILE_COLUMNS
        width = terminal_images.cell_width(1)
        print_bytes(terminal_images.encode_picture(image, wanted, columns, width))
        print_columns()
