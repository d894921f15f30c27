"""Draw docs/results.png: what some searches find among the pictures of the demo, which it draws itself.

python -m scripts.draw_results     after a change of the demo or of palette; a test compares what is shown
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

import esclip
from esclip._cli.demo import draw_pictures

__all__ = ["PICTURE", "Row", "search"]

PICTURE = Path(__file__).parent.parent / "docs" / "results.png"

QUERIES = ("something red", "rose et vert", "blue and white")
SHOWN = 3
THUMBNAIL = 200, 150
GAP = 12
QUERY_HEIGHT, CAPTION_HEIGHT = 36, 24
COLORS = 64

Row = tuple[str, list[tuple[str, float]]]
"""A query, and the names of its hits with their scores."""


def search(folder: Path) -> list[Row]:
    """Draw the pictures below a folder, ingest them and search: what the picture shows."""
    draw_pictures(folder / "pictures")
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder / "pictures")
        found = [(query, index.search_text(query, k=SHOWN)) for query in QUERIES]
    return [
        (query, [(Path(hit.location).stem, round(hit.score, 2)) for hit in hits]) for query, hits in found
    ]


def draw(rows: list[Row], pictures: Path) -> Image.Image:
    """A row for each query: its text above, its hits with name and score side by side."""
    row_height = QUERY_HEIGHT + THUMBNAIL[1] + CAPTION_HEIGHT + GAP
    canvas = Image.new("RGB", (GAP + SHOWN * (THUMBNAIL[0] + GAP), GAP + len(rows) * row_height), "white")
    pen = ImageDraw.Draw(canvas)
    title, caption = ImageFont.load_default(18), ImageFont.load_default(13)
    for number, (query, hits) in enumerate(rows):
        top = GAP + number * row_height
        pen.text((GAP, top + 4), f'esclip search-text "{query}"', "#202020", title)
        for column, (name, score) in enumerate(hits):
            left = GAP + column * (THUMBNAIL[0] + GAP)
            with Image.open(pictures / f"{name}.png") as picture:
                canvas.paste(picture.resize(THUMBNAIL), (left, top + QUERY_HEIGHT))
            below = top + QUERY_HEIGHT + THUMBNAIL[1] + 4
            pen.text((left, below), f"{score:.2f}  {name}", "#505050", caption)
    return canvas.quantize(COLORS)


def main() -> None:
    """Write the picture, and in it as text what it shows."""
    with tempfile.TemporaryDirectory() as folder:
        rows = search(Path(folder))
        picture = draw(rows, Path(folder) / "pictures")
    info = PngInfo()
    info.add_text("results", json.dumps(rows))
    picture.save(PICTURE, optimize=True, pnginfo=info)


if __name__ == "__main__":
    main()
