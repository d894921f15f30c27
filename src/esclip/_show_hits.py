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
    from esclip._types import Hit

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
            print(f"{hit.score:.4f}\t{one_line(hit.id)}\t{one_line(hit.location)}")


def hits_of(query: str, hits: Hits, *, json: bool) -> None:
    """The hits of one query of several, which stands before each."""
    for hit in hits:
        if json:
            print_json({"query": query} | hit.to_json())
        else:
            print(f"{one_line(query)}\t{hit.score:.4f}\t{one_line(hit.id)}\t{one_line(hit.location)}")


def hits_table(hits: Sequence[Hit]) -> Table:
    """Hits as a person reads them."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right", style="dim")
    table.add_column("score", justify="right", style="green")
    table.add_column("id", style="cyan", no_wrap=True)
    table.add_column("description", ratio=1)
    table.add_column("location", overflow="fold", ratio=1)
    for hit in hits:
        about = escape(one_line(hit.description)[:120])
        table.add_row(
            str(hit.rank),
            f"{hit.score:.4f}",
            escape(one_line(hit.id)),
            about,
            escape(one_line(hit.location)),
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
