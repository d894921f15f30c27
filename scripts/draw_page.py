"""Draw docs/page-light.webp and docs/page-dark.webp: the page of the search service, on pictures drawn by us.

    scripts/draw_photos.py ─► index (palette) ─► esclip serve ─► chromium ─► WebP, with what is shown in it

python -m scripts.draw_page     after a change of the page; needs chromium. A test compares what is shown
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

import esclip
from scripts.browsing import open_browser, serve
from scripts.draw_photos import draw_photos

__all__ = ["PICTURES", "QUERY", "plant", "search", "shown_in"]

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = {scheme: DOCS / f"page-{scheme}.webp" for scheme in ("light", "dark")}
QUERY = "something red"
INDEX = "photos"
SIZE = 1200, 720
SHOWN = 5
"""Hits that are told of a picture."""
QUALITY = 82
DESCRIPTION = 0x010E
"""The EXIF tag that holds what is shown."""


def plant(folder: Path, scale: float = 0.5) -> Path:
    """Draw the library and index it. Returns the store."""
    records = [*draw_photos(folder / "photos", scale)]
    with esclip.open_index(folder / "store", INDEX, "palette") as index:
        index.add(records)
    return folder / "store"


def search(store: Path) -> list[str]:
    """The ids of the first hits that the page shows."""
    with esclip.open_index(store, INDEX) as index:
        return [hit.id for hit in index.search_text(QUERY, k=SHOWN)]


def shown_in(picture: Path) -> list[str]:
    """The ids of the first hits in a picture of the page."""
    with Image.open(picture) as image:
        shown: list[str] = json.loads(image.getexif()[DESCRIPTION])
    return shown


def main() -> None:
    """Draw both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        store = plant(Path(folder))
        with serve(store, INDEX, Path(folder) / "thumbnails") as address, open_browser() as browser:
            for scheme, picture in PICTURES.items():
                _save(_draw(browser, address, dark=scheme == "dark"), picture, search(store))
                print(f"{picture.name}: {picture.stat().st_size // 1024} KiB")


def _draw(browser: Browser, address: str, *, dark: bool) -> bytes:
    page = browser.new_page(
        base_url=address,
        viewport={"width": SIZE[0], "height": SIZE[1]},
        color_scheme="dark" if dark else "light",
    )
    for _ in range(2):  # the second time with all caches warm
        page.goto(f"/?q={QUERY.replace(' ', '+')}")
    page.locator("form.facets").wait_for()
    page.wait_for_load_state("networkidle")
    return page.screenshot()


def _save(screenshot: bytes, picture: Path, shown: list[str]) -> None:
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    exif = Image.Exif()
    exif[DESCRIPTION] = json.dumps(shown)
    image.save(picture, "WEBP", quality=QUALITY, method=6, exif=exif)


if __name__ == "__main__":
    main()
