"""The demo: pictures that it draws itself, ingested and searched offline, by their colours.

scenes ─► PNG files ─► index (palette encoder) ─► searches ─► a page to look at
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageDraw

from esclip._core.markup import render_page
from esclip._core.progress import Progress
from esclip._core.rejections import IngestReport
from esclip._errors import ConfigError
from esclip._files.user_folders import data_folder
from esclip._index import ImageIndex
from esclip._open_index import open_index
from esclip._search.gallery import render_section
from esclip._search.hits import Hits
from esclip.encoders.palette import PALETTE_LIMITS
from esclip.stores import is_folder

SIZE = 320, 240

Color: TypeAlias = tuple[int, int, int]
Draw: TypeAlias = Callable[[ImageDraw.ImageDraw, Color], None]


@dataclass(frozen=True, slots=True)
class Search:
    """One search of the demo."""

    command: str
    """As the user would type it."""
    hits: Hits


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo did."""

    report: IngestReport
    searches: tuple[Search, ...]
    page: Path
    """An HTML page with the pictures that were found."""
    note: str
    serve: str
    """The command that shows the index in a browser."""


def run(
    folder: Path | None = None,
    store: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Demo:
    """Draw the pictures, ingest them, search, and write the page, all below `folder`."""
    folder = folder or _default_folder()
    pictures = folder / "pictures"
    draw_pictures(pictures)
    address = store or str(folder / "store")
    with open_index(address, "demo", "palette") as index:
        report = index.ingest(pictures, on_progress=on_progress)
        shown = address if is_folder(address) else report.store  # without the password in it
        searches = tuple(_run_searches(index, pictures, shown))
    page = folder / "demo.html"
    sections = (render_section(search.command, search.hits) for search in searches)
    page.write_text("".join(render_page("esclip demo", sections)), encoding="utf-8")
    return Demo(report, searches, page, PALETTE_LIMITS, f"serve {_options(shown)} --browse")


def _default_folder() -> Path:
    try:
        return data_folder().with_name("esclip-demo")
    except ConfigError as error:
        raise ConfigError(f"{error.message}; name a folder by --folder, or set HOME") from error


def draw_pictures(folder: Path) -> None:
    """Draw the demo's pictures as PNG files named after what they show."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (ground, sky, subjects) in SCENES.items():
        path = folder / f"{name}.png"
        if path.exists():
            continue
        image = Image.new("RGB", SIZE, sky)
        pen = ImageDraw.Draw(image)
        pen.rectangle((0, SIZE[1] * 0.6, *SIZE), fill=ground)
        for draw, color in subjects:
            draw(pen, color)
        image.save(path)


def _options(address: str) -> str:
    return f"--store {shlex.quote(address)} --index demo"


def _run_searches(index: ImageIndex, pictures: Path, address: str) -> list[Search]:
    options = _options(address)
    texts = ["something red", "红色", "etwas Gelbes", "rose et vert", "blue and white"]
    searches = [
        Search(f"esclip search-text {shlex.quote(text)} {options} -k 3", index.search_text(text, 3))
        for text in texts
    ]
    like = pictures / "green forest.png"
    searches.append(
        Search(f"esclip search-image {shlex.quote(str(like))} {options} -k 3", index.search_image(like, 3))
    )
    best = searches[0].hits[0]
    searches.append(Search(f"esclip similar {best.id} {options} -k 3", index.similar(best.id, 3)))
    return searches


def _car(pen: ImageDraw.ImageDraw, color: Color) -> None:
    pen.rounded_rectangle((50, 120, 270, 190), 20, fill=color)
    pen.polygon(((90, 122), (125, 80), (205, 80), (240, 122)), fill=color)
    for x in (85, 195):
        pen.ellipse((x, 168, x + 44, 212), fill=(20, 20, 20))


def _house(pen: ImageDraw.ImageDraw, color: Color) -> None:
    pen.rectangle((80, 100, 240, 205), fill=color)
    pen.polygon(((65, 102), (160, 45), (255, 102)), fill=tuple(c * 3 // 4 for c in color))
    pen.rectangle((145, 150, 178, 205), fill=(60, 40, 30))


def _trees(pen: ImageDraw.ImageDraw, color: Color) -> None:
    for x, y in ((20, 60), (95, 40), (170, 65), (235, 45)):
        pen.rectangle((x + 28, y + 90, x + 40, y + 150), fill=(96, 60, 30))
        pen.polygon(((x - 15, y + 110), (x + 34, y - 20), (x + 83, y + 110)), fill=color)


def _flowers(pen: ImageDraw.ImageDraw, color: Color) -> None:
    for x, y in ((45, 130), (110, 90), (160, 150), (215, 100), (275, 140)):
        pen.line((x, y, x, y + 80), fill=(40, 120, 40), width=5)
        pen.ellipse((x - 30, y - 30, x + 30, y + 30), fill=color)


def _sun(pen: ImageDraw.ImageDraw, color: Color) -> None:
    pen.ellipse((105, 25, 215, 135), fill=color)


def _mountains(pen: ImageDraw.ImageDraw, color: Color) -> None:
    pen.polygon(((-30, 150), (80, 30), (190, 150)), fill=color)
    pen.polygon(((120, 150), (235, 15), (350, 150)), fill=tuple(c * 4 // 5 for c in color))


def _cat(pen: ImageDraw.ImageDraw, color: Color) -> None:
    pen.ellipse((90, 110, 230, 225), fill=color)
    pen.ellipse((115, 50, 205, 135), fill=color)
    for left in (118, 168):
        pen.polygon(((left, 75), (left + 8, 30), (left + 35, 60)), fill=color)


def _boat(pen: ImageDraw.ImageDraw, color: Color) -> None:
    pen.polygon(((60, 150), (260, 150), (220, 200), (100, 200)), fill=color)
    pen.polygon(((160, 30), (160, 140), (245, 140)), fill=(250, 250, 250))


RED, ORANGE, YELLOW, GREEN = (205, 25, 30), (245, 130, 20), (250, 215, 30), (25, 130, 45)
BLUE, PURPLE, PINK, BROWN = (30, 75, 200), (120, 40, 150), (250, 150, 190), (120, 70, 35)
BLACK, GREY, WHITE = (15, 15, 18), (130, 130, 132), (248, 248, 250)

SCENES: dict[str, tuple[Color, Color, tuple[tuple[Draw, Color], ...]]] = {
    "red car in the snow": (WHITE, (225, 230, 238), ((_car, RED),)),
    "red car on the road": (GREY, (150, 190, 240), ((_car, RED),)),
    "red sunset": ((90, 15, 20), RED, ((_sun, ORANGE),)),
    "orange desert": (ORANGE, (250, 160, 60), ((_sun, YELLOW),)),
    "orange cat": ((200, 190, 180), (235, 230, 225), ((_cat, ORANGE),)),
    "yellow house": ((60, 150, 60), (150, 200, 245), ((_house, YELLOW),)),
    "yellow field": (YELLOW, (252, 225, 90), ((_sun, WHITE),)),
    "green forest": ((35, 110, 40), (140, 200, 140), ((_trees, GREEN),)),
    "green car": (GREY, (200, 215, 230), ((_car, GREEN),)),
    "blue sea with a boat": (BLUE, (90, 150, 240), ((_boat, (240, 240, 240)),)),
    "blue house in the snow": (WHITE, (235, 240, 248), ((_house, BLUE),)),
    "purple mountains": ((90, 60, 130), (190, 150, 220), ((_mountains, PURPLE),)),
    "purple flowers": ((60, 130, 60), (215, 225, 235), ((_flowers, PURPLE),)),
    "pink flowers": ((70, 150, 70), (252, 205, 222), ((_flowers, PINK),)),
    "pink sky": ((160, 90, 110), PINK, ((_sun, (255, 190, 210)),)),
    "brown mountains": ((150, 100, 60), (215, 200, 180), ((_mountains, BROWN),)),
    "brown house": (BROWN, (190, 160, 130), ((_house, (100, 60, 30)),)),
    "black cat at night": ((25, 25, 30), (40, 40, 48), ((_cat, BLACK),)),
    "black car": ((70, 70, 72), (170, 172, 175), ((_car, BLACK),)),
    "grey mountains": ((110, 110, 112), (175, 177, 180), ((_mountains, GREY),)),
    "grey cat": ((150, 150, 152), (190, 190, 192), ((_cat, (105, 105, 107)),)),
    "white house in the snow": (WHITE, (240, 243, 247), ((_house, (225, 225, 228)),)),
    "white cat": ((225, 222, 218), (240, 240, 240), ((_cat, WHITE),)),
    "snowy mountains": ((235, 238, 242), (120, 175, 245), ((_mountains, WHITE),)),
}
"""Ground, sky, and what stands before them, by the picture's name."""
