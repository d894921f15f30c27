"""Facets: a table a field on a terminal, lines with tabs between, or JSON.

A line has a count and the filter that leaves these documents, to be used with --where.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from esclip._cli.output.console import is_terminal, print_heading, say
from esclip._cli.output.table import Column, print_rows, print_table
from esclip._core.filters import Exists, Not, OneOf, Range
from esclip._errors.counts import pluralize
from esclip._search.filter_text import exact_filter_text, value_text

if TYPE_CHECKING:
    from esclip._core.facets import Bucket, Facet, Facets


class _Row(NamedTuple):
    documents: int
    value: str
    """For a person."""
    filter: str
    """What leaves these documents; empty where that would be too long."""


_COLUMNS: tuple[Column[_Row], ...] = (
    Column("", lambda row: f"{row.documents:,}", "terminal", justify="right", style="green"),
    Column("", lambda row: row.value, "terminal", kind="text"),
    Column("", lambda row: str(row.documents), "plain"),
    Column("", lambda row: row.filter, "plain"),
)


def print_facets(facets: Facets, *, json: bool) -> None:
    """The counts; on stderr of how many documents they are."""
    if is_terminal() and not json:
        for facet in facets.of_fields:
            print_heading(facet.field.name)
            print_table(_rows(facet), _COLUMNS)
    else:
        rows = [row for facet in facets.of_fields for row in _rows(facet) if row.filter]
        print_rows(rows, _COLUMNS, json=[facets.to_json()] if json else None)
    for facet in facets.of_fields:
        if not facet.exact:
            say(f"{facet.field.name}: of so many values, one that is left out may be as frequent as these")
    say(f"{pluralize(facets.documents, 'document')} counted")


def _rows(facet: Facet) -> Iterator[_Row]:
    field = facet.field
    for value in facet.values:
        shown = value_text(value.value) if isinstance(value.value, bool) else value.value or '""'
        yield _Row(value.count, shown, exact_filter_text(OneOf(field, (value.value,))))
    for bucket in facet.buckets:
        within = Range(field, at_least=bucket.start, below=bucket.end)
        yield _Row(bucket.count, _describe(bucket), exact_filter_text(within))
    if facet.others:
        yield _Row(facet.others, "(others)", "")
    if facet.missing:
        yield _Row(facet.missing, "(none)", exact_filter_text(Not(Exists(field))))


def _describe(bucket: Bucket) -> str:
    """`1 to <5`."""
    start = value_text(bucket.start)
    return f"{start} or more" if bucket.end is None else f"{start} to <{value_text(bucket.end)}"
