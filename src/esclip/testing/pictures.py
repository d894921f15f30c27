"""Plain pictures, drawn: one of each colour that the encoder `palette` tells apart."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

PLAIN = ("black", "white", "red", "green", "yellow", "blue", "brown", "purple", "pink", "orange", "grey")


def draw_photos(folder: Path) -> Path:
    """Make `folder` with a picture of each colour of `PLAIN`, every second one in its subfolder `more`."""
    (folder / "more").mkdir(parents=True)
    for number, color in enumerate(PLAIN):
        picture = Image.new("RGB", (40, 30), color)
        picture.save(folder / ("more" if number % 2 else "") / f"{color}.png")
    return folder
