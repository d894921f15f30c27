"""Hits: a table on a terminal, lines with tabs between, or JSON."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from esclip._cli.output.console import (
    is_terminal,
    print_columns,
    print_heading,
    print_json,
    print_null_ended,
    say,
    say_error,
)
from esclip._cli.output.links import hit_link
from esclip._cli.output.reports import print_report
from esclip._cli.output.table import Column, plain_cells, print_rows, print_table
from esclip._errors import one_line
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._errors.secrets import mask
from esclip._files.paths import path_of

if TYPE_CHECKING:
    from esclip._cli.demo import Demo
    from esclip._core.types import Hit, ScoreDetail
    from esclip._search.copying import CopyReport
    from esclip._search.hits import Hits


def print_hits(hits: Hits, *, json: bool) -> None:
    """Hits: JSON lines, a table on a terminal, else score, id and location with tabs between."""
    print_rows(hits, _columns(hits), json=[hit.to_json() for hit in hits] if json else None)
    _say_what_lacks(hits)


def print_query_hits(query: str, hits: Hits, *, json: bool) -> None:
    """The hits of one query of several, which stands before each."""
    columns = _columns(hits)
    for hit in hits:
        if json:
            print_json({"query": query} | hit.to_json())
        else:
            print_columns(query, *plain_cells(hit, columns))
    _say_what_lacks(hits, f"{query}: ")


def print_locations(hits: Hits, *, null: bool, query: str = "") -> None:
    """Where the hits are, and nothing else: a line each, or with `null` as on disk, with a NUL after each."""
    paths = [_path_or_url(hit.location) for hit in hits]
    if null:
        print_null_ended(paths)
    else:
        for path in paths:
            print_columns(path)
        if escaped := sum(escape(path) != path for path in paths):
            say(
                f"paths with characters that break a line, shown escaped: {escaped}; --null gives them as "
                "they are"
            )
    _say_what_lacks(hits, f"{query}: " if query else "")


def print_copies(hits: Hits, report: CopyReport, folder: Path) -> None:
    """How many pictures were copied, on stderr, and of each other one why it wasn't."""
    for hit in hits:
        if problem := report.failures.get(hit.id):
            say_error(f"not copied: {hit.rank}, {mask(hit.location)}: {problem}")
    there = f", {report.present:,} there already" if report.present else ""
    failed = f", {len(report.failures):,} not" if report.failures else ""
    texts = f"; {pluralize(report.texts, 'hit')} without a picture: texts" if report.texts else ""
    if hits:
        copied = pluralize(len(report.paths) - report.present, "picture")
        say(f"{copied} copied to {folder}{there}{failed}{texts}")


def _path_or_url(location: str) -> str:
    """The location as the file's name is on disk; escaped where no file can have such a name."""
    path = location if "://" in location else str(path_of(location))
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    return path if possible else escape(path)


def print_demo(demo: Demo) -> None:
    """The demo's searches with their hits, and where the page with the pictures is."""
    print_report(demo.report, json=False)
    for search in demo.searches:
        print_columns()
        print_heading(search.command)
        if is_terminal():
            print_table(search.hits, _columns(search.hits))
        else:
            for hit in search.hits:
                print_columns(f"  {hit.score:.4f}  {hit.metadata.get('file_name', hit.id)}")
    print_columns()
    print_columns(f"The pictures that were found: {demo.page}")
    say(demo.note)
    print_columns(f"Look at all of them in a browser: {_program()} {demo.serve}")


def _program() -> str:
    """How this program was called, so that the same is found again."""
    called = Path(sys.argv[0])
    if called.name != "esclip":
        return "esclip"
    found = shutil.which("esclip")
    return "esclip" if found and Path(found).samefile(called) else shlex.quote(str(called))


def _say_what_lacks(hits: Hits, query: str = "") -> None:
    """Why there are no hits, or none that stands out."""
    if hits.note:
        say(f"{query}{hits.note}")
    elif hits.matched is False:
        say(f"{query}no hit stands out: nothing there fits better than to a sentence that means nothing")


_COLUMNS: tuple[Column[Hit], ...] = (
    Column("#", lambda hit: str(hit.rank), "terminal", justify="right", style="dim"),
    Column("score", lambda hit: f"{hit.score:.4f}", justify="right", style="green"),
    Column("relevance", lambda hit: _relevance(hit), "terminal", justify="right"),
    Column("kind", lambda hit: "" if hit.kind == "picture" else hit.kind, "terminal"),
    Column("index", lambda hit: hit.index or "", "terminal"),
    Column("id", lambda hit: hit.id, style="cyan"),
    Column("description", lambda hit: _description(hit), "terminal", kind="text"),
    Column("location", lambda hit: hit.location, kind="place", link=lambda hit: hit_link(hit)),
    Column("why", lambda hit: [_detail(detail) for detail in hit.explanation], kind="text"),
)
"""A program reads score, id and location, and after them why, where the query asks for it."""


def _columns(hits: Sequence[Hit]) -> list[Column[Hit]]:
    explained = any(hit.explanation for hit in hits)
    return [column for column in _COLUMNS if explained or column.header != "why"]


def _relevance(hit: Hit) -> str:
    return "" if hit.relevance is None else f"{hit.relevance:.2f}"


def _description(hit: Hit) -> str:
    alike = f" (+{len(hit.duplicates)} alike)" if hit.duplicates else ""
    text = escape(hit.description)[:120] if hit.kind == "picture" else one_line(hit.description, 120)
    return text + alike


def _detail(detail: ScoreDetail) -> str:
    """`text: a beach 0.2312 x 1, rank 3, adds 0.0159`."""
    score = "-" if detail.score is None else f"{detail.score:.4f}"
    rank = "" if detail.rank is None else f", rank {detail.rank}"
    return f"{detail.part} {score} x {detail.weight:.3g}{rank}, adds {detail.adds:.4f}"
