"""How a search gives its hits out: a table, lines, JSON, or paths alone.

--json         an object a line
--paths        where each hit is, a line each
-0, --null     the same with a NUL after each, for xargs -0
(none)         a table on a terminal, else lines with tabs; with --preview small pictures above it

And beside it: --page, --open (a page with the pictures), --copy-to (the pictures themselves).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esclip._cli.completion import complete_choice
from esclip._cli.options import Json, OpenPage, Page, as_file
from esclip._core.options import Panel
from esclip._errors.secrets import mask

if TYPE_CHECKING:
    from esclip._search.hits import Hits


PROTOCOLS = "kitty", "iterm2", "sixel"


def _as_protocol(text: str) -> str:
    if text not in PROTOCOLS:
        raise typer.BadParameter(f"there is no {text}; it may be {', '.join(PROTOCOLS)}")
    return text


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
    preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            rich_help_panel=Panel.OUTPUT,
            help="Show the pictures small, with the hits' numbers, in a terminal that can: kitty, Ghostty, "
            "iTerm2, WezTerm, those with sixel. URLs are fetched as by an ingest, from its hosts.",
        ),
    ] = False
    preview_as: Annotated[
        str | None,
        typer.Option(
            "--preview-as",
            metavar="PROTOCOL",
            parser=_as_protocol,
            autocompletion=complete_choice(PROTOCOLS),
            rich_help_panel=Panel.OUTPUT,
            help="The same without asking the terminal: kitty, iterm2 or sixel.",
        ),
    ] = None
    page: Page = None
    open: OpenPage = False
    copy_to: Annotated[
        Path | None,
        typer.Option(
            "--copy-to",
            metavar="DIR",
            parser=as_file,
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
            help="With --copy-to and --preview: a further host to fetch from, as for an ingest; repeatable.",
        ),
    ] = None

    results: list[tuple[str, Any]] = field(default_factory=list, init=False)
    """What the page shows: queries in words, with their hits."""

    def __post_init__(self) -> None:
        if self.json and (self.only_paths or self.null):
            raise typer.BadParameter("--json and --paths or --null: give one of them")
        if self._shows_previews and (self.json or self.only_paths or self.null):
            raise typer.BadParameter("--preview is for people, --json, --paths and --null for programs")

    @property
    def _shows_previews(self) -> bool:
        return self.preview or self.preview_as is not None

    def show(self, hits: Hits, query: object) -> None:
        """Give out the hits of one search. Ends with exit status 1 where a picture could not be copied."""
        from esclip._cli.output.hits import print_hits, print_locations

        self._show_preview(hits)
        if self.only_paths or self.null:
            print_locations(hits, null=self.null)
        else:
            print_hits(hits, json=self.json)
        self._keep(str(query), hits)
        self.show_page()
        if self.copy_to is not None and not self._copy(hits, self.copy_to):
            raise typer.Exit(1)

    def show_of_query(self, number: int, query: str, hits: Hits) -> bool:
        """Give out the hits of one query of several. Whether all their pictures are copied that shall be.

        After the last one comes `show_page`.
        """
        from esclip._cli.output.hits import print_locations, print_query_hits
        from esclip._search.copying import numbered_name

        self._show_preview(hits)
        if self.only_paths or self.null:
            print_locations(hits, null=self.null, query=query)
        else:
            print_query_hits(query, hits, json=self.json)
        self._keep(query, hits)
        return self.copy_to is None or self._copy(hits, self.copy_to / numbered_name(number, query, 3))

    def show_page(self) -> None:
        """Write the page with all hits that were given out, and open it, where that is wanted."""
        if not (self.page or self.open):
            return
        from esclip._cli.output.pages import show_page
        from esclip._search.gallery import render_section

        sections = (render_section(query, hits) for query, hits in self.results)
        show_page(self.page, "search", sections, open=self.open)

    def _keep(self, query: str, hits: Hits) -> None:
        if self.page or self.open:
            self.results.append((mask(query), hits))

    def _show_preview(self, hits: Hits) -> None:
        from esclip._cli.output.previews import print_previews

        if self._shows_previews and hits:
            print_previews(hits, self.preview_as, self.allow_hosts or ())

    def _copy(self, hits: Hits, folder: Path) -> bool:
        from esclip._cli.output.hits import print_copies

        report = hits.copy_to(folder, allow_hosts=self.allow_hosts or ())
        print_copies(hits, report, folder)
        return not report.failures
