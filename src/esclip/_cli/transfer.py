"""The commands that take documents with their vectors out of an index, and in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from esclip._cli.groups import StoreOptions
from esclip._cli.ingest import RejectionsFile, run_to_report
from esclip._cli.options import Json, as_file
from esclip._cli.signals import handle_signals
from esclip._transfer.options import ExportOptions, ImportOptions


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


def import_(
    cache: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", parser=as_file, help="A vector cache, as export writes it.", show_default=False
        ),
    ],
    *,
    store: StoreOptions,
    options: ImportOptions,
    rejections: RejectionsFile = None,
    json: Json = False,
) -> None:
    """Write a vector cache into the index without encoding; what it holds unchanged is skipped."""
    with store.open() as index:
        run_to_report(partial(index.import_vectors, cache, **options), rejections, json=json)
