"""Groups of pictures that are nearly the same, as lines, JSON, or a page. For the command line only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from esclip._cli.output.console import say
from esclip._cli.output.links import hit_link
from esclip._cli.output.pages import show_page
from esclip._cli.output.table import Column, print_rows
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._core.types import Hit
    from esclip._search.duplicates import DuplicateGroup


class _Row(NamedTuple):
    number: int
    group: DuplicateGroup
    hit: Hit
    """One of the group; its score is the cosine with the first."""


_COLUMNS: tuple[Column[_Row], ...] = (
    Column("group", lambda row: str(row.number), justify="right", style="dim"),
    Column("", lambda row: _kind(row.group)),
    Column("cosine", lambda row: f"{row.hit.score:.4f}", justify="right", style="green"),
    Column("id", lambda row: row.hit.id, style="cyan"),
    Column("location", lambda row: row.hit.location, kind="place", link=lambda row: hit_link(row.hit)),
)


def print_groups(groups: Sequence[DuplicateGroup], *, json: bool) -> None:
    """A JSON line a group, a table on a terminal, else a line a picture with tabs between."""
    rows = [_Row(number, group, hit) for number, group in enumerate(groups, 1) for hit in group.hits]
    print_rows(rows, _COLUMNS, json=[group.to_json() for group in groups] if json else None)


def _kind(group: DuplicateGroup) -> str:
    return "exact" if group.exact else "near"


def print_summary(groups: Sequence[DuplicateGroup], *, compared: int) -> None:
    """How many there are, on stderr."""
    pictures = sum(len(group.hits) for group in groups)
    exact = sum(group.exact for group in groups)
    say(
        f"{pluralize(len(groups), 'group')}, {exact:,} of them exact, with {pictures:,} of "
        f"{pluralize(compared, 'picture')}"
    )


def show_groups_page(groups: Sequence[DuplicateGroup], page: Path | None, *, open: bool) -> None:
    """Write a page on which each group's pictures stand side by side, with where they are."""
    sections = (_section(number, group) for number, group in enumerate(groups, start=1))
    show_page(page, "duplicates", sections, open=open)


def _section(number: int, group: DuplicateGroup) -> str:
    from esclip._search.duplicates import describe_group
    from esclip._search.gallery import render_section

    lines = (f"{hit.score:.4f} {hit.id} {hit.location}" for hit in group.hits)
    return render_section(f"{number}: {describe_group(group)}", group.hits, lines)
