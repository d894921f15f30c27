"""The options of a comparison: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from esclip._core.options import SEED_OPTION, Opt


class CompareOptions(TypedDict, total=False):
    """Options of a comparison."""

    queries: Annotated[
        int,
        Opt(100, "Queries of each kind, at most: texts, pictures.", minimum=1, maximum=100_000, metavar="N"),
    ]
    k: Annotated[
        int,
        Opt(
            10,
            "Hits of each search that are compared.",
            minimum=1,
            maximum=10_000,
            metavar="N",
            flag="k",
            alias="top",
        ),
    ]
    p: Annotated[
        float,
        Opt(
            0.9,
            "How much later ranks count in rank-biased overlap: each R times as much as the one before.",
            minimum=0.01,
            maximum=0.999,
            metavar="R",
        ),
    ]
    seed: Annotated[int, SEED_OPTION]
