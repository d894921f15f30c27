"""Facets by aggregations: their counts are exact, on however many shards.

overview   documents, documents with a value, the most frequent values, the lowest and the highest number
lists      of fields with more values than a shard has listed: longer lists
details    the numbers by ranges; of the values that some shards still did not list, the counts in all shards

A shard lists only its most frequent values. Where one that it does not list may be among those of all shards,
`Facet.exact` is false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from esclip._concurrency.streams import batches
from esclip._core.facet_counting import Spans, Values, number_facet, number_of, spanned, value_facet
from esclip._core.facets import NUMBER_TYPES, VALUE_TYPES, Facet, Facets
from esclip._core.filter_limits import simplify
from esclip._core.filters import Condition, Exists, Range
from esclip._core.histogram import Range as Bounds
from esclip._core.histogram import split_range
from esclip._core.schema import Field, FieldType
from esclip._core.searches import Order, Scan
from esclip.stores.engine.answers import (
    Malformed,
    get_count,
    get_hits,
    get_list,
    get_number,
    get_object,
    get_text,
)
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.filters import filter_clause, filter_clauses
from esclip.stores.engine.names import FieldNames
from esclip.stores.engine.queries import search_body
from esclip.stores.engine.search import Request, msearch_batches

FIELDS_AT_ONCE = 16

SHARD_VALUES = 1000
"""The most frequent values that each shard lists at first."""

MAX_LISTED = 5000
"""The same where those were too few to be sure."""


def count_facets(
    client: EngineClient,
    names: FieldNames,
    fields: Sequence[Field],
    where: Sequence[Condition],
    limit: int,
    spans: Spans,
) -> Facets:
    """The facets of the documents that fulfil the conditions."""
    counting = _Counting(client, names, simplify(where), limit, spans)
    parts = [counting.count(some) for some in batches(fields, FIELDS_AT_ONCE)] or [counting.count([])]
    return Facets(parts[0].documents, tuple(facet for part in parts for facet in part.of_fields))


@dataclass(frozen=True, slots=True)
class _PartialFacet:
    """A facet as far as it has been counted."""

    field: Field
    missing: int
    counts: Values
    total: int
    """The sum of the counts of all values."""
    unseen: int
    """How many documents may have a value that `counts` lacks, at most."""
    extremes: tuple[int | float, int | float] | None = None
    ranges: Sequence[Bounds] = ()
    range_counts: Sequence[int] = ()

    def facet(self, limit: int) -> Facet:
        """The field's facet."""
        if self.extremes is None:
            return value_facet(self.field, self.missing, self.counts, self.total, limit, self.unseen)
        return number_facet(self.field, self.missing, self.extremes, self.ranges, self.range_counts)


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts some fields at a time."""

    client: EngineClient
    names: FieldNames
    where: tuple[Condition, ...]
    limit: int
    spans: Spans

    def count(self, fields: Sequence[Field]) -> Facets:
        """The facets of these fields."""
        ((documents, partials),) = msearch_batches(self.client, [self._overview(fields)])
        partials = self._with_ranges(self._with_longer_lists(partials))
        (partials,) = msearch_batches(self.client, [self._details(partials)])
        return Facets(documents, tuple(partial.facet(self.limit) for partial in partials))

    def _overview(self, fields: Sequence[Field]) -> Request[tuple[int, list[_PartialFacet]]]:
        size = 2 * self.limit
        present = [filter_clause(Exists(field), self.names) for field in fields]
        aggregations: dict[str, Any] = {"present": {"filters": {"filters": present}}} if fields else {}
        for number, field in enumerate(fields):
            if field.type in VALUE_TYPES:
                lists = {"size": size, "shard_size": max(SHARD_VALUES, size)}
                terms = {"field": self.names.path(field.name), **lists}
                aggregations[f"values{number}"] = {"terms": terms}

        def read(answer: Any) -> tuple[int, list[_PartialFacet]]:
            documents = get_count(answer, "hits", "total", "value")
            present = get_list(answer, "aggregations", "present", "buckets") if fields else []
            partials = []
            for number, (field, bucket) in enumerate(zip(fields, present, strict=True)):
                missing = documents - get_count(bucket, "doc_count")
                terms = answer["aggregations"].get(f"values{number}")
                counts, total, unseen = _read_values(terms, field) if terms else ({}, 0, 0)
                partials.append(_PartialFacet(field, missing, counts, total, unseen))
            return documents, partials

        return self._body(aggregations) | {"track_total_hits": True}, read

    def _with_longer_lists(self, partials: Sequence[_PartialFacet]) -> list[_PartialFacet]:
        """With more of the values that only some shards have listed; each field in a search of its own."""
        short = [partial for partial in partials if partial.unseen]
        longer = iter(msearch_batches(self.client, [self._longer_list(partial) for partial in short]))
        return [next(longer) if partial.unseen else partial for partial in partials]

    def _longer_list(self, partial: _PartialFacet) -> Request[_PartialFacet]:
        path = self.names.path(partial.field.name)
        terms = {"field": path, "size": MAX_LISTED, "shard_size": MAX_LISTED}

        def read(answer: Any) -> _PartialFacet:
            counts, total, unseen = _read_values(get_object(answer, "aggregations", "values"), partial.field)
            if unseen:
                best = sorted(counts, key=lambda value: (-counts[value], value))
                wanted, others = best[: 2 * self.limit], best[2 * self.limit :]
                unseen += counts[others[0]] if others else 0  # a shard may not have counted it
                counts = {value: counts[value] for value in wanted}
            return replace(partial, counts=counts, total=total, unseen=unseen)

        return self._body({"values": {"terms": terms}}) | {"track_total_hits": False}, read

    def _with_ranges(self, partials: Sequence[_PartialFacet]) -> list[_PartialFacet]:
        """With the ranges of numbers."""
        fields = [partial.field for partial in partials if partial.field.type in NUMBER_TYPES]
        requests = [self._extreme(field, descending) for field in fields for descending in (False, True)]
        ends = msearch_batches(self.client, requests)
        ends_of = dict(zip(fields, zip(ends[::2], ends[1::2], strict=True), strict=True))
        ranged = []
        for partial in partials:
            low, high = ends_of.get(partial.field, (None, None))
            if low is not None and high is not None:
                extremes = (low, max(low, high))
                ranges = split_range(partial.field.type, *spanned(partial.field, extremes, self.spans))
                partial = replace(partial, extremes=extremes, ranges=ranges)
            ranged.append(partial)
        return ranged

    def _extreme(self, field: Field, descending: bool) -> Request[int | float | None]:
        """The lowest or the highest number: engines' own `min` and `max` round large ones."""
        search = Scan(1, self.where, order=Order(field, descending))
        body = search_body(self.client.server().engine, search, names=self.names) | {"_source": False}

        def read(answer: Any) -> int | float | None:
            hits = get_hits(answer)
            return _read_number(get_list(hits[0], "sort")[0], field) if hits else None

        return body, read

    def _details(self, partials: Sequence[_PartialFacet]) -> Request[list[_PartialFacet]]:
        """The counts of ranges, and of values that only some shards have listed."""
        aggregations: dict[str, Any] = {}
        for number, partial in enumerate(partials):
            if partial.ranges:
                conditions = [_condition(partial.field, bounds) for bounds in partial.ranges]
                clauses = [filter_clause(condition, self.names) for condition in conditions]
                aggregations[f"{number}"] = {"filters": {"filters": clauses}}
            elif partial.unseen:
                size = {"size": len(partial.counts), "shard_size": len(partial.counts)}
                path = self.names.path(partial.field.name)
                terms = {"field": path, "include": list(partial.counts), **size}
                aggregations[f"{number}"] = {"terms": terms}

        def read(answer: Any) -> list[_PartialFacet]:
            read = []
            for number, partial in enumerate(partials):
                if partial.ranges:
                    buckets = get_list(answer, "aggregations", f"{number}", "buckets")
                    counts = [get_count(bucket, "doc_count") for bucket in buckets]
                    partial = replace(partial, range_counts=counts)
                elif partial.unseen:
                    terms = get_object(answer, "aggregations", f"{number}")
                    partial = replace(partial, counts=_read_counts(terms, partial.field))
                read.append(partial)
            return read

        return self._body(aggregations) | {"track_total_hits": False}, read

    def _body(self, aggregations: dict[str, Any]) -> dict[str, Any]:
        filters = filter_clauses(self.where, self.names) + self.names.required
        body = {"size": 0, "query": {"bool": {"filter": filters}}}
        return body | ({"aggs": aggregations} if aggregations else {})


