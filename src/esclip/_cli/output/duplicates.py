"""Groups of pictures that are nearly the same, as lines, JSON, or a page. For the command line only."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from esclip._cli.output.console import Table, is_terminal, print_columns, print_json, say
from esclip._cli.output.reports import PLAIN_PROGRESS_SECONDS
from esclip._text.escaping import escaped

if TYPE_CHECKING:
    from esclip._search.duplicates import DuplicateGroup

__all__ = ["DuplicatesProgress", "groups", "summary", "write_page"]


class DuplicatesProgress:
    """Counts the pictures that were looked at, and tells on stderr now and then."""

    looked_at = 0

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, looked_at: int) -> None:
        """Take the count."""
        self.looked_at = looked_at
        if time.monotonic() - self._last >= PLAIN_PROGRESS_SECONDS:
            self._last = time.monotonic()
            say(f"{looked_at:,} pictures looked at")


def groups(groups: Sequence[DuplicateGroup], *, json: bool) -> None:
    """A JSON line a group, a table on a terminal, else a line a picture with tabs between.

    The columns: the group's number, `exact` or `near`, the cosine with the first of it, id, location.
    """
    if json:
        for group in groups:
            print_json(group.to_json())
    elif is_terminal():
        _print_table(groups)
    else:
        for row in _rows(groups):
            print_columns(*row)


def _rows(groups: Sequence[DuplicateGroup]) -> list[tuple[str, ...]]:
    return [
        (str(number), _kind(group), f"{hit.score:.4f}", hit.id, hit.location)
        for number, group in enumerate(groups, start=1)
        for hit in group.hits
    ]


def _kind(group: DuplicateGroup) -> str:
    return "exact" if group.exact else "near"


def _print_table(groups: Sequence[DuplicateGroup]) -> None:
    table = Table()
    table.add_column("group", justify="right", style="dim")
    table.add_column("")
    table.add_column("cosine", justify="right", style="green")
    table.add_column("id", style="cyan", no_wrap=True)
    table.add_column("location", overflow="fold", ratio=1)
    for row in _rows(groups):
        table.add_row(*row)
    table.print()


def summary(groups: Sequence[DuplicateGroup], *, of: int, page: Path | None) -> None:
    """How many there are, on stderr, and where the page is."""
    pictures = sum(len(group.hits) for group in groups)
    exact = sum(group.exact for group in groups)
    say(f"{len(groups):,} groups, {exact:,} of them exact, with {pictures:,} of {of:,} pictures")
    if page:
        say(f"the pictures are in {page}")


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
            file.write("".join(f"<div><code>{html.escape(escaped(line))}</code></div>" for line in where))
