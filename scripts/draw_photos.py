"""Draw a library of pictures with what is known of them: for tests in a browser, figures and screenshots.

scenes of the demo ─► cut to shapes, lit, with grain ─► JPEG files ─► records for `index.add`

Nobody's pictures are in it, and it is the same each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageOps

from esclip._cli.demo import SCENES, SIZE

__all__ = ["COUNT", "draw_photos"]

SHAPES = ((960, 640), (640, 960), (800, 800), (1080, 480), (900, 672))
"""Pixels, of one after the other."""
PHOTOGRAPHERS = ("Ana Silva", "Ben Okoro", "Misaki Tanaka", "Chloé Dubois", "Dara O’Neill")
PLACES = ("Norway", "Portugal", "Kenya", "Japan")
COUNT = 60
"""Pictures; every tenth is drawn again, smaller, as a near-duplicate."""
FIRST_DAY = datetime(2017, 3, 1, tzinfo=UTC)


def draw_photos(folder: Path, scale: float = 1.0) -> Iterator[dict[str, Any]]:
    """Write the pictures into a folder, scaled, and tell of each what `index.add` takes."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(SCENES)
    for number in range(COUNT):
        name = names[number % len(names)]
        width, height = (round(side * scale) for side in SHAPES[number % len(SHAPES)])
        shape = width, height
        photo = _draw_photo(name, shape, number)
        record = _describe(name, number)
        yield _save(photo, folder, f"photo-{number:02}", record)
        if number % 10 == 0:
            smaller = photo.resize((shape[0] * 3 // 4, shape[1] * 3 // 4))
            yield _save(smaller, folder, f"photo-{number:02}-small", record | {"views": 7})


def _describe(name: str, number: int) -> dict[str, Any]:
    """What is known of a picture: some fields are missing from some."""
    photographer = PHOTOGRAPHERS[(number + number // 7) % len(PHOTOGRAPHERS)]
    known: dict[str, Any] = {
        "description": name,
        "page": f"https://photos.example/{number}",
        "photographer": photographer,
        "photographer_url": f"https://photos.example/@{(number + number // 7) % len(PHOTOGRAPHERS)}",
        "taken_at": FIRST_DAY + timedelta(days=37 * number),
        "views": 13 * number * number,
    }
    return known | ({"country": PLACES[number % len(PLACES)]} if number % 3 else {})


def _save(photo: Image.Image, folder: Path, id: str, record: dict[str, Any]) -> dict[str, Any]:
    path = folder / f"{id}.jpg"
    photo.save(path, "JPEG", quality=82)
    return {"id": id, "path": path, **record}


def _draw_photo(name: str, shape: tuple[int, int], number: int) -> Image.Image:
    """A scene that fills a shape, lit from above, with grain that differs by number."""
    ground, sky, subjects = SCENES[name]
    scene = Image.new("RGB", SIZE, sky)
    pen = ImageDraw.Draw(scene)
    pen.rectangle((0, SIZE[1] * 0.6, *SIZE), fill=ground)
    for draw, color in subjects:
        draw(pen, color)
    photo = ImageOps.fit(scene, shape, Image.Resampling.BICUBIC)
    light = Image.linear_gradient("L").resize(shape).point(lambda value: 255 - value // 5)
    half = shape[0] // 2, shape[1] // 2
    grain = Image.frombytes("L", half, Random(number).randbytes(half[0] * half[1])).resize(shape)
    photo = ImageChops.multiply(photo, Image.merge("RGB", (light, light, light)))
    photo = Image.blend(photo, Image.merge("RGB", (grain, grain, grain)), 0.03)
    return ImageOps.mirror(photo) if number % 2 else photo
