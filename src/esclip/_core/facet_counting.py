"""Counts facets by reading all documents, in bounded memory: for stores that can't count by themselves.

first pass    the most frequent values; minimum and maximum
second pass   histograms; exact counts of values, where there were too many to keep all
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from heapq import nsmallest
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from esclip._core.facets import NUMBER_TYPES, Bucket, Facet, Facets, Number, ValueCount
from esclip._core.histogram import from_milliseconds, split_range, to_milliseconds
from esclip._core.schema import Field, FieldType
from esclip._core.types import Metadata

MAX_VALUES = 50_000
"""Values of a field that are counted at once."""

Values: TypeAlias = Mapping[str | bool, int]

NO_VALUES: Values = MappingProxyType({})
NO_NUMBERS = np.empty(0, dtype=np.int64)


class Column(NamedTuple):
    """What some documents have in a field."""

    present: int
    """How many of them have a value."""
    values: Values = NO_VALUES
    """How many of them have each value."""
    numbers: npt.NDArray[np.int64] | npt.NDArray[np.float64] = NO_NUMBERS
    """Their numbers, shape (present,); dates are milliseconds since the epoch."""


Extremes: TypeAlias = tuple[int | float, int | float]
"""The lowest and the highest number; dates are milliseconds since the epoch."""

Spans: TypeAlias = Mapping[str, tuple[Number, Number]]
"""By names of fields, numbers between which their ranges lie at least."""
NO_SPANS: Spans = MappingProxyType({})

Read: TypeAlias = Callable[[Sequence[Field]], Iterable[tuple[int, Sequence[Column]]]]
"""Reads these fields of all documents, some at a time: how many documents, and their columns."""


def count_facets(read: Read, fields: Sequence[Field], limit: int, spans: Spans = NO_SPANS) -> Facets:
    """The facets of what `read` reads, with `limit` values of each field at most."""
    tallies = [_tally(field, spans) for field in fields]
    documents = 0
    for rows, columns in read(fields):
        documents += rows
        for tally, column in zip(tallies, columns, strict=True):
            tally.add(column)
    again = [tally for tally in tallies if tally.prepare_second_pass()]
    if again:
        for _, columns in read([tally.field for tally in again]):
            for tally, column in zip(again, columns, strict=True):
                tally.add_again(column)
    return Facets(documents, tuple(tally.facet(documents, limit) for tally in tallies))


def columns_of(documents: Sequence[Metadata], fields: Sequence[Field]) -> list[Column]:
    """The columns of documents by their metadata."""
    return [_column(documents, field) for field in fields]


def value_facet(field: Field, missing: int, counts: Values, total: int, limit: int, unseen: int = 0) -> Facet:
    """The facet of a field of values.

    Args:
        counts: Exact ones, of all values or of those that may be the most frequent.
        total: The sum of the counts of all values.
        unseen: How many documents may have a value that `counts` lacks, at most.
    """
    best = nsmallest(limit, counts.items(), key=lambda item: (-item[1], item[0]))
    listed = tuple(ValueCount(value, count) for value, count in best if count)
    others = max(0, total - sum(value.count for value in listed))
    exact = not unseen or (len(listed) == limit and listed[-1].count > unseen)
    return Facet(field, missing, listed, others, exact)


def spanned(field: Field, extremes: Extremes, spans: Spans) -> Extremes:
    """The lowest and the highest number of a field and of what its ranges have to hold besides."""
    if field.name not in spans:
        return extremes
    low, high = map(_to_number, spans[field.name])
    return min(extremes[0], low), max(extremes[1], high)


def _to_number(value: Number) -> int | float:
    return to_milliseconds(value) if isinstance(value, datetime) else value


def number_of(field: Field, number: int | float) -> Number:
    """A number of a column as the field has it."""
    return from_milliseconds(int(number)) if field.type is FieldType.DATE else number + 0  # without -0.0


def _column(documents: Sequence[Metadata], field: Field) -> Column:
    values: list[Any] = [one[field.name] for one in documents if one.get(field.name) not in (None, ())]
    match field.type:
        case FieldType.KEYWORDS:
            return Column(len(values), Counter(text for value in values for text in set(value)))
        case FieldType.KEYWORD | FieldType.BOOLEAN:
            return Column(len(values), Counter(values))
        case FieldType.DATE:
            milliseconds = [to_milliseconds(value) for value in values]
            return Column(len(values), numbers=np.array(milliseconds, dtype=np.int64))
        case FieldType.INTEGER:
            return Column(len(values), numbers=np.array(values, dtype=np.int64))
        case FieldType.FLOAT:
            return Column(len(values), numbers=np.array(values, dtype=np.float64))
        case _:
            return Column(len(values))


class _Tally(Protocol):
    """Counts one field."""

    field: Field

    def add(self, column: Column) -> None:
        """Count documents in the first pass."""

    def prepare_second_pass(self) -> bool:
        """Whether the field has to be read again."""

    def add_again(self, column: Column) -> None:
        """Count documents in the second pass."""

    def facet(self, documents: int, limit: int) -> Facet:
        """What was counted."""


def _tally(field: Field, spans: Spans) -> _Tally:
    return _NumberTally(field, spans) if field.type in NUMBER_TYPES else _ValueTally(field)


class _ValueTally:
    """Counts values. With too many of them, those that can't be the most frequent are dropped.

    A value that comes after others were dropped is counted as if it had been among these all the time
    (Metwally et al., "Space-Saving", ICDT 2005), so that `_unseen` bounds the count of every value that is
    not kept.
    """

    def __init__(self, field: Field) -> None:
        self.field = field
        self._present = 0
        self._total = 0
        self._counts: dict[str | bool, int] = {}
        self._unseen = 0

    def add(self, column: Column) -> None:
        self._present += column.present
        for value, count in column.values.items():
            self._total += count
            self._counts[value] = self._counts.get(value, self._unseen) + count
        if len(self._counts) > MAX_VALUES:
            ordered = sorted(self._counts.values())
            self._unseen = max(self._unseen, ordered[len(ordered) // 2])
            self._counts = {value: n for value, n in self._counts.items() if n > self._unseen}

    def prepare_second_pass(self) -> bool:
        if self._unseen:
            self._counts = dict.fromkeys(self._counts, 0)
        return bool(self._unseen)

    def add_again(self, column: Column) -> None:
        for value, count in column.values.items():
            if value in self._counts:
                self._counts[value] += count

    def facet(self, documents: int, limit: int) -> Facet:
        missing = documents - self._present
        return value_facet(self.field, missing, self._counts, self._total, limit, self._unseen)


class _NumberTally:
    """Counts numbers by ranges, which the first pass finds."""

    def __init__(self, field: Field, spans: Spans) -> None:
        self.field = field
        self._spans = spans
        self._present = 0
        self._extremes: Extremes | None = None
        self._ranges: list[tuple[int | float, int | float | None]] = []

    def add(self, column: Column) -> None:
        self._present += column.present
        if column.present:
            low, high = column.numbers.min().item(), column.numbers.max().item()
            known = self._extremes or (low, high)
            self._extremes = min(known[0], low), max(known[1], high)

    def prepare_second_pass(self) -> bool:
        if self._extremes is not None:
            self._ranges = split_range(self.field.type, *spanned(self.field, self._extremes, self._spans))
        self._counts = np.zeros(len(self._ranges), dtype=np.int64)
        kind = np.float64 if self.field.type is FieldType.FLOAT else np.int64
        self._starts: npt.NDArray[Any] = np.array([start for start, _ in self._ranges], dtype=kind)
        return bool(self._ranges)

    def add_again(self, column: Column) -> None:
        positions = np.searchsorted(self._starts, column.numbers, side="right") - 1
        end = self._ranges[-1][1]
        inside = positions >= 0  # else it was written between the passes
        if end is not None:
            inside &= column.numbers < end
        self._counts += np.bincount(positions[inside], minlength=len(self._counts))

    def facet(self, documents: int, limit: int) -> Facet:
        missing = documents - self._present
        if self._extremes is None:
            return Facet(self.field, missing)
        return number_facet(self.field, missing, self._extremes, self._ranges, self._counts.tolist())


def number_facet(
    field: Field,
    missing: int,
    extremes: Extremes,
    ranges: Sequence[tuple[int | float, int | float | None]],
    counts: Sequence[int],
) -> Facet:
    """The facet of a field of numbers, by the counts of its ranges."""
    buckets = tuple(
        Bucket(number_of(field, start), None if end is None else number_of(field, end), count)
        for (start, end), count in zip(ranges, counts, strict=True)
    )
    low, high = (number_of(field, number) for number in extremes)
    return Facet(field, missing, minimum=low, maximum=high, buckets=buckets)
