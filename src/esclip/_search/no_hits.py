"""Why a search found nothing, in a sentence, and what may have been meant.

no hits ─┬─ no document fulfils the filter ─► which of its conditions, and the nearest value that there is
         ├─ none scores enough              ─► the best score
         └─ the page is behind the last one ─► how many there are
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime

from esclip._core.calibration import NullScores
from esclip._core.filter_limits import simplify
from esclip._core.filters import Condition, Exists, Inside, Near, OneOf, Range, Value
from esclip._core.schema import Field, FieldType
from esclip._core.searches import Scan
from esclip._core.types import GeoPoint, Hit
from esclip._errors import one_line
from esclip._protocols import Store
from esclip._search.filter_text import filter_text, value_text
from esclip._search.query import Query

__all__ = ["unfulfilled", "why_none"]

SAMPLE = 500
"""Documents that are looked at for values that may have been meant."""

EXAMPLES = 5
LONGEST = 160
"""Characters of a condition that is told."""


def why_none(query: Query, hits: Sequence[Hit], good: Sequence[Hit], background: NullScores | None) -> str:
    """Why the page of a query has nothing on it, when its filter is fulfilled by some.

    `hits` are all that its searches have found, `good` those that score enough.
    """
    if good:
        return f"the search has {_counted(len(good), 'hit')}, and passes over {query.offset:,}"
    if hits and query.min_relevance is not None and background is not None:
        best = max(background.relevance(hit.score) for hit in hits)
        return f"no hit has a relevance of {query.min_relevance:g} or more; the best has {best:.4f}"
    if hits:
        best = max(hit.score for hit in hits)
        return f"no hit has a score of {query.min_score:g} or more; the best has {best:.4f}"
    if query.words and not query.directed:
        words = " ".join(part.text for part in query.words)
        filtered = " that fulfils the filter" if query.where else ""
        return f"no document{filtered} has a word of {one_line(words, LONGEST)!r}"
    return "there is no other picture to find"


def unfulfilled(store: Store, where: Sequence[Condition]) -> str | None:
    """Which conditions no document fulfils, and what may have been meant; None where some do."""
    parts = simplify(where)
    if not parts:
        return None
    everything, *each = store.search(Scan(1, parts), *(Scan(1, (part,)) for part in parts))
    if everything:
        return None
    for part, found in zip(parts, each, strict=True):
        if not found:
            return f"no document fulfils {_told(part)}{_hint(store, part)}"
    both = " & ".join(map(filter_text, parts))
    return f"no document fulfils {one_line(both, LONGEST)} at once; some fulfil each of these{_list(parts)}"


def _list(parts: Sequence[Condition]) -> str:
    """What to write where a field with one value is to be equal to two."""
    equal: dict[Field, list[Value]] = {}
    for part in parts:
        if isinstance(part, OneOf) and part.field.type is not FieldType.KEYWORDS:
            equal.setdefault(part.field, []).extend(part.values)
    for field, values in equal.items():
        if sum(isinstance(part, OneOf) and part.field == field for part in parts) > 1:
            return f"; for one or the other write {_told(OneOf(field, tuple(dict.fromkeys(values))))}"
    return ""


def _hint(store: Store, condition: Condition) -> str:
    """What may have been meant by a condition that no document fulfils."""
    match condition:
        case OneOf(_, ()):
            return ": there is no value to be equal to"
        case OneOf(field, values):
            return _values_hint(store, field, values)
        case Range(field):
            return _values_hint(store, field, ())
        case Near(field, lat, lon, meters) if abs(lon) <= 90:
            exchanged: Condition = Near(field, lon, lat, meters)
        case Inside(field, south, west, north, east) if abs(west) <= 90 and abs(east) <= 90 and west <= east:
            exchanged = Inside(field, west, south, east, north)
        case _:
            return ""
    if store.search(Scan(1, (exchanged,)))[0]:
        return f"; are latitude and longitude exchanged? some fulfil {_told(exchanged)}"
    return ""


def _values_hint(store: Store, field: Field, wanted: Sequence[Value]) -> str:
    """Values that some documents have: the nearest, some of them, or from where to where they go."""
    (hits,) = store.search(Scan(SAMPLE, (Exists(field),)))
    known = list(dict.fromkeys(value for hit in hits for value in _values(hit, field)))
    if not known:
        return f"; no document has a value for {field.name}: those without are found by !exists({field.name})"
    if field.type not in (FieldType.KEYWORD, FieldType.KEYWORDS):
        least, most = min(known), max(known)
        return f"; in {_some(hits)} {field.name} is from {value_text(least)} to {value_text(most)}"
    nearest = _nearest([str(value) for value in wanted], [str(value) for value in known])
    if nearest:
        return f"; did you mean {_told(OneOf(field, (nearest,)))}?"
    examples = ", ".join(value_text(value) for value in known[:EXAMPLES])
    return f"; values in {_some(hits)}: {one_line(examples, LONGEST)}"


def _some(hits: Sequence[Hit]) -> str:
    return f"the first {SAMPLE:,} documents" if len(hits) == SAMPLE else _counted(len(hits), "document")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _nearest(wanted: Sequence[str], known: Sequence[str]) -> str | None:
    alike = {value.casefold().strip(): value for value in known}
    for value in wanted[:EXAMPLES]:
        found = difflib.get_close_matches(value.casefold().strip(" '\"=*~"), alike, n=1, cutoff=0.7)
        if found:
            return alike[found[0]]
    return None


def _values(hit: Hit, field: Field) -> Sequence[str | int | float | datetime]:
    value = hit.metadata.get(field.name)
    if value is None or isinstance(value, GeoPoint):
        return ()
    return value if isinstance(value, tuple) else (value,)


def _told(condition: Condition) -> str:
    return one_line(filter_text(condition), LONGEST)
