"""The command that writes an index into a vector cache."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from esclip._cli.groups import StoreOptions
from esclip._cli.options import Json, as_file
from esclip._cli.signals import handle_signals
from esclip._transfer.options import ExportOptions


def export(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            parser=as_file,
            help="The folder for the vector cache, new or empty.",
            show_default=False,
        ),
    ],
    *,
    options: ExportOptions,
    store: StoreOptions,
    json: Json = False,
) -> None:
    """Write the index into a folder of Parquet files: ids, fingerprints, vectors, metadata. Changes nothing.

    Any store can import them without encoding; other programs read them as one table.
    """
    from esclip._cli.output.progress import tell_counts
    from esclip._cli.output.reports import print_export

    with handle_signals(lambda: False), store.open() as index:
        print_export(index.export(out, on_progress=tell_counts(), **options), json=json)
