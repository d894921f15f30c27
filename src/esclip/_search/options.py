"""The options of searches: their one declaration (`_core/options.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias, TypedDict

from esclip._core.options import CANDIDATES_OPTION, MAX_WEIGHT, MIN_THRESHOLD, Opt, Panel
from esclip._core.settings import DEFAULT_K, DUPLICATE, RANK_WINDOW_SIZE
from esclip._core.targets import TARGETS

Where: TypeAlias = str | Iterable[str] | Mapping[str, Any]
"""An expression, several that must all hold, or values by field name, of which one must be equal."""

PEEK = Opt(DEFAULT_K, "Documents.", minimum=1, maximum=10_000, metavar="N")

THRESHOLD = Opt(
    DUPLICATE, "Of pictures that are nearly the same.", minimum=MIN_THRESHOLD, maximum=1.0, metavar="COSINE"
)


K = Opt(DEFAULT_K, "Hits.", minimum=1, maximum=1_000_000, metavar="N", flag="k", alias="top")
"""All hits of a search are in memory."""


FACET_VALUES = Opt(20, "Values of each field, the most frequent ones.", minimum=1, maximum=1000, metavar="N")

RELEVANCE = "relevance"
"""The order by score."""


class HitOptions(TypedDict, total=False):
    """Options that the methods which search take by position, too."""

    k: Annotated[int, K]
    where: Annotated[
        Where | None,
        Opt(
            None,
            "Only documents like this: country=Norway,Sweden 'file_name=IMG*' 'width>=4000' "
            "'submitted_at=2020' '!colors=red' 'words~snow dog' 'exists(point)' "
            "'near(point, 59.91, 10.75, 50km)', joined by & and |; repeatable: all must hold.",
            metavar="FILTER",
        ),
    ]


class SearchOptions(TypedDict, total=False):
    """Options of all searches."""

    offset: Annotated[
        int,
        Opt(0, "Pass over the first N hits: the next page.", minimum=0, maximum=1_000_000_000, metavar="N"),
    ]
    min_score: Annotated[
        float, Opt(-1.0, "Leave out hits with a lower score.", minimum=-1.0, maximum=1.0, metavar="S")
    ]
    targets: Annotated[
        Sequence[str] | None,
        Opt(
            None,
            "Where to look: pictures, captions, crops, texts. [default: pictures, and texts where there are "
            "any]",
            choices=TARGETS,
            metavar="KIND,...",
            flag="in",
        ),
    ]
    sort: Annotated[
        str,
        Opt(
            RELEVANCE,
            "Order by a field: a date, a number or a keyword; -FIELD from the highest on. Of a search, the "
            "hits of the lowest score or relevance that is asked for are ordered, else the best of the "
            "window; of a filter alone, all documents.",
            metavar="FIELD",
        ),
    ]
    exact: Annotated[
        bool,
        Opt(
            False,
            "Compare every vector, without the vector index: slow, and nothing missed.",
            panel=Panel.TUNING,
        ),
    ]
    candidates: Annotated[int | None, CANDIDATES_OPTION]
    rank_window_size: Annotated[
        int,
        Opt(
            RANK_WINDOW_SIZE,
            "How many of the best by vector and by words are fused, where both are asked for.",
            minimum=1,
            maximum=1_000_000,
            metavar="N",
            flag="window",
            panel=Panel.TUNING,
        ),
    ]
    explain: Annotated[
        bool, Opt(False, "Say of each hit what its parts add, and its rank by each.", panel=Panel.OUTPUT)
    ]
    collapse: Annotated[
        float | None,
        Opt(
            None,
            "Fold hits into a better one that they have this cosine with: 0.95 for near-duplicates.",
            minimum=MIN_THRESHOLD,
            maximum=1.0,
            metavar="COSINE",
        ),
    ]
    min_relevance: Annotated[
        float | None,
        Opt(
            None,
            "Leave out hits with a lower relevance: from 0.5 on they are more than chance.",
            minimum=0.0,
            maximum=0.999,
            metavar="R",
        ),
    ]


class TextSearchOptions(SearchOptions, total=False):
    """Options of searches by text."""

    hybrid: Annotated[
        float,
        Opt(
            0.0,
            "Look for the words in descriptions, keywords, places and names as well; at 1 they count as "
            "much as what the picture shows.",
            minimum=0.0,
            maximum=MAX_WEIGHT,
            metavar="WEIGHT",
        ),
    ]


class QueryOptions(HitOptions, SearchOptions, total=False):
    """Options of a `Query`."""


class TextQueryOptions(HitOptions, TextSearchOptions, total=False):
    """All options of a search by text."""
