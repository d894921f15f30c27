"""Groups of near-duplicates as pairs to decide about: the largest picture of a group with each of the others.

GroupRow ─► Pair ─► PairView: both pictures, which of their fields differ, what was decided
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from esclip._server.decisions import Decision, Keep
from esclip._server.duplicate_jobs import GroupRow
from esclip._server.page.tiles import (
    LARGE_HEIGHT,
    SHARP_HEIGHT,
    Size,
    color_of,
    picture_url,
    size_of,
    title_of,
)
from esclip._server.page.viewer import value_text

UNSEEN = frozenset({"color", "folders"})
"""Fields that say nothing to who compares."""
MAX_TEXT = 300
"""Characters of a field that are shown."""


class Pair(NamedTuple):
    """Two pictures of a group."""

    number: int
    """Of all pairs of a job, from 1."""
    left: str
    """The larger picture's id."""
    right: str
    cosine: float
    exact: bool
    """Whether all of the group have the same bytes."""
    size: int
    """Pictures of the group."""


class Side(NamedTuple):
    """One of two pictures."""

    id: str
    title: str
    picture: str
    large: str
    size: Size
    large_size: Size
    color: str


class FieldRow(NamedTuple):
    """A field of both pictures."""

    name: str
    left: str
    right: str


class PairView(NamedTuple):
    """A pair as the page shows it."""

    pair: Pair
    left: Side
    right: Side
    differing: list[FieldRow]
    same: list[FieldRow]
    keep: Keep
    """As the pictures stand here."""


def iter_pairs(rows: Sequence[GroupRow]) -> Iterator[Pair]:
    """All pairs of groups, in order."""
    number = 0
    for row in rows:
        (first, _), *others = row.members
        for id, cosine in others:
            number += 1
            yield Pair(number, first, id, cosine, row.exact, row.size)


def kept_side(pair: Pair, decision: Decision | None) -> Keep:
    """What was decided about a pair, whichever picture stood on the left then."""
    if decision is None or decision.left == pair.left or decision.keep is Keep.BOTH:
        return decision.keep if decision else Keep.UNDECIDED
    return Keep.LEFT if decision.keep is Keep.RIGHT else Keep.RIGHT


def view_pair(pair: Pair, left: Mapping[str, Any], right: Mapping[str, Any], keep: Keep) -> PairView:
    """A pair with its documents as `search_messages.render_document` has them."""
    rows = [
        FieldRow(
            name.replace("_", " "), *(texts.get(name, "–") for texts in (_fields_of(left), _fields_of(right)))
        )
        for name in _fields_of(left) | _fields_of(right)
    ]
    return PairView(
        pair=pair,
        left=_side_of(left),
        right=_side_of(right),
        differing=[row for row in rows if row.left != row.right],
        same=[row for row in rows if row.left == row.right],
        keep=keep,
    )


def _side_of(document: Mapping[str, Any]) -> Side:
    metadata = document["metadata"]
    size = size_of(document)
    return Side(
        id=document["id"],
        title=title_of(document, str(metadata.get("file_name") or document["id"])),
        picture=picture_url(document, SHARP_HEIGHT),
        large=picture_url(document, LARGE_HEIGHT),
        size=size.fit(SHARP_HEIGHT),
        large_size=size.fit(LARGE_HEIGHT),
        color=color_of(document),
    )


def _fields_of(document: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a picture as texts; sizes first, which most often decide."""
    metadata = document["metadata"]
    size = f"{document['width']} × {document['height']}" if document["width"] and document["height"] else ""
    fields = {"size": size, "description": document["description"], "location": document["location"] or ""}
    left_out = UNSEEN | {"width", "height", "orientation"}
    texts = {
        name: ", ".join(map(value_text, value)) if isinstance(value, list) else value_text(value)
        for name, value in metadata.items()
        if name not in left_out
    }
    return {name: text[:MAX_TEXT] for name, text in (fields | texts).items() if text}
