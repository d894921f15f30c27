"""How a search gives its hits out: a table, lines, JSON, or paths alone.

--json         an object a line
--paths        where each hit is, a line each
-0, --null     the same with a NUL after each, for xargs -0
(none)         a table on a terminal, else lines with tabs
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.options import Json
from esclip._core.options import Panel

if TYPE_CHECKING:
    from esclip._search.hits import Hits


@dataclass(frozen=True, slots=True, kw_only=True)
class HitOutput:
    """The options of all searches that say how their hits are given out."""

    json: Json = False
    only_paths: Annotated[
        bool,
        typer.Option(
            "--paths",
            rich_help_panel=Panel.OUTPUT,
            help="Only the path or URL of each hit, one a line. Characters that break a line are escaped: "
            "scripts take --null.",
        ),
    ] = False
    null: Annotated[
        bool,
        typer.Option(
            "--null",
            "-0",
            rich_help_panel=Panel.OUTPUT,
            help="Only the path or URL of each hit, exactly as it is, with a NUL after each: for xargs -0.",
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.json and (self.only_paths or self.null):
            raise typer.BadParameter("--json and --paths or --null: give one of them")

    def show(self, hits: Hits) -> None:
        """Give out the hits of one search."""
        from esclip._cli.output.hits import print_hits, print_locations

        if self.only_paths or self.null:
            print_locations(hits, null=self.null)
        else:
            print_hits(hits, json=self.json)

    def show_of_query(self, query: str, hits: Hits) -> None:
        """Give out the hits of one query of several."""
        from esclip._cli.output.hits import print_locations, print_query_hits

        if self.only_paths or self.null:
            print_locations(hits, null=self.null, query=query)
        else:
            print_query_hits(query, hits, json=self.json)
