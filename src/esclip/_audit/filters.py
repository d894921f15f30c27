"""Filters that leave about a half, a tenth and a hundredth of an index: by its own fields, else by ids.

facets ─► values and bounds ─► conditions with their shares ─► the one nearest to each share wanted
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from esclip._core.facets import Facet
from esclip._core.filters import Condition, HasId, OneOf, Range
from esclip._core.schema import IndexSchema
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


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter, and what it is called in a report."""

    wanted: float
    """The share of documents that it was chosen for; 1 without conditions."""
    name: str
    where: tuple[Condition, ...] = ()


NO_FILTER = Filter(1.0, "")


def choose_filters(store: Store, schema: IndexSchema, ids: Sequence[str], documents: int) -> list[Filter]:
    """A filter for each of `SHARES`, where there is one; `ids` are those of some documents at random."""
    facets = store.facets(select_fields(None, schema), limit=VALUES)
    candidates = [pair for facet in facets.values() for pair in _conditions(facet, documents)]
    filters = (_nearest(wanted, candidates) or _by_ids(wanted, ids, documents) for wanted in SHARES)
    return [one for one in filters if one is not None]


def _nearest(wanted: float, candidates: Sequence[tuple[float, str, Condition]]) -> Filter | None:
    near = [
        (abs(math.log(share / wanted)), name, condition) for share, name, condition in candidates if share > 0
    ]
    distance, name, condition = min(near, key=lambda one: one[:2], default=(math.inf, "", None))
    return Filter(wanted, name, (condition,)) if condition and distance <= math.log(FACTOR) else None


def _by_ids(wanted: float, ids: Sequence[str], documents: int) -> Filter | None:
    count = math.ceil(wanted * documents)
    return Filter(wanted, f"{count:,} ids", (HasId(tuple(ids[:count])),)) if 0 < count <= len(ids) else None


def _conditions(facet: Facet, documents: int) -> Iterator[tuple[float, str, Condition]]:
    """Conditions on a field with the share of documents that fulfil each."""
    name = escape(facet.field.name)
    for one in facet.values:
        value = f"{one.value}".lower() if isinstance(one.value, bool) else escape(one.value)
        yield one.count / documents, f"{name}={value}", OneOf(facet.field, (one.value,))
    counts = accumulate(bucket.count for bucket in facet.buckets)
    for bucket, count in zip(facet.buckets, counts, strict=True):
        if bucket.end is not None:
            yield count / documents, f"{name}<{bucket.end}", Range(facet.field, below=bucket.end)
