"""The command line: parses, calls one method of the facade, shows what came back.

stdout carries results only; progress, summaries and errors go to stderr. Exit status 0: done. 1: an
`EsclipError`, told in one line. 2: wrong usage. 130: interrupted (143: by SIGTERM).
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from esclip._cli import classify, duplicates, forget, ledger, search
from esclip._cli.arguments import DashedIdCommand, RemovalCommand, WeightedCommand
from esclip._cli.confirmation import confirm
from esclip._cli.groups import EncoderOptions, FetchOptions, StoreOptions, grouped
from esclip._cli.hints import format_error
from esclip._cli.ingest import run_to_report
from esclip._cli.ingest_options import (
    BatchSize,
    Captions,
    Images,
    KeptTemplates,
    Labels,
    Limit,
    MaxRejectionRate,
    Parts,
    Prune,
    RejectionsFile,
    labelling,
)
from esclip._cli.options import Host, Json, MaxBody, Port, Yes, as_path, split
from esclip._cli.signals import Interrupted, exit_status, handle_signals
from esclip._cli.standard_streams import standard_streams
from esclip._core.settings import (
    BATCH_SIZE,
    ENCODER_PORT,
    MAX_BODY_MIB,
    MAX_REJECTION_RATE,
)
from esclip._errors import EsclipError
from esclip._text.escaping import escape

__all__ = ["app", "main"]


class ErrorsAsExit(TyperGroup):
    """Turns what esclip raises into one line on stderr and an exit status; lists whole sentences."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list; Click would cut each summary off at the end of the line."""
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, " ".join((one.help or "").split())) for name, one in self.commands.items()]
            )

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the options before the command's name."""
        with _usage_escaped():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        from esclip._cli.output.console import log_on_stderr, say

        try:
            with log_on_stderr(), _usage_escaped():
                return super().invoke(ctx)
        except EsclipError as error:
            say(format_error(error))
            raise typer.Exit(1) from None
        except OSError as error:  # what the system refuses, and no other part of the program expects
            say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt as error:
            say("interrupted; the same command goes on from here")
            number = error.number if isinstance(error, Interrupted) else signal.SIGINT
            raise typer.Exit(exit_status(number)) from None


@contextmanager
def _usage_escaped() -> Iterator[None]:
    """Within it, errors of wrong usage repeat arguments escaped: Typer shows them as they are."""
    try:
        yield
    except _UsageError as error:
        error.message = escape(error.message)
        raise


_UsageError: Any = typer.BadParameter.__base__
"""What Typer raises for wrong usage, and doesn't export."""

