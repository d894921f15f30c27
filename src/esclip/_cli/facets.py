"""The command that counts what documents have in fields."""

from __future__ import annotations

from typing import Annotated

import typer

from esclip._cli.groups import StoreOptions
from esclip._cli.here import HereOption
from esclip._cli.options import Json, WhereOption, number
from esclip._search.options import FACET_VALUES, HitOptions


def facets(
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD...",
            help="Fields to count. [default: all but those of sentences and places, and the probabilities of "
            "labels]",
            show_default=False,
        ),
    ] = None,
    where: WhereOption = None,
    limit: Annotated[int, number(FACET_VALUES)] = FACET_VALUES.default,
    *,
    store: StoreOptions,
    place: HereOption,
    json: Json = False,
) -> None:
    """Count what documents have in fields: values of texts, ranges of numbers and dates."""
    from esclip._cli.output.facets import print_facets

    with store.open() as index:
        options = place.narrow(index, HitOptions(where=where))
        counted = index.facets(fields or None, options.get("where"), limit)
    print_facets(counted, json=json)
