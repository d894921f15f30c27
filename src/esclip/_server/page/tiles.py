"""Hits as the page shows them: tiles of a grid, in which each has its room before its picture is there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from esclip._core.settings import UNSPLASH_HOST
from esclip._core.types import TEXT
from esclip._core.urls import is_web_address
from esclip._errors import one_line
from esclip._search.hit_facts import Credit, credit_of, rarity, year_of
from esclip._server.page.address import PageAddress
from esclip.sources import preview_url

RATIOS = (6, 30)
"""Tenths of width by height: shapes of tiles, for each of which the styles have a class; others are cut."""
SIDES = 4, 3
"""The shape of a picture of unknown size."""
HEIGHT, SHARP_HEIGHT, LARGE_HEIGHT = 240, 480, 1080
"""Pixels of thumbnails: of tiles, of tiles on dense screens, of the viewer."""
MAX_WORDS, MAX_TITLE = 600, 100
"""Characters of a text document in a tile, and of what it is called."""
EAGER = 8
"""Tiles whose pictures are loaded at once: a screenful."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


class Size(NamedTuple):
    """Of a picture, in pixels."""

    width: int
    height: int

    def fit(self, height: int) -> Size:
        """Scaled to a height."""
        return Size(max(1, round(self.width * height / self.height)), height)


class Frame(NamedTuple):
    """A rectangle of a picture, in pixels of its shown size."""

    x: int
    y: int
    width: int
    height: int


class Tile(NamedTuple):
    """A hit in the grid."""

    id: str
    rank: int
    url: str
    """Of the viewer."""
    more: str
    less: str
    similar: str
    picture: str
    """Empty for a text."""
    words: str
    """Of a text, which stand in place of a picture; empty for a picture."""
    sharp: str
    """The same picture for dense screens."""
    size: Size
    shape: str
    """The class of its shape."""
    color: str
    """Empty where it is not known."""
    frame: Frame | None
    """The part that was found."""
    title: str
    credit: Credit | None
    year: str
    rarity: str
    eager: bool


NO_PREVIEW = "static/no-preview.svg"


class TileLinks(NamedTuple):
    """What the links of all tiles of a page begin with: no hit is an example of its own search."""

    base: str
    sign: str
    """What comes between it and a further parameter."""
    filters: str
    """Of the search with a picture alone, with the sign before it."""

    @classmethod
    def of(cls, address: PageAddress) -> TileLinks:
        """Of the search that found them."""
        base, filters = address.elsewhere(), address.filters()
        return cls(
            base.url if base.pairs else "?",
            "&" if base.pairs else "",
            filters.url.replace("?", "&", 1) if filters.pairs else "",
        )


def tile_of(hit: Mapping[str, Any], name: str, number: int, links: TileLinks) -> Tile:
    """A hit as `search_messages.render_hit` has it, with its file's name, at this place of the page."""
    size = size_of(hit).fit(HEIGHT)
    quoted = quote_plus(hit["id"])
    ratio = min(max(round(10 * size.width / size.height), RATIOS[0]), RATIOS[1])
    return Tile(
        id=hit["id"],
        rank=hit["rank"],
        url=f"{links.base}{links.sign}view={quoted}&at={hit['rank']}",
        more=f"{links.base}{links.sign}like={quoted}",
        less=f"{links.base}{links.sign}unlike={quoted}",
        similar=f"?like={quoted}{links.filters}",
        picture=picture_url(hit, HEIGHT),
        words=words_of(hit, MAX_WORDS),
        sharp=picture_url(hit, SHARP_HEIGHT),
        size=size,
        shape=f"r{ratio}",
        color=color_of(hit),
        frame=frame_of(hit, size),
        title=title_of(hit, name),
        credit=credit_of(hit["location"], hit["page"], hit["metadata"]),
        year=year_of(hit["metadata"]),
        rarity=rarity(hit["percentile"]),
        eager=number < EAGER,
    )


def title_of(hit: Mapping[str, Any], name: str) -> str:
    """What a picture is called: its description, or else its file's name; of a text its first words."""
    return words_of(hit, MAX_TITLE) or str(hit["description"] or name)


def words_of(hit: Mapping[str, Any], length: int) -> str:
    """A text document's words, up to so many characters; empty for a picture."""
    return one_line(hit["description"], length) if hit["kind"] == TEXT else ""


def size_of(hit: Mapping[str, Any]) -> Size:
    """The picture's size, or an usual one."""
    width, height = hit["width"], hit["height"]
    known = isinstance(width, int) and isinstance(height, int) and min(width, height) > 0
    return Size(width, height) if known else Size(*SIDES)


def color_of(hit: Mapping[str, Any]) -> str:
    """What fills the tile until the picture is there."""
    color = hit["color"]
    return color if isinstance(color, str) and _COLOR.fullmatch(color) else ""


def frame_of(hit: Mapping[str, Any], size: Size) -> Frame | None:
    """The part of the picture that was found."""
    box = hit["box"]
    if not box:
        return None
    left, right = (round(box[side] * size.width) for side in ("left", "right"))
    top, bottom = (round(box[side] * size.height) for side in ("top", "bottom"))
    return Frame(left, top, max(right - left, 1), max(bottom - top, 1))


def picture_url(hit: Mapping[str, Any], height: int) -> str:
    """Where a browser gets the picture: at its host, where that scales it, else from this server.

    Empty for a text. A picture in a bucket has none, and one that says so in its place.
    """
    if not hit["picture"]:
        return "" if hit["kind"] == TEXT else NO_PREVIEW
    location = hit["location"]
    if location and is_web_address(location) and f"://{UNSPLASH_HOST}/" in location:
        return preview_url(location, height)
    return f"{hit['picture'].removeprefix('/')}&h={height}"
