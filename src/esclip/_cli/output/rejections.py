"""What was rejected, as a person or a program sees it. For the command line only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from esclip._cli.output.console import Table, is_terminal, print_columns, print_json, say
from esclip._cli.output.reports import counted

if TYPE_CHECKING:
    from esclip._core.rejections import LedgerEntry, Reason

__all__ = ["rejection_counts", "rejections"]


def rejection_counts(counts: Mapping[Reason, int]) -> None:
    """How many rejections the ledger keeps, by reason, and what to do about them."""
    reasons = f" ({counted(counts)}); `esclip retry` tries them again" if counts else ""
    say(f"{sum(counts.values()):,} rejected{reasons}")


def rejections(rejections: Iterable[LedgerEntry], *, json: bool) -> None:
    """Rejections: JSON lines, a table on a terminal, else reason, id, location, detail with tabs between."""
    rows = ((r.reason.value, r.id, r.location, r.detail) for r in rejections)
    if json:
        for rejection in rejections:
            print_json(rejection.to_json())
    elif is_terminal():
        _print_table(rows)
    else:
        for row in rows:
            print_columns(*row)


def _print_table(rows: Iterable[Sequence[str]]) -> None:
    table = Table()
    table.add_column("reason", style="red", no_wrap=True)
    table.add_column("id", style="cyan", overflow="fold")
    table.add_column("location", overflow="fold", ratio=1)
    table.add_column("detail", ratio=1)
    for row in rows:
        table.add_row(*row)
    table.print()
