"""Filters that leave about a half, a tenth and a hundredth of an index: by its own fields, else by ids.

facets ─► values and bounds ─► conditions with their shares ─► the one nearest to each share wanted
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from esclip._core.facets import Facet
from esclip._core.filters import Condition, HasId, OneOf, Range
from esclip._core.schema import IndexSchema
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._protocols import Store
from esclip._search.facets import select_fields

SHARES = (0.5, 0.1, 0.01)
VALUES = 200
"""Values of a field that are looked at."""
FACTOR = 2.0
"""How far a filter's share may be from the one wanted."""
MAX_IDS = 10_000
"""Ids of a filter by ids."""

_Candidate: TypeAlias = tuple[int, str, Condition]


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, and what it is called in a report."""

    wanted: float
    """The share of documents that it was chosen for; 1 without conditions."""
    name: str
    documents: int
    """How many fulfil it."""
    share: float
    """Which part of all these are."""
    where: tuple[Condition, ...] = ()


def choose_filters(store: Store, schema: IndexSchema, ids: Sequence[str], documents: int) -> list[Filter]:
    """None, then a filter for each of `SHARES`, where there is one.

    Args:
        ids: Those of some documents at random.
        documents: The number of all.
    """
    facets = store.facets(select_fields(None, schema), limit=VALUES)
    candidates = [one for facet in facets.values() for one in _conditions(facet) if one[0] > 0]
    filters = (
        _nearest(wanted, candidates, documents) or _by_ids(wanted, ids, documents) for wanted in SHARES
    )
    return [Filter(1.0, "", documents, 1.0), *(one for one in filters if one is not None)]


def _nearest(wanted: float, candidates: Sequence[_Candidate], documents: int) -> Filter | None:
    near = [(abs(math.log(count / documents / wanted)), name, count, one) for count, name, one in candidates]
    distance, name, count, condition = min(near, key=lambda one: one[:2], default=(math.inf, "", 0, None))
    if condition is None or distance > math.log(FACTOR):
        return None
    return Filter(wanted, name, count, count / documents, (condition,))


def _by_ids(wanted: float, ids: Sequence[str], documents: int) -> Filter | None:
    count = math.ceil(wanted * documents)
    if not 0 < count <= len(ids):
        return None
    return Filter(wanted, pluralize(count, "id"), count, count / documents, (HasId(tuple(ids[:count])),))


def _conditions(facet: Facet) -> Iterator[_Candidate]:
    """Conditions on a field, with their names and the number of documents that fulfil each."""
    name = escape(facet.field.name)
    for one in facet.values:
        value = f"{one.value}".lower() if isinstance(one.value, bool) else escape(one.value)
        yield one.count, f"{name}={value}", OneOf(facet.field, (one.value,))
    counts = accumulate(bucket.count for bucket in facet.buckets)
    for bucket, count in zip(facet.buckets, counts, strict=True):
        if bucket.end is not None:
            yield count, f"{name}<{bucket.end}", Range(facet.field, below=bucket.end)
