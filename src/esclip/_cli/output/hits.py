"""Found pictures: a table on a terminal, lines with tabs between, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from esclip._cli.output.console import Table, heading, is_terminal, print_columns, print_json, say
from esclip._cli.output.reports import report
from esclip._text.escaping import escaped

if TYPE_CHECKING:
    from esclip._cli.demo import Demo
    from esclip._core.types import Hit, ScoreDetail
    from esclip._search.hits import Hits

__all__ = ["demo", "hits_table", "print_hits", "print_query_hits"]


def print_hits(hits: Hits, *, json: bool) -> None:
    """Found pictures: JSON lines, a table on a terminal, else score, id and location with tabs between."""
    if json:
        for hit in hits:
            print_json(hit.to_json())
    elif is_terminal():
        hits_table(hits).print()
    else:
        for hit in hits:
            print_columns(*_columns(hit))
    _say_what_lacks(hits)


def print_query_hits(query: str, hits: Hits, *, json: bool) -> None:
    """The hits of one query of several, which stands before each."""
    for hit in hits:
        if json:
            print_json({"query": query} | hit.to_json())
        else:
            print_columns(query, *_columns(hit))
    _say_what_lacks(hits, f"{query}: ")


def _say_what_lacks(hits: Hits, query: str = "") -> None:
    """Why there are no hits, or none that stands out."""
    if hits.note:
        say(f"{query}{hits.note}")
    elif hits.matched is False:
        say(f"{query}no hit stands out: nothing there fits better than to a sentence that means nothing")


def _columns(hit: Hit) -> list[str]:
    """Score, id and location; then why, where it was asked for."""
    why = ["; ".join(map(_reckoned, hit.explanation))] if hit.explanation else []
    return [f"{hit.score:.4f}", hit.id, hit.location, *why]


def _reckoned(one: ScoreDetail) -> str:
    """`text: a beach 0.2312 x 1, rank 3, adds 0.0159`."""
    score = "-" if one.score is None else f"{one.score:.4f}"
    rank = "" if one.rank is None else f", rank {one.rank}"
    return f"{one.part} {score} x {one.weight:.3g}{rank}, adds {one.adds:.4f}"


def hits_table(hits: Sequence[Hit]) -> Table:
    """Hits as a person reads them."""
    table = Table()
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right", style="green")
    told = any(hit.relevance is not None for hit in hits)
    if told:
        table.add_column("relevance", justify="right")
    table.add_column("id", style="cyan", no_wrap=True)
    table.add_column("description", ratio=1)
    table.add_column("location", overflow="fold", ratio=1)
    explained = any(hit.explanation for hit in hits)
    if explained:
        table.add_column("why", ratio=2)
    for hit in hits:
        alike = f" (+{len(hit.duplicates)} alike)" if hit.duplicates else ""
        table.add_row(
            str(hit.rank),
            f"{hit.score:.4f}",
            *(["" if hit.relevance is None else f"{hit.relevance:.2f}"] if told else []),
            hit.id,
            escaped(hit.description)[:120] + alike,
            hit.location,
            *([[*map(_reckoned, hit.explanation)]] if explained else []),
        )
    return table


def demo(demo: Demo) -> None:
    """The demo's searches with what they found, and where the page with the pictures is."""
    report(demo.report, json=False)
    for search in demo.searches:
        print_columns()
        heading(search.command)
        if is_terminal():
            hits_table(search.hits).print()
        else:
            for hit in search.hits:
                print_columns(f"  {hit.score:.4f}  {hit.metadata.get('file_name', hit.id)}")
    print_columns()
    print_columns(f"The pictures that were found: {demo.page}")
    say(demo.note)
