"""The options of commands that search."""

from __future__ import annotations

from typing import Annotated

import typer

from esclip._cli.options import several
from esclip._core.bounds import COSINES, HYBRID_WEIGHTS, KS, OFFSETS, RELEVANCES, THRESHOLDS, WINDOWS
from esclip._core.targets import TARGETS
from esclip._errors import ConfigError

__all__ = [
    "Collapse",
    "Exact",
    "Explain",
    "Hybrid",
    "K",
    "MinRelevance",
    "MinScore",
    "Offset",
    "Targets",
    "Where",
    "Window",
    "filters",
]


def filters(where: list[str] | None) -> list[str] | None:
    """Filters that can be read; others are wrong usage."""
    from esclip._search.filter_parser import check_syntax

    try:
        check_syntax(where or ())
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    return where


Offset = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=OFFSETS.least,
        max=OFFSETS.most,
        help="Pass over the first N hits: the next page.",
    ),
]
MinScore = Annotated[
    float,
    typer.Option(metavar="S", min=COSINES.least, max=COSINES.most, help="Leave out hits with a lower score."),
]
Exact = Annotated[
    bool,
    typer.Option("--exact", help="Compare every vector, without the vector index: slow, and nothing missed."),
]
Window = Annotated[
    int,
    typer.Option(
        "--window",
        metavar="N",
        min=WINDOWS.least,
        max=WINDOWS.most,
        help="How many of the best by vector and by words are fused, where both are asked for.",
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say of each hit what its parts add, and its rank by each.")
]
Collapse = Annotated[
    float | None,
    typer.Option(
        metavar="COSINE",
        min=THRESHOLDS.least,
        max=THRESHOLDS.most,
        help="Fold hits into a better one that they have this cosine with: 0.95 for near-duplicates.",
        show_default=False,
    ),
]
MinRelevance = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        min=RELEVANCES.least,
        max=RELEVANCES.most,
        help="Leave out hits with a lower relevance: from 0.5 on they are more than chance.",
        show_default=False,
    ),
]
Hybrid = Annotated[
    float,
    typer.Option(
        metavar="WEIGHT",
        min=HYBRID_WEIGHTS.least,
        max=HYBRID_WEIGHTS.most,
        help="Look for the words in descriptions, keywords, places and names as well; at 1 they count as "
        "much as what the picture shows.",
    ),
]
K = Annotated[int, typer.Option("-k", metavar="N", min=KS.least, max=KS.most, help="Hits.")]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        callback=filters,
        help="Only documents like this: country=Norway,Sweden 'width>=4000' 'submitted_at=2020' '!colors=red'"
        " 'exists(point)' 'near(point, 59.91, 10.75, 50km)', joined by & and |; repeatable: all must hold.",
        show_default=False,
    ),
]
Targets = Annotated[
    str,
    typer.Option(
        "--in",
        metavar="KIND,...",
        callback=several(TARGETS),
        help="Where to look: pictures, captions, crops.",
    ),
]
