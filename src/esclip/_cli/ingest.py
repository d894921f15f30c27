"""An ingest as commands run it: with its progress, its report, its rejections in a file, ended by signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from esclip._cli.confirmation import ask, can_ask
from esclip._cli.signals import exit_status, handle_signals
from esclip._concurrency.stop import CancelToken
from esclip._errors import ConfigError

if TYPE_CHECKING:
    from esclip._core.rejections import IngestReport, Rejection
    from esclip._ingest.progress import Progress

__all__ = ["run_to_report"]


def run_to_report(
    run: Callable[..., IngestReport], rejections: Path | None, *, json: bool, prune_yes: bool | None = None
) -> None:
    """An ingest with its progress and its report; a signal asks it to end, and is then the exit status.

    `prune_yes` says whether a path may lose all its documents without a question; None: nothing is pruned.
    """
    from esclip._cli.output.progress import show_progress
    from esclip._cli.output.reports import print_report, print_report_of_failure

    stop = CancelToken()
    with (
        _rejections_file(rejections) as on_rejection,
        show_progress() as on_progress,
        print_report_of_failure(json=json),
        handle_signals(stop.request, "esclip: ending soon; once more ends it at once\n") as received,
    ):
        confirm = {} if prune_yes is None else {"confirm": _emptying(on_progress, yes=prune_yes)}
        report = run(stop=stop, on_rejection=on_rejection, on_progress=on_progress, **confirm)
    print_report(report, json=json)
    if report.stopped:
        raise typer.Exit(exit_status(received[0]))
    if report.unpruned:
        raise ConfigError(
            f"{report.unpruned:,} documents were not removed, though their records are gone: all or most of "
            "their path, as where a disk isn't mounted; if they are to go, add --yes"
        )


def _emptying(on_progress: Callable[[Progress], None], *, yes: bool) -> Callable[[str, int], bool]:
    """What is asked before a path loses its documents."""
    from esclip._cli.output.progress import pause_progress

    def asked(path: str, documents: int) -> bool:
        if yes or not can_ask():
            return yes
        with pause_progress(on_progress):
            return ask(f"remove {documents:,} documents, all or most of {path}")

    return asked


@contextmanager
def _rejections_file(path: Path | None) -> Iterator[Callable[[Rejection], None] | None]:
    """What writes rejections to the file as they come; a file that can't be written is told at once."""
    from esclip._cli.output.console import json_line

    try:
        opened: Any = path.open("w", encoding="utf-8") if path else nullcontext()
    except OSError as error:
        raise ConfigError(
            f"--rejections {path}: {error.strerror}; name a file that can be written"
        ) from error
    with opened as file:

        def write(rejection: Rejection) -> None:
            file.write(json_line(rejection.to_json()) + "\n")
            file.flush()

        yield write if file else None
