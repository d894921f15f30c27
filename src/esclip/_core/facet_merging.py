"""Facets of documents that lie in several stores, as those of one: exact counts of what each store lists.

values     those that any store lists, counted in all
numbers    counted in ranges that hold those of all stores
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from esclip._core.facet_counting import NO_SPANS, Spans, value_facet
from esclip._core.facets import VALUE_TYPES, Bucket, Facet, Facets
from esclip._core.filters import Condition, OneOf
from esclip._core.schema import Field, FieldType


class Count(Protocol):
    """`Store.facets` of a store."""

    def __call__(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """Count what documents have in some fields."""


def merge_facets(
    counts: Sequence[Count], fields: Sequence[Field], where: Sequence[Condition], limit: int, spans: Spans
) -> Facets:
    """The facets of all documents."""
    if len(counts) == 1:
        return counts[0](fields, where, limit, spans)
    parts = [count(fields, where, 2 * limit, spans) for count in counts]
    wider = _spans_of_all(parts, spans)
    again = [field for field in fields if field.name in wider]
    if again:
        recounted = [count(again, where, limit, wider) for count in counts]
        parts = [_replace_counts(part, other) for part, other in zip(parts, recounted, strict=True)]
    merged = []
    for number, field in enumerate(fields):
        of_field = [part.of_fields[number] for part in parts]
        if field.type in VALUE_TYPES:
            merged.append(_merge_values(counts, of_field, where, limit))
        else:
            merged.append(_merge_numbers(of_field))
    return Facets(sum(part.documents for part in parts), tuple(merged))


def _spans_of_all(parts: Sequence[Facets], spans: Spans) -> Spans:
    """The spans of fields whose ranges are not the same in all parts."""
    wider = dict(spans)
    for facets in zip(*(part.of_fields for part in parts), strict=True):
        ranges = {tuple((one.start, one.end) for one in facet.buckets) for facet in facets if facet.buckets}
        lows = [facet.minimum for facet in facets if facet.minimum is not None]
        highs = [facet.maximum for facet in facets if facet.maximum is not None]
        if len(ranges) > 1:
            wider[facets[0].field.name] = min(lows), max(highs)
    return {name: span for name, span in wider.items() if name not in spans}


def _replace_counts(part: Facets, recounted: Facets) -> Facets:
    known = dict(recounted)
    return Facets(part.documents, tuple(known.get(one.field.name, one) for one in part.of_fields))


def _merge_numbers(facets: Sequence[Facet]) -> Facet:
    """Of facets with the same ranges, or without any."""
    missing = sum(facet.missing for facet in facets)
    ranged = [facet for facet in facets if facet.buckets]
    if not ranged:
        return Facet(facets[0].field, missing)
    buckets = [
        Bucket(same[0].start, same[0].end, sum(bucket.count for bucket in same))
        for same in zip(*(facet.buckets for facet in ranged), strict=True)
    ]
    return Facet(
        facets[0].field,
        missing,
        minimum=min(facet.minimum for facet in ranged if facet.minimum is not None),
        maximum=max(facet.maximum for facet in ranged if facet.maximum is not None),
        buckets=tuple(buckets),
    )


def _merge_values(
    counts: Sequence[Count], facets: Sequence[Facet], where: Sequence[Condition], limit: int
) -> Facet:
    field = facets[0].field
    candidates = {one.value for facet in facets for one in facet.values}
    merged: Counter[str | bool] = Counter()
    total = unseen = 0
    for count, facet in zip(counts, facets, strict=True):
        listed = {one.value: one.count for one in facet.values}
        merged.update(listed)
        total += sum(listed.values()) + facet.others
        if facet.others:
            merged.update(_count_values(count, field, candidates - listed.keys(), where))
            unseen += min(listed.values()) if facet.exact else sys.maxsize
    missing = sum(facet.missing for facet in facets)
    return value_facet(field, missing, merged, total, limit, unseen)


def _count_values(
    count: Count, field: Field, values: set[str | bool], where: Sequence[Condition]
) -> dict[str | bool, int]:
    """How many documents of a store have each of these values."""
    if not values:
        return {}
    if field.type is not FieldType.KEYWORDS:
        (facet,) = count([field], (*where, OneOf(field, tuple(values))), len(values)).of_fields
        return {one.value: one.count for one in facet.values}
    return {value: count([], (*where, OneOf(field, (value,)))).documents for value in values}
