"""Figures of an audit: a table on a terminal, else a line a figure; or JSON. Notes are on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

from esclip._cli.output.console import say
from esclip._cli.output.table import Column, print_rows
from esclip._errors.counts import pluralize

if TYPE_CHECKING:
    from esclip._audit.report import Audit, AuditRow


def print_audit(audit: Audit, *, json: bool) -> None:
    """The rows on stdout; on stderr what was compared, and what to know."""
    columns: list[Column[AuditRow]] = [
        Column("queries", lambda row: f"{row.kind} {row.script}".rstrip(), style="cyan"),
        Column("k", lambda row: str(row.k), justify="right"),
        Column("recall", lambda row: f"{row.recall.mean:.3f}", justify="right", style="green"),
        Column("low", lambda row: f"{row.recall.low:.3f}", justify="right"),
        Column("high", lambda row: f"{row.recall.high:.3f}", justify="right"),
        Column("short", lambda row: str(row.short), justify="right"),
        Column("p50 ms", lambda row: f"{row.p50:.1f}", justify="right"),
        Column("p95 ms", lambda row: f"{row.p95:.1f}", justify="right"),
        Column("share", lambda row: f"{row.share:.3f}", justify="right"),
        Column("filter", lambda row: row.filter, kind="text"),
        Column("number", lambda row: str(row.queries), "plain"),
    ]
    print_rows(audit.rows, columns, json=[audit.to_json()] if json else None, plain_headers=True)
    say(
        f"{pluralize(audit.documents, 'picture')} in {audit.engine}, {audit.compared:,} compared in "
        f"{audit.seconds:.0f} s; largest error of a score {audit.score_error:.1e}"
    )
    for note in audit.notes:
        say(f"note: {note}")
