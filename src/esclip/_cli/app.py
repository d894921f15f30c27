"""The command line: parses, calls one method of the facade, shows what came back.

stdout carries results only; progress, summaries and errors go to stderr. Exit status 0: done. 1: an
`EsclipError`, told in one line. 2: wrong usage. 130: interrupted (143: by SIGTERM).
"""

from __future__ import annotations

import atexit
import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from esclip._cli import (
    adopt,
    audit,
    classify,
    compare,
    embed,
    evaluate,
    facets,
    forget,
    ingest,
    manifest,
    mcp,
    plan,
    reencode,
    search,
    serve,
    switch,
    transfer,
)
from esclip._cli.arguments import DashedIdCommand, RemovalCommand, WeightedCommand, describe_missing
from esclip._cli.commands import COMMANDS, CommandGroup, command
from esclip._cli.config_file import defaults_of, list_settings, read_config, source_of
from esclip._cli.confirmation import confirm
from esclip._cli.groups import EncoderOptions, StoreOptions, Without
from esclip._cli.help import fit_terminal, write_panels, write_section
from esclip._cli.hints import format_error
from esclip._cli.options import Json, Quiet, Verbose, Yes, as_path, number
from esclip._cli.other_commands import describe_command
from esclip._cli.signals import Interrupted, exit_status, handle_signals
from esclip._cli.standard_streams import standard_streams
from esclip._core.options import BATCH_SIZE_OPTION, Opt
from esclip._core.settings import ENCODER_PORT, MAX_BODY_MIB
from esclip._errors import EsclipError
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape

if TYPE_CHECKING:
    from esclip._core.schema import Stats

PORT = Opt(ENCODER_PORT, "The port; 0 for a free one.", minimum=0, maximum=65_535, metavar="PORT")
MAX_BODY = Opt(MAX_BODY_MIB, "The longest request, in MiB.", minimum=1, maximum=1024, metavar="MIB")


RESUMED = ("ingest", "encode", "retry", "reencode", "forget", "import")
"""Commands that go on where they were interrupted; the others begin anew."""


class ErrorsAsExit(TyperGroup):
    """Turns what esclip raises into one line on stderr and an exit status; lists whole sentences."""

    commands: Any

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = COMMANDS

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the line of usage; what follows has the terminal's width."""
        fit_terminal(formatter)
        super().format_usage(ctx, formatter)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the commands in their groups, then the options of all of them."""
        for group in CommandGroup:
            write_section(formatter, group.value, self.commands.summaries(group))
        write_panels(formatter, self.get_params(ctx))

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the options before the command's name."""
        with _escape_usage():
            return super().make_context(*args, **options)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, and its defaults in the configuration file. A help needs none."""
        if args and args[0] not in self.commands and (instead := describe_command(args[0], self.commands)):
            ctx.fail(f"No such command: {args[0]}. {instead}")
        name, found, rest = super().resolve_command(ctx, args)
        typed = rest[: rest.index("--")] if "--" in rest else rest
        if found is not None and not ctx.resilient_parsing and not {*typed} & {*ctx.help_option_names}:
            ctx.meta[CONFIG] = config = read_config()
            ctx.default_map = {name: defaults_of(config, found, self.commands) if config else {}}
        return name, found, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        from esclip._cli.output.console import log_on_stderr, say_error

        try:
            with log_on_stderr(), _escape_usage():
                return super().invoke(ctx)
        except EsclipError as error:
            say_error(format_error(error))
            raise typer.Exit(1) from None
        except OSError as error:  # what the system refuses, and no other part of the program expects
            say_error(f"{error.filename}: {error.strerror}" if error.filename else str(error))
            raise typer.Exit(1) from None
        except KeyboardInterrupt as error:
            resumed = ctx.invoked_subcommand in RESUMED
            say_error(f"interrupted{'; the same command goes on from here' if resumed else ''}")
            number = error.number if isinstance(error, Interrupted) else signal.SIGINT
            raise typer.Exit(exit_status(number)) from None


@contextmanager
def _escape_usage() -> Iterator[None]:
    """Within it, errors of wrong usage repeat arguments escaped: Typer shows them as they are."""
    try:
        yield
    except _UsageError as error:
        _raise_from_config(error)
        if error.ctx and hasattr(error, "possibilities"):  # there is no such option
            error.message = describe_missing(error.option_name, error.ctx.command.get_params(error.ctx))
            error.possibilities = ()
        error.message = escape(error.message)
        raise


def _raise_from_config(error: Any) -> None:
    """Raise `ConfigError` for a value that can't be used and stands in the configuration file."""
    ctx, param = error.ctx, getattr(error, "param", None)
    config = ctx.meta.get(CONFIG) if ctx else None
    if config and param and getattr(ctx.get_parameter_source(param.name), "name", "") == "DEFAULT_MAP":
        raise config.error(f"{source_of(config, ctx.command, param)}: {error.message}") from error


CONFIG = "esclip.config"
"""The key of the configuration file in Click's `meta`."""

_UsageError: Any = typer.BadParameter.__base__
"""What Typer raises for wrong usage, and doesn't export."""

