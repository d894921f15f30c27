"""The commands that take documents with their vectors out of an index, and in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions, Without
from esclip._cli.ingest import RejectionsFile, run_to_report
from esclip._cli.options import Json, SourcePaths, as_file
from esclip._cli.signals import handle_signals
from esclip._ingest.options import OF_AN_INDEX, IngestOptions
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
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            parser=as_file,
            help="A vector cache, as export writes it; or vectors of other programs: a folder with img_emb "
            "and metadata (clip-retrieval, LAION), Parquet files with a column of vectors, or an .npy file "
            "with a table of ids or URLs beside it.",
            show_default=False,
        ),
    ],
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
    options: ImportOptions,
    rejections: RejectionsFile = None,
    json: Json = False,
) -> None:
    """Write pictures that have vectors into the index without encoding; what it holds unchanged is skipped.

    Vectors of other programs are those of --encoder, which 8 of their pictures are encoded by to compare.
    """
    with store.open(encoder) as index:
        run_to_report(partial(index.import_vectors, path, **options), rejections, json=json)


def encode(
    paths: SourcePaths,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            parser=as_file,
            help="The folder for the vector cache: new, empty, or of a run before.",
            show_default=False,
        ),
    ],
    *,
    encoder: EncoderOptions,
    options: Annotated[IngestOptions, Without(OF_AN_INDEX)],
    rejections: RejectionsFile = None,
    json: Json = False,
) -> None:
    """Encode pictures into a folder of Parquet files, for an import into any store; needs no store.

    A run that was ended goes on from its last file, of 65,536 pictures or ten minutes.
    """
    import esclip

    run = partial(
        esclip.encode,
        *paths,
        out=out,
        encoder=encoder.encoder or None,
        text_encoder=encoder.text_encoder or None,
        device=encoder.device or None,
        precision=encoder.precision or None,
        encoder_token=encoder.encoder_token or None,
        **options,
    )
    run_to_report(run, rejections, json=json)
