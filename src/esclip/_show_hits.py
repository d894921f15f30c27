"""Found pictures: a table on a terminal, lines with tabs between, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from esclip._show import one_line, print_json, report

if TYPE_CHECKING:
    from rich.table import Table

    from esclip._demo import Demo
    from esclip._hits import Hits
    from esclip._types import Hit, Reckoned

__all__ = ["demo", "hits", "hits_of", "hits_table"]


def hits(hits: Hits, *, json: bool) -> None:
    """Found pictures: JSON lines, a table on a terminal, else score, id and location with tabs between."""
    console = Console()
    if json:
        for hit in hits:
            print_json(hit.to_json())
    elif console.is_terminal:
        console.print(hits_table(hits))
    else:
        for hit in hits:
            print(_line(hit))
    _say_unless_matched(hits)


def hits_of(query: str, hits: Hits, *, json: bool) -> None:
    """The hits of one query of several, which stands before each."""
    for hit in hits:
        if json:
            print_json({"query": query} | hit.to_json())
        else:
            print(f"{one_line(query)}\t{_line(hit)}")
    _say_unless_matched(hits, f"{one_line(query)}: ")


def _say_unless_matched(hits: Hits, query: str = "") -> None:
    if hits.matched is False:
        reason = "nothing there fits better than to a sentence that means nothing"
        print(f"esclip: {query}no hit stands out: {reason}", file=sys.stderr)


def _line(hit: Hit) -> str:
    """Score, id and location with tabs between; then why, where it was asked for."""
    columns = [f"{hit.score:.4f}", one_line(hit.id), one_line(hit.location)]
    return "\t".join([*columns, *([_why(hit)] if hit.why else [])])


def _why(hit: Hit) -> str:
    return "; ".join(map(_reckoned, hit.why))


def _reckoned(one: Reckoned) -> str:
    """`text: a beach 0.2312 x 1, rank 3, adds 0.0159`."""
    score = "-" if one.score is None else f"{one.score:.4f}"
    rank = "" if one.rank is None else f", rank {one.rank}"
    return f"{one_line(one.part)} {score} x {one.weight:.3g}{rank}, adds {one.adds:.4f}"


def hits_table(hits: Sequence[Hit]) -> Table:
    """Hits as a person reads them."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right", style="green")
    told = any(hit.relevance is not None for hit in hits)
    if told:
        table.add_column("relevance", justify="right")
    table.add_column("id", style="cyan", no_wrap=True)
    table.add_column("description", ratio=1)
    table.add_column("location", overflow="fold", ratio=1)
    explained = any(hit.why for hit in hits)
    if explained:
        table.add_column("why", ratio=2)
    for hit in hits:
        alike = f" (+{len(hit.duplicates)} alike)" if hit.duplicates else ""
        about = escape(one_line(hit.description)[:120] + alike)
        table.add_row(
            str(hit.rank),
            f"{hit.score:.4f}",
            *(["" if hit.relevance is None else f"{hit.relevance:.2f}"] if told else []),
            escape(one_line(hit.id)),
            about,
            escape(one_line(hit.location)),
            *([escape("\n".join(map(_reckoned, hit.why)))] if explained else []),
        )
    return table


def demo(demo: Demo) -> None:
    """The demo's searches with what they found, and where the page with the pictures is."""
    console = Console()
    report(demo.report, json=False)
    for search in demo.searches:
        console.print(f"\n[bold]{escape(search.command)}[/]", highlight=False, soft_wrap=True)
        if console.is_terminal:
            console.print(hits_table(search.hits))
        else:
            for hit in search.hits:
                console.print(f"  {hit.score:.4f}  {hit.metadata.get('file_name', hit.id)}", highlight=False)
    console.print(f"\nThe pictures that were found: {demo.page}", highlight=False, soft_wrap=True)
    print(f"esclip: {demo.note}", file=sys.stderr)
