"""How a search gives its hits out: a table, lines, JSON, or paths alone.

--json         an object a line
--paths        where each hit is, a line each
-0, --null     the same with a NUL after each, for xargs -0
(none)         a table on a terminal, else lines with tabs
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.options import Json, as_path, not_blank
from esclip._core.options import Panel

if TYPE_CHECKING:
    from esclip._search.hits import Hits


def _as_folder(text: str) -> Path:
    """The path of a folder. An empty one, as of a variable that isn't set, would be the current folder."""
    return as_path(not_blank(text))


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
    copy_to: Annotated[
        Path | None,
        typer.Option(
            "--copy-to",
            metavar="DIR",
            parser=_as_folder,
            rich_help_panel=Panel.OUTPUT,
            help="Copy the hits' pictures there, as 01_name.jpg by rank; nothing is overwritten. URLs are "
            "fetched as by an ingest, from its hosts.",
        ),
    ] = None
    allow_hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST",
            rich_help_panel=Panel.OUTPUT,
            help="With --copy-to: a further host to fetch from, as for an ingest; repeatable.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.json and (self.only_paths or self.null):
            raise typer.BadParameter("--json and --paths or --null: give one of them")

    def show(self, hits: Hits) -> None:
        """Give out the hits of one search. Ends with exit status 1 where a picture could not be copied."""
        from esclip._cli.output.hits import print_hits, print_locations

        if self.only_paths or self.null:
            print_locations(hits, null=self.null)
        else:
            print_hits(hits, json=self.json)
        if self.copy_to is not None and not self._copy(hits, self.copy_to):
            raise typer.Exit(1)

    def show_of_query(self, number: int, query: str, hits: Hits) -> bool:
        """Give out the hits of one query of several. Whether all their pictures are copied that shall be."""
        from esclip._cli.output.hits import print_locations, print_query_hits
        from esclip._search.copying import numbered_name

        if self.only_paths or self.null:
            print_locations(hits, null=self.null, query=query)
        else:
            print_query_hits(query, hits, json=self.json)
        return self.copy_to is None or self._copy(hits, self.copy_to / numbered_name(number, query, 3))

    def _copy(self, hits: Hits, folder: Path) -> bool:
        from esclip._cli.output.hits import print_copies

        report = hits.copy_to(folder, allow_hosts=self.allow_hosts or ())
        print_copies(hits, report, folder)
        return not report.failures
