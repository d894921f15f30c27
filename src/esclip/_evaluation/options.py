"""The options of an evaluation: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from esclip._core.options import SEED_OPTION, Opt

FIXED = ("k", "offset", "explain")
"""Options of searches that an evaluation sets itself."""

MIN_USERS = Opt(
    2,
    "Users that downloaded a photo after a search, from which on it counts as relevant.",
    minimum=1,
    maximum=1_000_000,
    metavar="N",
)


class EvaluateOptions(TypedDict, total=False):
    """Options of an evaluation."""

    queries: Annotated[
        int,
        Opt(
            1000,
            "Queries at most, drawn by the seed from those that have judgements; 0: all.",
            minimum=0,
            maximum=100_000_000,
            metavar="N",
        ),
    ]
    seed: Annotated[int, SEED_OPTION]
    indexed_only: Annotated[
        bool,
        Opt(
            False,
            "Leave out judgements of documents that no index compared holds: for a part of a dataset. "
            "Otherwise they count as not found.",
        ),
    ]
