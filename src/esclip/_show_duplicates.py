"""Groups of pictures that are nearly the same, as lines, JSON, or a page. For the command line only."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from esclip._show import PLAIN_PROGRESS_SECONDS, one_line, print_json

if TYPE_CHECKING:
    from esclip._duplicates import DuplicateGroup

__all__ = ["Watched", "groups", "summary", "write_page"]


class Watched:
    """Counts the pictures that were looked at, and tells on stderr now and then."""

    looked_at = 0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, looked_at: int) -> None:
        """Take the count."""
        self.looked_at = looked_at
        if time.monotonic() - self._last >= PLAIN_PROGRESS_SECONDS:
            self._last = time.monotonic()
            print(f"esclip: {looked_at:,} pictures looked at", file=sys.stderr, flush=True)


def groups(groups: Sequence[DuplicateGroup], *, json: bool) -> None:
    """A JSON line a group, a table on a terminal, else a line a picture with tabs between.

    The columns: the group's number, `exact` or `near`, the cosine with the first of it, id, location.
    """
    console = Console()
    if json:
        for group in groups:
            print_json(group.to_json())
    elif console.is_terminal:
        _print_table(console, groups)
    else:
        for row in _rows(groups):
            print("\t".join(row))


def _rows(groups: Sequence[DuplicateGroup]) -> list[tuple[str, ...]]:
    return [
        (str(number), _kind(group), f"{hit.score:.4f}", one_line(hit.id), one_line(hit.location))
        for number, group in enumerate(groups, start=1)
        for hit in group.hits
    ]


def _kind(group: DuplicateGroup) -> str:
    return "exact" if group.exact else "near"


def _print_table(console: Console, groups: Sequence[DuplicateGroup]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("group", justify="right", style="dim")
    table.add_column("")
    table.add_column("cosine", justify="right", style="green")
    table.add_column("id", style="cyan", no_wrap=True)
    table.add_column("location", overflow="fold", ratio=1)
    for row in _rows(groups):
        table.add_row(*map(escape, row))
    console.print(table)


def summary(groups: Sequence[DuplicateGroup], *, of: int, page: Path | None) -> None:
    """How many there are, on stderr, and where the page is."""
    pictures = sum(len(group.hits) for group in groups)
    exact = sum(group.exact for group in groups)
    print(
        f"esclip: {len(groups):,} groups, {exact:,} of them exact, with {pictures:,} of {of:,} pictures",
        file=sys.stderr,
    )
    if page:
        print(f"esclip: the pictures are in {one_line(str(page))}", file=sys.stderr)


def write_page(page: Path, groups: Sequence[DuplicateGroup]) -> None:
    """Write an HTML page on which each group's pictures stand side by side, with where they are."""
    with page.open("w", encoding="utf-8") as file:
        file.write("<!doctype html><meta charset=utf-8><title>esclip duplicates</title>")
        file.write("<body style='font-family:sans-serif'>")
        for number, group in enumerate(groups, start=1):
            span = f"{group.lowest:.4f} to {group.highest:.4f}"
            file.write(f"<h2>{number}: {len(group.hits)} pictures, {_kind(group)}, cosines {span}</h2>")
            file.write(group.hits._repr_html_())
            where = (f"{hit.score:.4f} {hit.id} {hit.location}" for hit in group.hits)
            file.write("".join(f"<div><code>{html.escape(one_line(line))}</code></div>" for line in where))
