"""The command that compares two indexes by their answers to the same queries."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated

import typer

from esclip._cli.completion import complete_index
from esclip._cli.groups import ImageEncoderOptions, StoreOptions, Without
from esclip._cli.options import Json
from esclip._cli.search import read_own_queries
from esclip._cli.signals import handle_signals
from esclip._comparison.options import CompareOptions


def compare(
    first: Annotated[
        str,
        typer.Argument(metavar="INDEX", autocompletion=complete_index, help="An index.", show_default=False),
    ],
    second: Annotated[
        str,
        typer.Argument(
            metavar="OTHER",
            autocompletion=complete_index,
            help="Another index of the store, such as one of another model.",
            show_default=False,
        ),
    ],
    file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            "--texts", metavar="FILE", help="Queries of your own, one a line; - for standard input."
        ),
    ] = None,
    *,
    options: CompareOptions,
    store: Annotated[StoreOptions, Without(("index",))],
    encoder: Annotated[ImageEncoderOptions, Without(("encoder", "encoder_token"))],
    json: Json = False,
) -> None:
    """Compare two indexes by what they find, each with its own encoder. Changes nothing.

    Which of them finds the better, judgements tell: esclip evaluate --against index=OTHER.
    """
    import esclip
    from esclip._cli.output.comparisons import print_comparison
    from esclip._cli.output.progress import tell_counts

    texts = read_own_queries(file)
    with handle_signals(lambda: False), ExitStack() as stack:
        one, other = (
            stack.enter_context(replace(store, index=name).open(encoder)) for name in (first, second)
        )
        report = esclip.compare(one, other, texts, on_progress=tell_counts(), **options)
    print_comparison(report, json=json)
