"""The options of an audit: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from typing import Annotated, TypedDict

from esclip._core.options import CANDIDATES_OPTION, SEED_OPTION, Opt

WHOLE = 200_000
"""Pictures up to which all are compared; of more, as many are drawn."""

TARGET = Opt(
    None,
    "Exit with status 1 where a recall is below this, such as 0.95.",
    minimum=0.0,
    maximum=1.0,
    metavar="R",
)


class AuditOptions(TypedDict, total=False):
    """Options of an audit."""

    queries: Annotated[
        int,
        Opt(100, "Queries of each kind, at most: texts, pictures.", minimum=1, maximum=100_000, metavar="N"),
    ]
    sample: Annotated[
        int | None,
        Opt(
            None,
            "Pictures that the hits are compared with, drawn by a hash of their ids; 0: all. "
            f"[default: all up to {WHOLE:,}, else {WHOLE:,}]",
            minimum=0,
            maximum=1_000_000_000,
            metavar="N",
        ),
    ]
    seed: Annotated[int, SEED_OPTION]
    candidates: Annotated[int | None, CANDIDATES_OPTION]
