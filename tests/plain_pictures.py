"""Image files of one colour, as bytes, and an index of such pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

import esclip
from esclip.testing.pictures import draw_photos

__all__ = ["bmp", "image_file", "ingest_photos", "jpeg", "png"]


def image_file(format: str, color: Any = "red", size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, format)
    return file.getvalue()


def png(color: Any = "red", size: tuple[int, int] = (40, 30)) -> bytes:
    return image_file("PNG", color, size)


def jpeg(color: Any = "red", size: tuple[int, int] = (40, 30)) -> bytes:
    return image_file("JPEG", color, size)


def bmp(color: Any = "red", size: tuple[int, int] = (16, 12)) -> bytes:
    return image_file("BMP", color, size)


def ingest_photos(folder: Path) -> Path:
    """The folder, with eleven plain pictures in its `photos`, and an index of them in its `store`."""
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(draw_photos(folder / "photos"))
    return folder