def _read_values(aggregation: Any, field: Field) -> tuple[Values, int, int]:
    """The counts of the most frequent values, that of all, and how much shards may not have counted."""
    counts = _read_counts(aggregation, field)
    total = sum(counts.values()) + get_count(aggregation, "sum_other_doc_count")
    return counts, total, get_count(aggregation, "doc_count_error_upper_bound")


def _read_counts(aggregation: Any, field: Field) -> dict[str | bool, int]:
    return {
        _read_value(bucket, field): get_count(bucket, "doc_count")
        for bucket in get_list(aggregation, "buckets")
    }


def _read_value(bucket: Any, field: Field) -> str | bool:
    if field.type is FieldType.BOOLEAN:
        return get_text(bucket, "key_as_string") == "true"
    return get_text(bucket, "key")


def _read_number(value: Any, field: Field) -> int | float:
    """A value that hits are sorted by; dates are milliseconds."""
    number = get_number({"sort": value}, "sort")
    if field.type is FieldType.FLOAT:
        return number
    if not isinstance(value, int):
        raise Malformed("sort is no whole number")
    return value


def _condition(field: Field, bounds: Bounds) -> Range:
    """The condition of a range. Lucene has -0.0 below 0.0, so that zero as a bound is the lower one."""
    if field.type is FieldType.FLOAT:
        start, end = (-0.0 if bound == 0 else bound for bound in bounds)
        return Range(field, at_least=start, below=end)
    start, end = bounds
    below = None if end is None else number_of(field, end)
    return Range(field, at_least=number_of(field, start), below=below)