app = typer.Typer(
    name="esclip",
    cls=ErrorsAsExit,
    help="Finds pictures by what they show.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes `[default: ...]` for markup, and cuts words off in narrow terminals
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the program."""
    os.environ.setdefault("LANCE_LOG", "error")  # read when lance is imported; it has no other switch
    atexit.register(gc.freeze)  # or Python looks through all objects once more: a seventh of a search's time
    with standard_streams():
        app()


def _version(wanted: bool) -> None:
    if wanted:
        import esclip
        from esclip._cli.output.console import print_columns

        print_columns(f"esclip {esclip.__version__}")
        raise typer.Exit


@app.callback()
def _esclip(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
@grouped
def ingest(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="An Unsplash dataset folder, a folder of images, or images."),
    ],
    *,
    at: StoreOptions,
    by: EncoderOptions,
    limit: Limit = None,
    images: Images = None,
    having: FetchOptions,
    rejections: RejectionsFile = None,
    max_rejection_rate: MaxRejectionRate = MAX_REJECTION_RATE,
    prune: Prune = False,
    yes: Yes = False,
    labels: Labels = None,
    label_template: KeptTemplates = None,
    captions: Captions = None,
    parts: Parts = None,
    json: Json = False,
) -> None:
    """Encode pictures and write them into the index; what it holds unchanged is skipped."""
    if prune and limit is not None:
        raise typer.BadParameter("--prune needs all records, and --limit leaves some out")
    asked = labelling(labels, label_template)
    with at.open(by) as held:
        run = partial(
            held.ingest,
            *paths,
            limit=limit,
            images=images,
            max_rejection_rate=max_rejection_rate,
            prune=prune,
            labels=asked if label_template or asked is None else asked.labels,
            captions=captions,
            parts=split(parts or ""),
            **having.named(),
        )
        run_to_report(run, rejections, json=json, prune_yes=yes if prune else None)


app.command()(grouped(ledger.rejections))
app.command()(grouped(ledger.retry))
app.command(cls=RemovalCommand)(grouped(forget.forget))


app.command("search-text")(grouped(search.search_text))
app.command("search-texts")(grouped(search.search_texts))
app.command("search-image")(grouped(search.search_image))
app.command(cls=WeightedCommand)(grouped(search.search))
app.command(cls=DashedIdCommand)(grouped(search.similar))
app.command(cls=DashedIdCommand)(grouped(search.recommend))
app.command()(grouped(duplicates.duplicates))
app.command()(grouped(classify.classify))


@app.command()
@grouped
def stats(*, at: StoreOptions, json: Json = False) -> None:
    """Show what the index holds."""
    from esclip._cli.output.reports import print_stats

    with at.open() as held:
        print_stats(held.stats(), json=json)


@app.command()
@grouped
def drop(
    *,
    at: StoreOptions,
    yes: Yes = False,
) -> None:
    """Remove the index and all that it holds. Pictures are untouched."""
    from esclip._cli.output.console import say

    with at.open() as held:
        if not yes:
            documents = held.stats().documents
            confirm(f"remove index {at.index!r} and its {documents:,} documents", yes=yes)
        held.drop()
    say(f"index {at.index!r} removed")


@app.command()
@grouped
def doctor(
    *,
    at: StoreOptions,
    by: EncoderOptions,
    json: Json = False,
) -> None:
    """Tell what works on this machine and what is missing. Exit status 1 when something that you named is."""
    from esclip._cli.doctor import examine
    from esclip._cli.output.console import show_info_logs
    from esclip._cli.output.reports import print_findings

    show_info_logs()
    findings = examine(
        at.open, at.how, lambda: by.load(token=by.encoder_token), encoder_named=by.encoder is not None
    )
    print_findings(findings, json=json)
    if any(finding.needed and not finding.works for finding in findings):
        raise typer.Exit(1)


@app.command("serve-encoder")
@grouped
def serve_encoder(
    host: Host = "127.0.0.1",
    port: Port = ENCODER_PORT,
    *,
    by: EncoderOptions,
    batch_size: BatchSize = BATCH_SIZE,
    max_body: MaxBody = MAX_BODY_MIB,
) -> None:
    """Encode for other machines, which give the address of this one as their --encoder."""
    from esclip._cli.output.console import show_info_logs
    from esclip._cli.output.reports import print_server_address
    from esclip._server import encoder_app

    show_info_logs()
    encoder = by.load()
    encoder_app.check_encoder(encoder)
    with encoder_app.open_server(
        encoder,
        host=host,
        port=port,
        token=by.encoder_token or None,
        batch_size=batch_size,
        max_body=max_body << 20,
    ) as server:
        with handle_signals(server.stop) as received:
            print_server_address(server.address, server.app.about)
            server.run()
        if received[0] == signal.SIGINT:
            raise typer.Exit(exit_status(signal.SIGINT))


@app.command()
def models(json: Json = False) -> None:
    """List the models that are known by name, and which of them this machine has."""
    import esclip
    from esclip._cli.output.reports import print_models

    print_models(esclip.models(), json=json)


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=as_path,
            help="Where pictures, index and page go. [default: esclip-demo in your data directory]",
            show_default=False,
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", metavar="ADDRESS", help="Another store than the demo's own.", show_default=False
        ),
    ] = None,
) -> None:
    """Draw pictures, ingest them and run some searches: offline, within a minute."""
    from esclip._cli import demo as drawn_pictures
    from esclip._cli.output.hits import print_demo
    from esclip._cli.output.progress import show_progress

    with show_progress() as on_progress:
        result = drawn_pictures.run(folder, store, on_progress)
    print_demo(result)
