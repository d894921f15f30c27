"""Hits as HTML: the one gallery of notebooks, of the demo's page and of the page of duplicates.

hit ─► picture: a thumbnail as a data URI, or a web address ─► figure ─┐
       rank, score, file name, description                             ├─► gallery ─► section
                                                                       ┘
A text document is a card with its words. An index is untrusted input: each text is escaped, only web
addresses are links, and of this machine's files only the very ones that were encoded are opened
(`_images/thumbnails.py`).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from esclip._core.markup import markup
from esclip._core.types import TEXT, Box, Hit
from esclip._core.urls import is_web_address
from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._errors.secrets import mask
from esclip._images.thumbnail_cache import thumbnail
from esclip._images.thumbnails import THUMBNAIL_HEIGHT, fit_thumbnail
from esclip._search.hit_facts import credit_of, rarity
from esclip.sources import preview_url

MAX_WIDTH = THUMBNAIL_HEIGHT * 2
"""Pixels. A wider picture is scaled to it."""

DEFAULT_WIDTH = THUMBNAIL_HEIGHT * 4 // 3
"""Pixels: the place that is kept for a picture of unknown size."""

MAX_SHOWN = 100
"""Pictures in the output of a notebook's cell, which are some 10 kB each."""

MAX_DESCRIPTION = 120
"""Characters."""

MAX_TEXT = 600
"""Characters of a text document."""


MAX_INLINE_BYTES = 13_000
"""Of a thumbnail that stands in a page: thirty of them are 520 kB in base64."""


class ShownPicture(NamedTuple):
    """What a browser shows, in pixels of its place."""

    source: str
    """A web address, or a thumbnail as a data URI."""
    width: int
    height: int


class ShownHit(NamedTuple):
    """What a gallery says of a hit, as texts in one line each; empty where it is not known."""

    score: str
    """Its rank, its score, and how few pictures fit as well."""
    title: str
    """The name of its file."""
    link: str
    """Its page on the web."""
    description: str
    text: str
    """The words of a text document, which stand in a picture's place."""
    credit: str
    """Who took it."""
    credit_link: str
    part: str
    """The part that was found."""
    alike: str
    """How many others were folded into it."""
    alt: str
    """What stands for the picture where it isn't seen."""
    place: str
    """Where it is, without passwords."""
    picture: ShownPicture | None
    box: Box | None


def render_gallery(hits: Sequence[Hit], max_shown: int | None = MAX_SHOWN) -> str:
    """The pictures of hits side by side, at most so many of them; None: all."""
    if not hits:
        return f"<p>{markup(hits)}</p>"
    shown = hits[:max_shown]
    more = f"<p>and {len(hits) - len(shown):,} more</p>" if len(shown) < len(hits) else ""
    figures = "".join(map(_figure, shown))
    return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{figures}</div>{more}'


def render_results(results: Sequence[tuple[str, Sequence[Hit]]], noun: str) -> str:
    """Several results below each other with their headings, until there are `MAX_SHOWN` pictures."""
    parts: list[str] = []
    pictures = 0
    for number, (heading, hits) in enumerate(results):
        if pictures >= MAX_SHOWN:
            parts.append(f"<p>and {pluralize(len(results) - number, f'more {noun}')}</p>")
            break
        parts.append(f"<h3>{markup(heading)}</h3>{render_gallery(hits)}")
        pictures += len(hits)
    return "".join(parts)


def render_section(heading: str, hits: Sequence[Hit], lines: Iterable[str] = ()) -> str:
    """Of a page: all pictures of hits below a heading, and below them lines of text."""
    below = "".join(f"<div><code>{markup(line)}</code></div>" for line in lines)
    return f"<h2>{markup(heading)}</h2>{render_gallery(hits, None)}{below}"


def show_hit(hit: Hit) -> ShownHit:
    """What a gallery says of a hit, here or in a notebook's widget. Nothing in it is escaped yet."""
    title, is_text = one_line(file_name(hit)), hit.kind == TEXT
    description = "" if is_text else one_line(hit.description, MAX_DESCRIPTION)
    credit = credit_of(hit.location, hit.page, hit.metadata)
    return ShownHit(
        score=" · ".join(filter(None, (str(hit.rank), f"{hit.score:.4f}", rarity(hit.percentile)))),
        title=title,
        link=hit.page if hit.page and is_web_address(hit.page) else "",
        description=description,
        text=one_line(hit.description, MAX_TEXT) if is_text else "",
        credit=one_line(credit.name, MAX_DESCRIPTION) if credit else "",
        credit_link=credit.url if credit else "",
        part=_describe_box(hit.box) if hit.box else "",
        alike=f"+{len(hit.duplicates)} alike" if hit.duplicates else "",
        alt=description or title,
        place=one_line(mask(hit.location)),
        picture=None if is_text else _find_picture(hit),
        box=hit.box,
    )


