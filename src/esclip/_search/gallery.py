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
from esclip._core.types import TEXT, Hit
from esclip._core.urls import is_web_address
from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._errors.secrets import mask
from esclip._images.thumbnail_cache import thumbnail
from esclip._images.thumbnails import THUMBNAIL_HEIGHT
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


class _Picture(NamedTuple):
    source: str
    """What a browser shows: a web address, or a thumbnail as a data URI."""
    width: int
    height: int


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


def _figure(hit: Hit) -> str:
    """One picture, or a card with a text, with rank and score, its file's name, and what is known of it."""
    name = markup(one_line(file_name(hit)))
    if hit.page and is_web_address(hit.page):
        name = f'<a href="{markup(hit.page)}" target="_blank" rel="noopener noreferrer">{name}</a>'
    description = "" if hit.kind == TEXT else one_line(hit.description, MAX_DESCRIPTION)
    credit = one_line(str(hit.metadata.get("photographer", "")), MAX_DESCRIPTION)
    alike = f"+{len(hit.duplicates)} alike" if hit.duplicates else ""
    lines = (f"{hit.rank} · {hit.score:.4f}", name, *map(markup, (description, credit, alike)))
    caption = "<br>".join(line for line in lines if line)
    style = f"margin:0;max-width:{MAX_WIDTH}px;overflow-wrap:anywhere"
    shown = _card(hit) if hit.kind == TEXT else _image(hit)
    return f'<figure style="{style}">{shown}<figcaption>{caption}</figcaption></figure>'


def _card(hit: Hit) -> str:
    """The words of a text document, as high as a picture at most."""
    style = (
        f"margin:0;width:{DEFAULT_WIDTH}px;max-width:100%;max-height:{THUMBNAIL_HEIGHT}px;overflow:auto;"
        "box-sizing:border-box;padding:12px;border:1px solid;border-radius:4px"
    )
    return f'<blockquote style="{style}">{markup(one_line(hit.description, MAX_TEXT))}</blockquote>'


def _image(hit: Hit) -> str:
    """The picture in a fixed size, so that a page doesn't move; or where it is, if it can't be shown."""
    picture = _find_picture(hit)
    if picture is None:
        return f"<code>{markup(one_line(mask(hit.location)))}</code>"
    scale = min(MAX_WIDTH / picture.width, THUMBNAIL_HEIGHT / picture.height)
    width, height = (max(1, round(side * scale)) for side in picture[1:])
    alt = one_line(hit.description, MAX_DESCRIPTION) or one_line(file_name(hit))
    return (
        f'<img src="{markup(picture.source)}" alt="{markup(alt)}" width="{width}" height="{height}" '
        f'style="width:{width}px;height:{height}px;max-width:100%;object-fit:contain;display:block" '
        'loading="lazy" referrerpolicy="no-referrer">'
    )


def _find_picture(hit: Hit) -> _Picture | None:
    if is_web_address(hit.location):
        sides = [hit.metadata.get(name) for name in ("width", "height")]
        width, height = (side if isinstance(side, int) and side > 0 else 0 for side in sides)
        size = (width, height) if width and height else (DEFAULT_WIDTH, THUMBNAIL_HEIGHT)
        return _Picture(preview_url(hit.location, THUMBNAIL_HEIGHT * 2), *size)
    small = thumbnail(hit)
    if small is None:
        return None
    source = f"data:image/jpeg;base64,{base64.b64encode(small.jpeg).decode()}"
    return _Picture(source, small.width, small.height)


def file_name(hit: Hit) -> str:
    """What a hit's file is called: the last part of its path or URL, or else its id."""
    name = hit.metadata.get("file_name")
    if isinstance(name, str) and name:
        return name
    if is_web_address(hit.location):
        return unquote(urlsplit(hit.location).path.rpartition("/")[2]) or hit.id
    return PurePath(mask(hit.location)).name or hit.id