app = typer.Typer(
    name="esclip",
    cls=ErrorsAsExit,
    help="Finds pictures by what they show.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes `[default: ...]` for markup, and cuts words off in narrow terminals
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the program."""
    atexit.register(gc.freeze)  # or Python looks through all objects once more: a seventh of a search's time
    with standard_streams():
        app(prog_name="esclip")


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
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    pass


command(CommandGroup.INGEST)(ingest.ingest)
command(CommandGroup.INGEST)(transfer.encode)
command(CommandGroup.INGEST)(manifest.manifest)
command(CommandGroup.INGEST)(ingest.rejections)
command(CommandGroup.INGEST)(ingest.retry)
command(CommandGroup.INGEST)(reencode.reencode)
command(CommandGroup.INGEST, cls=RemovalCommand)(forget.forget)


command(CommandGroup.SEARCH)(search.search_text)
command(CommandGroup.SEARCH)(search.search_texts)
command(CommandGroup.SEARCH)(search.search_image)
command(CommandGroup.SEARCH, cls=WeightedCommand)(search.search)
command(CommandGroup.SEARCH, cls=DashedIdCommand)(search.similar)
command(CommandGroup.SEARCH, cls=DashedIdCommand)(search.recommend)
command(CommandGroup.SEARCH)(search.duplicates)
command(CommandGroup.SEARCH)(facets.facets)
command(CommandGroup.SEARCH)(classify.classify)
command(CommandGroup.SEARCH)(embed.embed)
command(CommandGroup.SEARCH)(evaluate.evaluate)
command(CommandGroup.SEARCH)(serve.serve)
command(CommandGroup.SEARCH)(mcp.mcp)


@command(CommandGroup.INDEX)
def stats(*, store: StoreOptions, json: Json = False) -> None:
    """Show what the index holds."""
    from esclip._cli.output.reports import print_stats

    with store.open() as index:
        print_stats(index.stats(), json=json)


@command(CommandGroup.INDEX)
def indexes(*, store: Annotated[StoreOptions, Without(("index",))], json: Json = False) -> None:
    """List the indexes of a store: name, documents, kind of store, encoder."""
    from esclip._cli.output.reports import print_indexes

    print_indexes(store.list_indexes(), json=json)


@command(CommandGroup.INDEX)
def drop(
    *,
    store: StoreOptions,
    aliases: Annotated[
        bool, typer.Option("--aliases", help="Remove also the aliases that point to the index.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Remove the index, all that it holds and what people decided on its pages. Pictures are untouched."""
    from esclip._cli.output.console import say

    def ask_first(stats: Stats) -> bool:
        confirm(f"remove index {store.index!r} and its {pluralize(stats.documents, 'document')}", yes=yes)
        return True

    with store.open() as index:
        index.drop(aliases=aliases, confirm=None if yes else ask_first)
    say(f"index {store.index!r} removed")


command(CommandGroup.INDEX)(switch.switch)
command(CommandGroup.INDEX)(transfer.export)
command(CommandGroup.INDEX)(transfer.import_)
command(CommandGroup.INDEX)(adopt.adopt)
command(CommandGroup.INDEX)(plan.plan)
command(CommandGroup.INDEX)(audit.audit)
command(CommandGroup.INDEX)(compare.compare)


@command(CommandGroup.MACHINE)
def doctor(
    ctx: typer.Context,
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
    json: Json = False,
) -> None:
    """Tell what works on this machine and what is missing. Exit status 1 when something that you named is."""
    from esclip._cli.doctor import examine
    from esclip._cli.output.console import show_info_logs
    from esclip._cli.output.reports import print_findings

    show_info_logs()
    findings = examine(
        lambda: store.open(encoder),
        store.describe_access,
        lambda: encoder.load(token=encoder.encoder_token),
        ctx.meta[CONFIG],
        list_settings(ctx, ctx.meta[CONFIG]),
        encoder_named=bool(encoder.encoder),
    )
    print_findings(findings, json=json)
    if any(finding.needed and not finding.works for finding in findings):
        raise typer.Exit(1)


@command(CommandGroup.MACHINE)
def serve_encoder(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen at; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[int, number(PORT)] = PORT.default,
    *,
    encoder: EncoderOptions,
    batch_size: Annotated[int, number(BATCH_SIZE_OPTION)] = BATCH_SIZE_OPTION.default,
    max_body: Annotated[int, number(MAX_BODY)] = MAX_BODY.default,
) -> None:
    """Encode for other machines, which give the address of this one as their --encoder."""
    from esclip._cli.output.console import show_server_logs
    from esclip._cli.output.reports import print_server_address
    from esclip._server.encoder_app import check_encoder, open_server

    show_server_logs()
    loaded = encoder.load()
    check_encoder(loaded)
    with open_server(
        loaded,
        host=host,
        port=port,
        token=encoder.encoder_token or None,
        batch_size=batch_size,
        max_body=max_body << 20,
    ) as server:
        with handle_signals(server.stop) as received:
            print_server_address(server.address, server.app.about)
            server.run()
        if received[0] == signal.SIGINT:
            raise typer.Exit(exit_status(signal.SIGINT))


@command(CommandGroup.MACHINE)
def models(json: Json = False) -> None:
    """List the models that are known by name, and which of them this machine has."""
    import esclip
    from esclip._cli.output.reports import print_models

    print_models(esclip.models(), json=json)


@command(CommandGroup.MACHINE)
def demo(
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=as_path,
            help="Where pictures, index and page go. [default: esclip-demo in your data directory]",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="ADDRESS", help="Another store than the demo's own."),
    ] = None,
) -> None:
    """Draw pictures, ingest them and run some searches: offline, within a minute."""
    from esclip._cli import demo as drawn_pictures
    from esclip._cli.output.hits import print_demo
    from esclip._cli.output.progress import show_progress

    with show_progress() as on_progress:
        result = drawn_pictures.run(folder, store, on_progress)
    print_demo(result)