def _figure(hit: Hit) -> str:
    """One picture, or a card with a text, with rank and score, its file's name, and what is known of it."""
    shown = show_hit(hit)
    lines = (
        markup(shown.score),
        _link(shown.title, shown.link),
        markup(shown.description),
        _link(shown.credit, shown.credit_link),
        markup(shown.part),
        markup(shown.alike),
    )
    caption = "<br>".join(filter(None, lines))
    style = f"margin:0;max-width:{MAX_WIDTH}px;overflow-wrap:anywhere"
    seen = _card(shown.text) if shown.text else _image(shown)
    return f'<figure style="{style}">{seen}<figcaption>{caption}</figcaption></figure>'


def _link(text: str, address: str) -> str:
    if not (text and address):
        return markup(text)
    return f'<a href="{markup(address)}" target="_blank" rel="noopener noreferrer">{markup(text)}</a>'


def _card(text: str) -> str:
    """The words of a text document, as high as a picture at most."""
    style = (
        f"margin:0;width:{DEFAULT_WIDTH}px;max-width:100%;max-height:{THUMBNAIL_HEIGHT}px;overflow:auto;"
        "box-sizing:border-box;padding:12px;border:1px solid;border-radius:4px"
    )
    return f'<blockquote style="{style}">{markup(text)}</blockquote>'


def _image(shown: ShownHit) -> str:
    """The picture in a fixed size, so that a page doesn't move; or where it is, if it can't be shown."""
    if shown.picture is None:
        return f"<code>{markup(shown.place)}</code>"
    source, width, height = shown.picture
    image = (
        f'<img src="{markup(source)}" alt="{markup(shown.alt)}" width="{width}" height="{height}" '
        f'style="width:{width}px;height:{height}px;max-width:100%;object-fit:contain;display:block" '
        'loading="lazy" referrerpolicy="no-referrer">'
    )
    if shown.box is None:
        return image
    sides = ";".join(f"{side}:{percent:.1f}%" for side, percent in frame_of(shown.box).items())
    frame = f"position:absolute;{sides};box-sizing:border-box;border:2px solid #fff;outline:2px solid #000"
    around = f"position:relative;width:{width}px;max-width:100%"
    return f'<div style="{around}">{image}<div style="{frame}"></div></div>'


def frame_of(box: Box) -> dict[str, float]:
    """Where a frame around a part lies in the picture, in percent of its width and height."""
    left, top, right, bottom = map(_percent, box)
    return {"left": left, "top": top, "width": max(right - left, 0.0), "height": max(bottom - top, 0.0)}


def _describe_box(box: Box) -> str:
    """`found in the part 0-50 % from the left, 50-100 % from the top`."""
    left, top, right, bottom = (round(_percent(side)) for side in box)
    return f"found in the part {left}-{right} % from the left, {top}-{bottom} % from the top"


def _percent(share: float) -> float:
    return max(0.0, min(100.0, 100 * share))


def _find_picture(hit: Hit) -> ShownPicture | None:
    if is_web_address(hit.location):
        sides = [hit.metadata.get(name) for name in ("width", "height")]
        width, height = (side if isinstance(side, int) and side > 0 else 0 for side in sides)
        size = (width, height) if width and height else (DEFAULT_WIDTH, THUMBNAIL_HEIGHT)
        return _in_place(preview_url(hit.location, THUMBNAIL_HEIGHT * 2), *size)
    small = thumbnail(hit)
    if small is None:
        return None
    jpeg = fit_thumbnail(small, MAX_INLINE_BYTES).jpeg
    return _in_place(f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}", small.width, small.height)


def _in_place(source: str, width: int, height: int) -> ShownPicture:
    """A picture of this size, scaled to the place that it gets."""
    scale = min(MAX_WIDTH / width, THUMBNAIL_HEIGHT / height)
    return ShownPicture(source, max(1, round(width * scale)), max(1, round(height * scale)))


def file_name(hit: Hit) -> str:
    """What a hit's file is called: the last part of its path or URL, or else its id."""
    name = hit.metadata.get("file_name")
    if isinstance(name, str) and name:
        return name
    if is_web_address(hit.location):
        return unquote(urlsplit(hit.location).path.rpartition("/")[2]) or hit.id
    return PurePath(mask(hit.location)).name or hit.id
