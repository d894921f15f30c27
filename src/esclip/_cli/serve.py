"""The command that serves an index over HTTP."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.options import as_path, number
from esclip._cli.signals import exit_status, handle_signals
from esclip._core.options import Opt, Panel
from esclip._core.settings import SEARCH_PORT, UNSPLASH_HOST, thumbnail_cache
from esclip._errors import ConfigError, EsclipError, IndexNotFound
from esclip._errors.secrets import Secret

if TYPE_CHECKING:
    from esclip._index import ImageIndex

PORT = Opt(SEARCH_PORT, "The port; 0 for a free one.", minimum=0, maximum=65_535, metavar="PORT")
THREADS = Opt(
    8, "Searches at once; further ones wait.", minimum=1, maximum=256, metavar="N", panel=Panel.TUNING
)
QUEUE = Opt(
    128,
    "Searches that may wait; further ones are refused.",
    minimum=1,
    maximum=10_000,
    metavar="N",
    panel=Panel.TUNING,
)
TIMEOUT = Opt(
    60.0,
    "What a search may take with its wait; then it is refused.",
    minimum=0.1,
    maximum=3600.0,
    metavar="S",
    panel=Panel.TUNING,
)


def serve(
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address to listen at; 0.0.0.0 for all.")
    ] = "127.0.0.1",
    port: Annotated[int, number(PORT)] = PORT.default,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="ESCLIP_TOKEN",
            parser=Secret,
            rich_help_panel=Panel.ACCESS,
            metavar="TOKEN",
            help="Let in only who has it; better in the variable, which no list of processes shows.",
        ),
    ] = None,
    open: Annotated[
        bool,
        typer.Option(
            "--open",
            rich_help_panel=Panel.ACCESS,
            help="Let everybody in without a token, from other machines, too.",
        ),
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            rich_help_panel=Panel.ACCESS,
            metavar="NAME",
            help="A name that the server is reached by, besides localhost and its address; repeatable. "
            "*: any.",
        ),
    ] = None,
    browse: Annotated[bool, typer.Option("--browse", help="Open the page in a browser.")] = False,
    show_paths: Annotated[
        bool, typer.Option("--show-paths", help="Name the paths of local files in responses.")
    ] = False,
    mcp: Annotated[
        bool,
        typer.Option("--mcp", help="Give agents tools at /mcp, by the Model Context Protocol: only to read."),
    ] = False,
    originals: Annotated[
        bool, typer.Option("--originals", help="Send pictures as they are, too, not only thumbnails.")
    ] = False,
    fetch_urls: Annotated[
        bool,
        typer.Option(
            "--fetch-urls", help="Search by pictures of the public web that a request names by URL."
        ),
    ] = False,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let who may search also write and delete documents.")
    ] = False,
    allow_picture_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-picture-host",
            rich_help_panel=Panel.ACCESS,
            metavar="HOST",
            help=f"A host whose pictures may be written by their URLs, besides {UNSPLASH_HOST}, at public "
            "addresses; repeatable.",
        ),
    ] = None,
    threads: Annotated[int, number(THREADS)] = THREADS.default,
    queue: Annotated[int, number(QUEUE)] = QUEUE.default,
    timeout: Annotated[float, number(TIMEOUT)] = TIMEOUT.default,
    thumbnails: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            parser=as_path,
            rich_help_panel=Panel.TUNING,
            help="Where thumbnails are kept, up to 1 GiB. [default: a folder in your cache directory]",
        ),
    ] = None,
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
) -> None:
    """Search an index over HTTP: a page for people, and routes for programs that /openapi.json lists."""
    from esclip._cli.output.console import say, show_server_logs
    from esclip._cli.output.pages import open_in_browser
    from esclip._cli.output.reports import say_missing_facts
    from esclip._server.guard import hosts_of
    from esclip._server.http_server import HttpServer
    from esclip._server.search_app import SearchApp
    from esclip._server.search_service import ServiceOptions
    from esclip._server.url_fetcher import UrlFetcher

    show_server_logs()
    options = ServiceOptions(
        token=Secret(token) if token else None,
        hosts=hosts_of(host, allow_host or ()),
        show_paths=show_paths,
        threads=threads,
        max_waiting=queue,
        search_seconds=timeout,
        thumbnails=thumbnails or thumbnail_cache(),
        originals=originals,
        agents=mcp,
        urls=UrlFetcher() if fetch_urls else None,
        writable=writable,
        picture_hosts=tuple(allow_picture_host or ()),
    )
    index = store.open(encoder)
    try:
        about = index.stats()
        documents = about.documents
        say_missing_facts(about)
    except IndexNotFound:
        if not writable:
            raise
        documents = 0  # the first that is written makes the index
    with HttpServer(SearchApp(index, options), host=host, port=port) as server:
        if not (token or open or server.is_local):
            raise ConfigError(
                f"{server.address} can be reached from other machines: give a --token, or --open to let "
                "everybody in"
            )
        with handle_signals(server.stop) as received:
            say(f"{store.index} ({documents:,} documents) at {server.address}; stop it with Ctrl-C")
            if browse and not open_in_browser(server.address):
                say("no browser could be opened; open this address in one")
            Thread(target=_load_encoder, args=(index,), name="esclip-encoder", daemon=True).start()
            server.app.follower.start()
            server.run()
        if received[0] == signal.SIGINT:
            raise typer.Exit(exit_status(signal.SIGINT))


def _load_encoder(index: ImageIndex) -> None:
    """Encode a text, so that the first search waits for no model. What fails is told to who searches."""
    with suppress(EsclipError, OSError):
        index.load_encoder().encode_texts(["a picture"])
