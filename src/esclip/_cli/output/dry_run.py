"""What a dry run of an ingest looks like: a line for each number, with a note."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from esclip._cli.output.console import say
from esclip._cli.output.reports import format_counts
from esclip._cli.output.table import Column, print_rows
from esclip._images.formats import describe_skipped

if TYPE_CHECKING:
    from esclip._core.rejections import IngestReport


def print_dry_run(report: IngestReport, *, json: bool) -> None:
    """What an ingest would do: JSON, a table on a terminal, else name, number and note a line, on stdout."""
    columns: list[Column[tuple[str, str, str]]] = [
        Column("", lambda row: row[0], style="cyan"),
        Column("", lambda row: row[1], "terminal", justify="right"),
        Column("", lambda row: row[1].replace(",", ""), "plain"),
        Column("", lambda row: row[2], kind="text"),
    ]
    print_rows(_dry_run_rows(report), columns, json=[report.to_json()] if json else None)
    if report.stopped:
        say("stopped before the end: the numbers are of a part of the records")
    say(f"a dry run: nothing was written into index {report.index!r} in {report.store}")


def _dry_run_rows(report: IngestReport) -> Iterator[tuple[str, str, str]]:
    """Name, number and note of each line."""
    dry_run = report.dry_run
    assert dry_run
    yield "records", f"{report.read:,}", ""
    yield "new", f"{dry_run.new:,}", "not in the index"
    yield "changed", f"{dry_run.changed:,}", "the file, URL or text is another one"
    yield "updated", f"{dry_run.updated:,}", "metadata only"
    yield "unchanged", f"{report.skipped:,}", "and records of an id that came before"
    yield "rejected", f"{report.rejected:,}", format_counts(report.rejections)
    yield "encoded", f"{dry_run.encoded:,}", "new and changed, of bytes without a vector"
    yield "copied", f"{dry_run.copied:,}", "new and changed, of bytes that have one"
    yield "fetched", f"{dry_run.fetched:,}", "servers may refuse some" if dry_run.fetched else ""
    if dry_run.fetched_bytes is not None:
        yield "fetched_bytes", f"{dry_run.fetched_bytes:,}", "of these"
    if report.pruned is not None:
        yield "removed", f"{report.pruned:,}", "the source has no record of them any more"
    if report.unpruned:
        yield "kept", f"{report.unpruned:,}", "all or most of a path; removed with --yes"
    if report.passed_over:
        yield "passed_over", f"{sum(report.passed_over.values()):,}", describe_skipped(report.passed_over)
    if dry_run.hours is not None:
        yield "hours", f"{dry_run.hours:,.2f}", "of encoding, on one machine"
