"""What a person or a program sees: tables, tab-separated lines, JSON, progress. For the command line only."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from esclip._cli.hints import format_warning
from esclip._cli.output.console import print_columns, print_json, progress_console, say
from esclip._errors import TooManyRejections
from esclip._images.formats import described
from esclip._text.secrets import masked

if TYPE_CHECKING:
    from esclip._cli.doctor import Finding
    from esclip._core.rejections import IngestReport, Reason
    from esclip._core.schema import Stats
    from esclip._ingest.progress import Progress
    from esclip.encoders.remote.protocol import EncoderInfo

__all__ = [
    "PLAIN_PROGRESS_SECONDS",
    "counted",
    "findings",
    "forgotten",
    "log_on_stderr",
    "paused",
    "progress",
    "report",
    "report_of_failure",
    "serving",
    "show_info_logs",
    "stats",
]

PLAIN_PROGRESS_SECONDS = 10
"""Between two lines of progress where stderr is a file, not a terminal."""


@contextmanager
def log_on_stderr() -> Iterator[None]:
    """The library's warnings as lines on stderr."""
    handler = _LineHandler()
    logger = logging.getLogger("esclip")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        say(masked(format_warning(record)))


def show_info_logs() -> None:
    """Show also what the library works with: long work says so."""
    logging.getLogger("esclip").setLevel(logging.INFO)


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """What shows an ingest's progress on stderr: a bar on a terminal, else a line now and then."""
    show_info_logs()
    if progress_console().is_terminal:
        with _progress_bar() as update:
            yield update
    else:
        yield _progress_lines()


@contextmanager
def _progress_bar() -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rejected]}"),
    )
    with Bar(*columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task("ingest", total=None, speed="starting", rejected="")

        yield _Bar(bar, task)


class _Bar:
    """Shows an ingest's progress on a terminal."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task

    def __call__(self, now: Progress) -> None:
        """Show how far it is."""
        rejected = f"[red]{now.rejected:,} rejected[/]" if now.rejected else ""
        self._bar.update(
            self._task, completed=now.done, total=now.total, speed=_doing(now), rejected=rejected
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Context manager: within it, nothing is drawn."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


def paused(shown: Callable[[Progress], None]) -> AbstractContextManager[None]:
    """Context manager: within it, what `progress` gave leaves the terminal to a question."""
    return shown.paused() if isinstance(shown, _Bar) else nullcontext()


def _progress_lines() -> Callable[[Progress], None]:
    from esclip._ingest.progress import Phase

    last, phase = time.monotonic(), Phase.PICTURES

    def update(now: Progress) -> None:
        nonlocal last, phase
        # what follows the pictures may say nothing until it is through
        entered = now.phase is not phase and now.seconds > PLAIN_PROGRESS_SECONDS
        if time.monotonic() - last < PLAIN_PROGRESS_SECONDS and not entered:
            return
        last, phase = time.monotonic(), now.phase
        of = f" of {now.total:,}" if now.total else ""
        left = f", {_left(now)} left" if now.done < (now.total or 0) and now.done else ""
        say(f"{now.done:,}{of}, {_doing(now)}{left}, {now.rejected:,} rejected")

    return update


def _doing(now: Progress) -> str:
    """How fast pictures are read, and what is done when they are."""
    from esclip._ingest.progress import Phase

    if now.phase is not Phase.PICTURES:
        doing: str = now.phase.value
        return doing
    return f"{now.encoded / now.seconds:.1f} pictures/s" if now.seconds else ""


def _left(now: Progress) -> str:
    assert now.total
    seconds = int(now.seconds * max(0, now.total - now.done) / now.done)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def report(report: IngestReport, *, json: bool) -> None:
    """The outcome of an ingest: a summary on stderr, with `json` the whole report on stdout."""
    if json:
        print_json(report.to_json())
    reasons = f" ({counted(report.rejections)})" if report.rejected else ""
    say(
        f"{report.read:,} records: {report.written:,} written, {report.skipped:,} skipped, "
        f"{report.rejected:,} rejected{reasons} in {report.seconds:.1f} s "
        f"({report.images_per_second:.1f} pictures/s), index {report.index!r} in {report.store}"
    )
    if report.passed_over:
        say(f"passed over: {described(report.passed_over)}")
    if report.pruned is not None:
        say(f"{report.pruned:,} documents removed: their records are gone")
    if report.stopped:
        say("stopped before the end; the same command goes on from here")
    if report.rejected:
        say("see each with `esclip rejections`, try them again with `esclip retry`")


@contextmanager
def report_of_failure(*, json: bool) -> Iterator[None]:
    """With `json`, the report of an ingest that rejects too much is printed before that ends the program."""
    try:
        yield
    except TooManyRejections as error:
        if json:
            report(error.report, json=True)
        raise


def forgotten(index: str, documents: int, rejections: int, missing: Sequence[str], *, json: bool) -> None:
    """What was taken out of an index: a summary on stderr, with `json` the numbers on stdout."""
    if json:
        print_json(
            {"index": index, "documents": documents, "rejections": rejections, "missing": list(missing)}
        )
    say(
        f"{documents:,} documents and {rejections:,} rejections removed from index {index!r}; what is still "
        "in an ingested folder comes back with its next ingest"
    )


def counted(counts: Mapping[Reason, int]) -> str:
    """The reasons, each with how often it came."""
    return ", ".join(f"{reason.value} {n:,}" for reason, n in counts.items())


def stats(stats: Stats, *, json: bool) -> None:
    """What an index holds."""
    values = stats.to_json()
    if json:
        print_json(values)
        return
    for several in ("runtimes", "labels", "parts"):
        values[several] = ", ".join(values[several]) or None
    values["fields"] = ", ".join(f"{name} ({kind})" for name, kind in values["fields"].items())
    if stats.bytes is not None:
        values["bytes"] = f"{stats.bytes:,}"
    for name, value in values.items():
        if value is not None:
            print_columns(f"{name:13} {value}")


def findings(findings: Sequence[Finding], *, json: bool) -> None:
    """What works on this machine and what is missing."""
    for finding in findings:
        if json:
            print_json(finding.to_json())
        else:
            mark = "ok      " if finding.works else "MISSING " if finding.needed else "no      "
            print_columns(f"{mark}{finding.name}: {finding.detail}")


def serving(address: str, about: EncoderInfo) -> None:
    """Where an encoder server listens, and what encodes there."""
    say(f"{about.space.model} ({about.runtime}) at {address}; stop it with Ctrl-C")
