"""The command that writes down what a source gives, for machines that share an ingest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from esclip._cli.options import Json, SourcePaths, as_file
from esclip._cli.signals import handle_signals
from esclip._ingest.options import ManifestOptions


def manifest(
    paths: SourcePaths,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            parser=as_file,
            help="The folder for the manifest, new or empty.",
            show_default=False,
        ),
    ],
    *,
    options: ManifestOptions,
    json: Json = False,
) -> None:
    """List pictures in files, of which each machine ingests a slice. Encodes nothing."""
    import esclip
    from esclip._cli.output.reports import print_manifest

    with handle_signals(lambda: False):
        print_manifest(esclip.write_manifest(*paths, out=out, **options), json=json)
