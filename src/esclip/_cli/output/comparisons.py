"""Figures of a comparison: a table on a terminal, else a line a kind of query; or JSON.

On stderr are both indexes, the queries that differ most, and what to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from esclip._cli.output.console import say
from esclip._cli.output.table import Column, print_rows
from esclip._errors import one_line
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._comparison.report import ComparedIndex, ComparedQuery, Comparison, ComparisonRow

SHOWN = 5
"""Queries that are named of those that differ most."""
SHOWN_HITS = 3
"""Hits that are named of each."""
MAX_SHOWN = 60
"""Characters of an id or a text in a line."""


def print_comparison(comparison: Comparison, *, json: bool) -> None:
    """The rows on stdout; on stderr both indexes, the queries that differ most, and what to know."""
    columns: list[Column[ComparisonRow]] = [
        Column("queries", lambda row: f"{row.kind} {row.script}".rstrip(), style="cyan"),
        Column("number", lambda row: str(row.queries), justify="right"),
        Column("overlap", lambda row: f"{row.overlap.mean:.3f}", justify="right", style="green"),
        Column("low", lambda row: f"{row.overlap.low:.3f}", justify="right"),
        Column("high", lambda row: f"{row.overlap.high:.3f}", justify="right"),
        Column("rbo", lambda row: f"{row.rbo.mean:.3f}", justify="right", style="green"),
        Column("rbo low", lambda row: f"{row.rbo.low:.3f}", "plain"),
        Column("rbo high", lambda row: f"{row.rbo.high:.3f}", "plain"),
        Column("first p50 ms", lambda row: f"{row.first_p50:.1f}", justify="right"),
        Column("p95 ms", lambda row: f"{row.first_p95:.1f}", justify="right"),
        Column("second p50 ms", lambda row: f"{row.second_p50:.1f}", justify="right"),
        Column("p95 ms", lambda row: f"{row.second_p95:.1f}", justify="right"),
    ]
    print_rows(comparison.rows, columns, json=[comparison.to_json()] if json else None, plain_headers=True)
    for name, one in (("first", comparison.first), ("second", comparison.second)):
        say(f"{name}: {_describe(one)}")
    say(f"{pluralize(comparison.in_both, 'picture')} in both; overlap is of {comparison.k} hits")
    for query in comparison.most_different(SHOWN):
        if query.rbo < 1:
            say(_difference(query))
    for note in comparison.notes:
        say(f"note: {note}")


def _describe(one: ComparedIndex) -> str:
    only = f", {one.only_here:,} only here, as {_join(one.examples)}" if one.only_here else ""
    encoder = one_line(one.encoder, 200)
    return f"index {one.index!r}, {pluralize(one.documents, 'document')} by {encoder}{only}"


def _difference(query: ComparedQuery) -> str:
    first, second = (_join(hits[:SHOWN_HITS]) for hits in (query.first, query.second))
    return (
        f"differs: {query.kind} {one_line(query.query, MAX_SHOWN)}: overlap {query.overlap:.2f}, rbo "
        f"{query.rbo:.2f}; first {first or 'nothing'}; second {second or 'nothing'}"
    )


def _join(ids: tuple[str, ...]) -> str:
    return ", ".join(one_line(id, MAX_SHOWN) for id in ids)
