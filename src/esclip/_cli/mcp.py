"""The command that gives agents tools to search an index."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.signals import end_on_signals

if TYPE_CHECKING:
    from esclip._index import ImageIndex


def mcp(
    show_paths: Annotated[
        bool, typer.Option("--show-paths", help="Name the paths of local files in answers.")
    ] = False,
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
) -> None:
    """Give agents tools to search an index, by the Model Context Protocol on stdin and stdout."""
    with end_on_signals(), store.open(encoder) as index:
        _serve(index, show_paths=show_paths)


def _serve(index: ImageIndex, *, show_paths: bool) -> None:
    import anyio

    from esclip._cli.output.console import say
    from esclip._server.agents.server import AgentServer
    from esclip._server.agents.tools import AgentTools

    if sys.stdin.isatty():
        say("waits for an agent's client, which starts this command itself; Ctrl-C ends it")
    tools = AgentTools(index, show_paths=show_paths)
    tools.follower.start()
    anyio.run(AgentServer(tools).serve_stdio)
