"""A hit shown large: its picture with the part that was found, its neighbours, its fields, why it is one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from esclip._core.filters import OneOf
from esclip._core.schema import Field, FieldType
from esclip._core.types import TEXT
from esclip._core.urls import is_web_address
from esclip._search.filter_text import filter_text
from esclip._server.page.address import PageAddress
from esclip._server.page.tiles import LARGE_HEIGHT, Frame, Size, Tile, frame_of, picture_url, size_of
from esclip._server.page.words import Part, fit_in_words, why_in_words

MAX_VALUES = 40
"""Of a field that has many, such as keywords."""
FILTERED = (FieldType.KEYWORD, FieldType.KEYWORDS)
"""Types of fields whose values are links to what else has them."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


class Value(NamedTuple):
    """A value of a field."""

    text: str
    url: str
    """What else has it, or the web page that it is; empty where it is neither."""


class Fact(NamedTuple):
    """A field with its values."""

    name: str
    values: list[Value]


class Neighbours(NamedTuple):
    """Ids and ranks of the hits before and after one."""

    previous: tuple[str, int] | None
    next: tuple[str, int] | None


class View(NamedTuple):
    """What the viewer shows."""

    tile: Tile
    large: str
    """Empty for a text."""
    words: str
    """Of a text; empty for a picture."""
    original: str
    """URL of the picture as it is, where the service sends that."""
    size: Size
    frame: Frame | None
    back: str
    """The results that it is of."""
    previous: str
    next: str
    """URLs of its neighbours; empty where there are none."""
    fit: str
    why: list[Part]
    score: str
    """Empty where nothing was compared."""
    facts: list[Fact]
    location: str | None


def make_view(
    hit: Mapping[str, Any],
    tile: Tile,
    address: PageAddress,
    neighbours: Neighbours,
    fields: Sequence[Field],
    page_size: int,
) -> View:
    """Of a hit as `search_messages.render_hit` has it; neighbours are ids with their ranks."""
    full = size_of(hit)
    size = full.fit(min(LARGE_HEIGHT, full.height))
    first = (max(hit["rank"], 1) - 1) // page_size * page_size
    previous, following = (address.replace(view=one[0], at=one[1]).url if one else "" for one in neighbours)
    return View(
        tile=tile,
        large=picture_url(hit, LARGE_HEIGHT),
        original=(hit["picture"] or "").removeprefix("/").replace("?", "/original?", 1),
        words=hit["description"] if hit["kind"] == TEXT else "",
        size=size,
        frame=frame_of(hit, size),
        back=f"{address.replace(view=None, at=None, offset=first or None).url}#hit-{hit['rank']}",
        previous=previous,
        next=following,
        fit=fit_in_words(hit),
        why=why_in_words(hit["why"]) if len(hit["why"]) > 1 else [],
        score=f"{hit['score']:.4f}" if hit["score"] and hit["rank"] else "",
        facts=list(_facts(hit["metadata"], address, {field.name: field for field in fields})),
        location=hit["location"],
    )


def _facts(metadata: Mapping[str, Any], address: PageAddress, fields: Mapping[str, Field]) -> list[Fact]:
    facts = []
    for name, value in metadata.items():
        values = value if isinstance(value, list) else [value]
        field = fields.get(name)
        shown = [Value(value_text(one), _link(field, one, address)) for one in values[:MAX_VALUES]]
        facts.append(Fact(name.replace("_", " "), shown))
    return facts


def _link(field: Field | None, value: object, address: PageAddress) -> str:
    """Where a value of a field leads: to a page of the web, or to the search among what has it."""
    if isinstance(value, str) and is_web_address(value):
        return value
    if field is None or field.type not in FILTERED or not isinstance(value, str):
        return ""
    return address.add("where", filter_text(OneOf(field, (value,)))).url


def value_text(value: object) -> str:
    """A value of JSON for a reader."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case {"lat": lat, "lon": lon}:
            return f"{lat:.4f}, {lon:.4f}"
        case str() if _MOMENT.fullmatch(value):
            return value.removesuffix("T00:00:00Z").replace("T", " ")[:16]
    return str(value)
