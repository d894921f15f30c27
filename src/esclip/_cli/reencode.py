"""The command that makes an index anew with another model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions
from esclip._cli.ingest import RejectionsFile, run_to_report
from esclip._cli.options import Json, Yes
from esclip._ingest.options import ReencodeOptions, idle_options

if TYPE_CHECKING:
    from esclip._index import ImageIndex
    from esclip._protocols import Encoder


def reencode(
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="NAME",
            help="The new index. [default: the one that a run before has begun, else the next free number: "
            "photos-2 after photos]",
        ),
    ] = None,
    *,
    store: StoreOptions,
    encoder: EncoderOptions,
    options: ReencodeOptions,
    rejections: RejectionsFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Make a new index of the documents of --index with another model, --encoder. The old one is only read.

    What the new index holds unchanged is skipped: a run that was ended goes on, and a later one takes over
    what has changed in the old one since.
    """
    if not encoder.encoder:
        raise typer.BadParameter("name the new model with --encoder")
    if idle := idle_options(options):
        raise typer.BadParameter(f"--{idle[0].replace('_', '-')} goes with --dry-run")
    from esclip._cli.output.reports import say_next

    with store.open() as old:
        old.stats()  # a missing index is told before a model is loaded
        loaded = _unloaded(encoder) if options["dry_run"] else encoder.load(token=encoder.encoder_token)
        with _open_new(old, to, loaded) as new:
            run_to_report(
                partial(new.reencode, old, **options),
                rejections,
                json=json,
                prune_yes=yes,
                dry_run=options["dry_run"],
            )
            if not options["dry_run"] and options["limit"] is None:
                say_next(store.index, new.store.index)


def _unloaded(encoder: EncoderOptions) -> Encoder:
    """The new model as far as it is known without a download."""
    from esclip.encoders.resolver import EncoderResolver

    resolver = EncoderResolver(
        encoder.encoder, encoder.text_encoder or None, token=encoder.encoder_token or None
    )
    return resolver.unloaded("", None)


def _open_new(old: ImageIndex, name: str | None, encoder: Encoder) -> ImageIndex:
    """The new index, in the store of the old one."""
    from esclip._ingest.reencoding import find_target
    from esclip._open_index import open_index
    from esclip.stores import require_index_name

    if name is not None:
        require_index_name(name)
    store = old.store.open_other(name or find_target(old.store, encoder.space))
    return open_index(store, encoder=encoder)
