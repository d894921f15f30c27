"""Explains in a sentence why a search has no hits, and what may have been meant.

no hits ─┬─ no document fulfils the filter ─► which condition, and the nearest value in the index
         ├─ every score is too low          ─► the best score
         └─ the page is beyond the last hit ─► the number of hits
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from esclip._core.analysis import analyze_document
from esclip._core.calibration import NullScores
from esclip._core.filter_limits import simplify
from esclip._core.filters import (
    Condition,
    Exists,
    HasId,
    HasWords,
    Inside,
    Near,
    OneOf,
    Range,
    StartsWith,
    Value,
)
from esclip._core.schema import Field, FieldType
from esclip._core.searches import Scan
from esclip._core.types import GeoPoint, Hit
from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._protocols import Store
from esclip._search.filter_text import filter_text, value_text
from esclip._search.query import Query

SAMPLE = 500
"""Documents whose values are compared with those of the filter."""

EXAMPLES = 5
MAX_SHOWN = 160
"""Characters of a condition that are shown."""


def explain_empty_page(
    query: Query, candidates: Sequence[Hit], accepted: Sequence[Hit], null_scores: NullScores | None
) -> str:
    """Why the page of a query is empty although some documents fulfil its filter.

    `accepted` are the candidates that score enough.
    """
    if accepted:
        return (
            f"the search has {pluralize(len(accepted), 'hit')}, and passes over {query.options['offset']:,}"
        )
    if candidates and query.options["min_relevance"] is not None and null_scores is not None:
        best = max(null_scores.relevance(hit.score) for hit in candidates)
        return (
            f"no hit has a relevance of {query.options['min_relevance']:g} or more; the best has {best:.4f}"
        )
    if candidates:
        best = max(hit.score for hit in candidates)
        return f"no hit has a score of {query.options['min_score']:g} or more; the best has {best:.4f}"
    if query.keywords and not query.vector_clauses:
        words = " ".join(keywords.text for keywords in query.keywords)
        filtered = " that fulfils the filter" if query.options["where"] else ""
        return f"no document{filtered} has a word of {one_line(words, MAX_SHOWN)!r}"
    return "there is no other picture to find"


def explain_filter(store: Store, filters: Sequence[Condition]) -> str | None:
    """Which conditions no document fulfils, and what may have been meant; None where some fulfil all."""
    conditions = simplify(filters)
    if not conditions:
        return None
    all_at_once, *each = store.search(Scan(1, conditions), *(Scan(1, (one,)) for one in conditions))
    if all_at_once:
        return None
    for condition, hits in zip(conditions, each, strict=True):
        if not hits:
            return f"no document fulfils {_text(condition)}{_hint(store, condition)}"
    text = one_line(" & ".join(map(filter_text, conditions)), MAX_SHOWN)
    return f"no document fulfils {text} at once; some fulfil each of these{_alternatives_hint(conditions)}"


def _alternatives_hint(conditions: Sequence[Condition]) -> str:
    """What to write where a field with one value has to be equal to two."""
    tests = [c for c in conditions if isinstance(c, OneOf) and c.field.type is not FieldType.KEYWORDS]
    for field in dict.fromkeys(test.field for test in tests):
        values = [test.values for test in tests if test.field == field]
        if len(values) > 1:
            alternatives = OneOf(field, tuple(dict.fromkeys(chain.from_iterable(values))))
            return f"; for one or the other write {_text(alternatives)}"
    return ""


def _hint(store: Store, condition: Condition) -> str:
    """What may have been meant by a condition that no document fulfils."""
    match condition:
        case OneOf(_, ()):
            return ": there is no value to be equal to"
        case OneOf(field, values):
            return _values_hint(store, field, values)
        case HasWords():
            return _words_hint(store)
        case StartsWith(field, prefixes):
            return _values_hint(store, field, prefixes)
        case Range(field):
            return _values_hint(store, field, ())
        case Near(field, lat, lon, meters) if abs(lon) <= 90:
            swapped: Condition = Near(field, lon, lat, meters)
        case Inside(field, south, west, north, east) if abs(west) <= 90 and abs(east) <= 90 and west <= east:
            swapped = Inside(field, west, south, east, north)
        case _:
            return ""
    if store.search(Scan(1, (swapped,)))[0]:
        return f"; are latitude and longitude exchanged? some fulfil {_text(swapped)}"
    return ""


def _values_hint(store: Store, field: Field, wanted: Sequence[Value]) -> str:
    """Values of a field in the index: the nearest to the wanted ones, examples, or the range."""
    (hits,) = store.search(Scan(SAMPLE, (Exists(field),)))
    values = list(dict.fromkeys(value for hit in hits for value in _values(hit, field)))
    if not values:
        return f"; no document has a value for {field.name}: those without are found by !exists({field.name})"
    if field.type not in (FieldType.KEYWORD, FieldType.KEYWORDS):
        lowest, highest = value_text(min(values)), value_text(max(values))
        return f"; in {_describe_sample(hits)} {field.name} is from {lowest} to {highest}"
    nearest = _nearest([str(value) for value in wanted], [str(value) for value in values])
    if nearest:
        return f"; did you mean {_text(OneOf(field, (nearest,)))}?"
    examples = ", ".join(value_text(value) for value in values[:EXAMPLES])
    return f"; values in {_describe_sample(hits)}: {one_line(examples, MAX_SHOWN)}"


def _words_hint(store: Store) -> str:
    """What to do where documents have texts, and the index lacks their words."""
    for hit in store.search(Scan(1))[0]:
        words = sorted(analyze_document(hit.description, hit.metadata))[:1]
        has_word: tuple[Condition, ...] = (HasId((hit.id,)), *(HasWords(((word,),)) for word in words))
        if not store.search(Scan(1, has_word))[0]:
            return (
                "; an older version made this index, without words: ingest the same pictures again, which "
                "encodes none of them"
            )
    return ""


def _describe_sample(hits: Sequence[Hit]) -> str:
    return f"the first {SAMPLE:,} documents" if len(hits) == SAMPLE else pluralize(len(hits), "document")


def _nearest(wanted: Sequence[str], values: Sequence[str]) -> str | None:
    by_form = {value.casefold().strip(): value for value in values}
    for value in wanted[:EXAMPLES]:
        similar = difflib.get_close_matches(value.casefold().strip(" '\"=*~"), by_form, n=1, cutoff=0.7)
        if similar:
            return by_form[similar[0]]
    return None


def _values(hit: Hit, field: Field) -> Sequence[str | int | float | datetime]:
    value = hit.metadata.get(field.name)
    if value is None or isinstance(value, GeoPoint):
        return ()
    return value if isinstance(value, tuple) else (value,)


def _text(condition: Condition) -> str:
    return one_line(filter_text(condition), MAX_SHOWN)
