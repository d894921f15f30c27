"""The command that says what an index of so many pictures takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from esclip._cli.groups import EncoderOptions, StoreOptions, Without
from esclip._cli.options import Json
from esclip._plan.options import PICTURE_COUNT, PlanOptions

if TYPE_CHECKING:
    from esclip._core.schema import Stats
    from esclip._protocols import Encoder


def plan(
    pictures: Annotated[
        int,
        typer.Argument(
            metavar=PICTURE_COUNT.metavar,
            min=PICTURE_COUNT.minimum,
            max=PICTURE_COUNT.maximum,
            help=PICTURE_COUNT.help,
        ),
    ],
    *,
    options: PlanOptions,
    encoder: Annotated[EncoderOptions, Without(("text_encoder",))],
    store: StoreOptions,
    json: Json = False,
) -> None:
    """Compute what an index of so many pictures takes: memory, disk, shards, nodes, hours, cost.

    Each line has its formula. With --index, what that index has stands beside it.
    """
    from esclip._cli.output.plan import print_plan
    from esclip._plan.planner import plan as compute
    from esclip.encoders.catalogue import canonical_name

    if "store" in store.typed and "index" not in store.typed:
        raise typer.BadParameter(
            "--store goes with --index; of an index that is not there yet, give --engine"
        )
    stats, model = _look_at(store, encoder, options) if "index" in store.typed else (None, None)
    named = encoder.encoder or None
    if model is None and (options.get("probe") or (named and canonical_name(named) is None)):
        model = encoder.load(token=encoder.encoder_token)
    print_plan(compute(pictures, encoder=model or named, index=stats, **options), json=json)


def _look_at(
    store: StoreOptions, encoder: EncoderOptions, options: PlanOptions
) -> tuple[Stats, Encoder | None]:
    """What an index holds, and, for a probe, the encoder of its searches where no other is named."""
    with store.open(None if encoder.encoder else encoder) as index:
        probed = options.get("probe") and not encoder.encoder
        return index.stats(), index.load_encoder() if probed else None
