"""What a search returns: a sequence of hits that is also a table, and a gallery in a notebook."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload
from urllib.parse import urlsplit

from esclip._core.settings import UNSPLASH_HOST
from esclip._core.types import Hit
from esclip._errors import one_line
from esclip._text.escaping import escaped
from esclip._text.secrets import masked
from esclip._text.urls import is_web_address

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Hits"]

ALWAYS = ("rank", "id", "score", "location", "page", "description")

OPTIONAL = ("relevance", "percentile", "duplicates", "box", "why")
"""What only some searches tell of a hit."""

_KINDS: dict[str, type] = {
    **dict.fromkeys(("id", "location", "page", "description"), str),
    **dict.fromkeys(("score", "relevance", "percentile"), float),
    "rank": int,
}
"""What columns hold; others hold what their values are."""


class Hits(Sequence[Hit]):
    """Hits from best to worst."""

    def __init__(self, hits: Iterable[Hit], matched: bool | None = None, note: str | None = None) -> None:
        """Keep `hits` in their order."""
        self._hits = tuple(hits)
        self.matched = matched
        """Whether the best of them all is more than a meaningless sentence finds; None: not known."""
        self.note = note
        """Why there are none, and what may have been meant; None where there are some."""

    @overload
    def __getitem__(self, at: int) -> Hit: ...

    @overload
    def __getitem__(self, at: slice) -> Hits: ...

    def __getitem__(self, at: int | slice) -> Hit | Hits:
        return Hits(self._hits[at], self.matched, self.note) if isinstance(at, slice) else self._hits[at]

    def __len__(self) -> int:
        return len(self._hits)

    def __eq__(self, other: object) -> bool:
        return self._hits == other._hits if isinstance(other, Hits) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(hit.id for hit in self._hits))

    def __repr__(self) -> str:
        if self.note:
            return f"<0 hits: {escaped(self.note)}>"
        shown = ", ".join(f"{escaped(hit.id)} {hit.score:.3f}" for hit in self._hits[:3])
        return f"<{len(self)} hits: {shown}{', ...' if len(self) > 3 else ''}>"

    def to_pandas(self) -> pd.DataFrame:
        """A row a hit: rank, id, score, location, page, description, then a column a metadata field.

        Between them, where a hit has one: relevance, percentile, duplicates, box, why. A column has its type
        whatever is missing in it: texts are pandas' strings, whole numbers and truth values stay so.
        """
        import pandas as pd

        from esclip._search.data_frame import column

        names = [
            *ALWAYS,
            *(name for name in OPTIONAL if any(getattr(hit, name) not in (None, ()) for hit in self)),
        ]
        columns = {name: column([getattr(hit, name) for hit in self], _KINDS.get(name)) for name in names}
        fields = sorted({name for hit in self for name in hit.metadata})
        columns |= {name: column([hit.metadata.get(name) for hit in self]) for name in fields}
        return pd.DataFrame(columns)

    def _repr_html_(self) -> str:
        if self.note:
            return f"<p>{html.escape(repr(self))}</p>"
        figures = "".join(map(_figure, self))
        return f'<div style="display:flex;flex-wrap:wrap;gap:12px">{figures}</div>'


def _figure(hit: Hit) -> str:
    """One picture with its score and, where it has them, its photographer and a link to its page."""
    from esclip._images.thumbnails import THUMBNAIL  # with the decoder, which a search can do without

    credit = str(hit.metadata.get("photographer", ""))
    parts = (f"{hit.score:.3f}", credit, hit.description[:80])
    text = html.escape(escaped(" · ".join(part for part in parts if part)))
    if hit.page and is_web_address(hit.page):
        text = f'<a href="{html.escape(hit.page)}" target="_blank" rel="noopener noreferrer">{text}</a>'
    shown = _shown(hit)
    picture = (
        f'<img src="{html.escape(shown)}" style="height:{THUMBNAIL}px" loading="lazy" '
        'referrerpolicy="no-referrer">'
        if shown
        else f"<code>{html.escape(one_line(masked(hit.location)))}</code>"
    )
    style = f"margin:0;max-width:{THUMBNAIL * 2}px;overflow-wrap:anywhere"
    return f'<figure style="{style}">{picture}<figcaption>{text}</figcaption></figure>'


def _shown(hit: Hit) -> str:
    """What a browser shows for a hit: a web address, or a thumbnail as a data URI; empty for nothing.

    A location is input from outside: only a file that was encoded is opened, and nothing but it.
    """
    from esclip._images.thumbnails import THUMBNAIL, thumbnail

    location = hit.location
    if is_web_address(location):
        url = urlsplit(location)
        if url.hostname == UNSPLASH_HOST and not url.query:
            return f"{location}?h={THUMBNAIL * 2}&fm=jpg&q=80&fit=max"  # never the original of many megabytes
        return location
    small = None if "://" in location else thumbnail(Path(location), hit.content)
    return f"data:image/jpeg;base64,{base64.b64encode(small).decode()}" if small else ""
