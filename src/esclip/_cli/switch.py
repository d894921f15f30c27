"""The command that points the name which searches use to another index."""

from __future__ import annotations

from typing import Annotated

import typer

from esclip._cli.completion import complete_index
from esclip._cli.groups import StoreOptions
from esclip._cli.options import Json


def switch(
    to: Annotated[
        str,
        typer.Argument(
            metavar="INDEX", help="The index that is used from now on.", autocompletion=complete_index
        ),
    ],
    force: Annotated[
        bool,
        typer.Option("--force", help="Switch although the numbers of documents differ without a rejection."),
    ] = False,
    *,
    store: StoreOptions,
    json: Json = False,
) -> None:
    """Make the name --index an alias of another index, at once; the same with the former one goes back."""
    from esclip._cli.output.reports import print_switch

    print_switch(store.switch_to(to, force=force), json=json)
