"""What was rejected, as a person or a program sees it. For the command line only."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from esclip._show import counted, one_line, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from esclip._rejections import KeptRejection, Reason

__all__ = ["rejection_counts", "rejections"]


def rejection_counts(counts: Mapping[Reason, int]) -> None:
    """How many rejections the ledger keeps, by reason, and what to do about them."""
    reasons = f" ({counted(counts)}); `esclip retry` tries them again" if counts else ""
    print(f"esclip: {sum(counts.values()):,} rejected{reasons}", file=sys.stderr)


def rejections(rejections: Iterable[KeptRejection], *, json: bool) -> None:
    """Rejections: JSON lines, a table on a terminal, else reason, id, location, detail with tabs between."""
    console = Console()
    rows = ((r.reason.value, *map(one_line, (r.id, r.location, r.detail))) for r in rejections)
    if json:
        for rejection in rejections:
            print_json(rejection.to_json())
    elif console.is_terminal:
        console.print(_rejections_table(rows))
    else:
        for row in rows:
            print("\t".join(row))


def _rejections_table(rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("reason", style="red", no_wrap=True)
    table.add_column("id", style="cyan", overflow="fold")
    table.add_column("location", overflow="fold", ratio=1)
    table.add_column("detail", ratio=1)
    for row in rows:
        table.add_row(*map(escape, row))
    return table
