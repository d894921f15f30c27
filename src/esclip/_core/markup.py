"""HTML for notebooks and pages: texts from anywhere are escaped here, for terminals and browsers alike."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator

from esclip._errors.escaping import escape


def markup(text: object) -> str:
    """A text as HTML, also between the quotes of an attribute."""
    return html.escape(escape(str(text)))


def render_table(rows: Iterable[tuple[str, object]]) -> str:
    """Names and values, a row each; rows without a value are left out."""
    lines = (
        f'<tr><th scope="row" style="text-align:left">{markup(name)}</th>'
        f'<td style="text-align:left">{markup(f"{value:,}" if type(value) is int else value)}</td></tr>'
        for name, value in rows
        if value not in (None, "")
    )
    return f"<table>{''.join(lines)}</table>"


def render_page(title: str, parts: Iterable[str]) -> Iterator[str]:
    """A page with this title and these parts, which are HTML, piece by piece."""
    yield (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{markup(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<body style="font-family:sans-serif">'
    )
    yield from parts
    yield "</body></html>"
