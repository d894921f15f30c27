"""The command that gives agents tools to search an index."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.signals import end_on_signals


def mcp(
    show_paths: Annotated[
        bool, typer.Option("--show-paths", help="Name the paths of local files in answers.")
    ] = False,
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
) -> None:
    """Give agents tools to search an index, by the Model Context Protocol on stdin and stdout."""
    import anyio

    from esclip._cli.output.console import say
    from esclip._server.agents.server import AgentServer
    from esclip._server.agents.tools import AgentTools

    with store.open(encoder) as index, end_on_signals():
        tools = AgentTools(index, show_paths=show_paths)
        if sys.stdin.isatty():
            say("waits for an agent's client, which starts this command itself; Ctrl-C ends it")
        anyio.run(AgentServer(tools).serve_stdio)
