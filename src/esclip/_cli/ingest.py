"""The commands that ingest, show what was rejected, and try it again: with progress, and ended by signals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esclip._cli.confirmation import ask, can_ask
from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.labels import read_labels
from esclip._cli.options import Json, LimitOption, Yes, as_path, split
from esclip._cli.signals import exit_status, handle_signals
from esclip._concurrency.stop import CancelToken
from esclip._core.options import Panel
from esclip._errors import ConfigError, suggest
from esclip._errors.counts import pluralize
from esclip._errors.reasons import Reason
from esclip._ingest.options import IngestOptions, RetryOptions, idle_options

if TYPE_CHECKING:
    from esclip._core.progress import Progress
    from esclip._core.rejections import IngestReport, Rejection
    from esclip._protocols import Source

Reasons = Annotated[
    list[str] | None,
    typer.Option(
        "--reason",
        metavar="REASON,...",
        help="Only what was rejected for one of these reasons; repeatable.",
    ),
]

RejectionsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        parser=as_path,
        rich_help_panel=Panel.OUTPUT,
        help="Write each rejected record and its reason here, a JSON line each.",
    ),
]

KeptTemplates = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="The text for a label of --labels, which stands for {}; repeatable, the mean counts. "
        "[default: those of the last ingest, at first: a photo of a {}]",
    ),
]


def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="An Unsplash dataset folder, a folder of images, images, a table of pictures by URL or path "
            "(.csv, .tsv, .parquet, .txt), a .tar or .zip of pictures, s3://BUCKET/PREFIX, a video, a file "
            "of JSON lines (.ndjson, .jsonl: pictures, and texts), or a manifest's folder; - for standard "
            "input: images by path or URL, one a line or with NUL between.",
        ),
    ],
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
    options: IngestOptions,
    label_template: KeptTemplates = None,
    rejections: RejectionsFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Encode pictures and write them into the index; what it holds unchanged is skipped."""
    if options["prune"] and options["limit"] is not None:
        raise typer.BadParameter("--prune needs all records, and --limit leaves some out")
    label_set = read_labels(options["labels"], label_template)
    options["labels"] = label_set if label_template or label_set is None else label_set.labels
    if idle := idle_options(options):
        raise typer.BadParameter(f"--{idle[0].replace('_', '-')} goes with --dry-run")
    sources = _open_stdin(paths, prune=options["prune"])
    with store.open(encoder) as index:
        run = partial(index.ingest, *sources, **options)
        run_to_report(
            run,
            rejections,
            json=json,
            prune_yes=yes if options["prune"] else None,
            dry_run=options["dry_run"],
        )


def _open_stdin(paths: list[str], *, prune: bool) -> list[str | Source]:
    """The paths, with a source in the place of `-`. Wrong usage: `-` twice, or together with `--prune`."""
    from esclip._cli.path_list import STDIN, read_path_list

    if STDIN not in paths:
        return [*paths]
    if prune:
        raise typer.BadParameter("--prune needs folders, and standard input names single images")
    if paths.count(STDIN) > 1:
        raise typer.BadParameter("- stands for standard input, which can be read once")
    from esclip.sources.memory.source import MemorySource

    return [MemorySource(read_path_list()) if path == STDIN else path for path in paths]


def rejections(
    reason: Reasons = None,
    limit: LimitOption = None,
    *,
    store: StoreOptions,
    json: Json = False,
) -> None:
    """Show what ingests rejected and the index lacks: the reason, id, location and detail of each."""
    from esclip._cli.output.reports import print_rejection_counts, print_rejections

    reasons = _parse_reasons(reason)
    with store.open() as index:
        print_rejection_counts(index.rejection_counts(reasons))
        print_rejections(islice(index.rejections(reasons), limit), json=json)


def retry(
    reason: Reasons = None,
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
    options: RetryOptions,
    rejections: RejectionsFile = None,
    json: Json = False,
) -> None:
    """Ingest again just what was rejected; all of it may be rejected again."""
    reasons = _parse_reasons(reason)
    with store.open(encoder) as index:
        run_to_report(partial(index.retry, reasons=reasons, **options), rejections, json=json)


def _parse_reasons(words: list[str] | None) -> list[Reason]:
    """The reasons that are named, several in a word with commas between. An unknown one is wrong usage."""
    reasons: list[Reason] = []
    for name in split(",".join(words or ())):
        try:
            reasons.append(Reason(name.lower()))
        except ValueError:
            near = suggest(name.lower(), [reason.value for reason in Reason])
            raise typer.BadParameter(f"--reason {name}: there is no such reason; it may be {near}") from None
    return reasons


def run_to_report(
    run: Callable[..., IngestReport],
    rejections: Path | None,
    *,
    json: bool,
    prune_yes: bool | None = None,
    dry_run: bool = False,
) -> None:
    """Run an ingest with progress and report; a signal ends it early, and is then the exit status.

    `prune_yes` says whether a path may lose all its documents without a question; None: nothing is pruned.
    """
    from esclip._cli.output.dry_run import print_dry_run
    from esclip._cli.output.progress import show_progress
    from esclip._cli.output.reports import print_report, print_report_of_failure

    stop = CancelToken()
    with (
        _rejections_file(rejections) as on_rejection,
        show_progress() as on_progress,
        print_report_of_failure(json=json),
        handle_signals(stop.request, "esclip: ending soon; once more ends it at once\n") as received,
    ):
        confirmation = (
            {}
            if prune_yes is None
            else {"confirm": _confirm_removal(on_progress, yes=prune_yes, may_ask=not dry_run)}
        )
        report = run(stop=stop, on_rejection=on_rejection, on_progress=on_progress, **confirmation)
    if dry_run:
        print_dry_run(report, json=json)
    else:
        print_report(report, json=json)
    if report.stopped:
        raise typer.Exit(exit_status(received[0]))
    if report.unpruned and not dry_run:
        raise ConfigError(
            f"not removed: {pluralize(report.unpruned, 'document')} without a record any more, all or most "
            "of a path, as where a disk isn't mounted; if they are to go, add --yes"
        )


def _confirm_removal(
    on_progress: Callable[[Progress], None], *, yes: bool, may_ask: bool
) -> Callable[[str, int], bool]:
    """The question before a path loses all or most of its documents."""
    from esclip._cli.output.progress import pause_progress

    def confirm(path: str, documents: int) -> bool:
        if yes or not (may_ask and can_ask()):
            return yes
        with pause_progress(on_progress):
            return ask(f"remove {pluralize(documents, 'document')}, all or most of {path}")

    return confirm


@contextmanager
def _rejections_file(path: Path | None) -> Iterator[Callable[[Rejection], None] | None]:
    """Context manager: gives what writes rejections. Raises `ConfigError` where the file can't be written."""
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
