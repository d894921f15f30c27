"""The dataset's tables with many rows for a photo: what is kept of them, and told of a photo, in SQL.

Pure text, nothing runs here: `sources.unsplash.joins` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CHILD_TABLES", "ChildTable"]

MOST_COLLECTIONS = 50


@dataclass(frozen=True, slots=True)
class ChildTable:
    """How a child table is read, kept, and summed up for a range of photos."""

    columns: tuple[tuple[str, ...], ...]
    """Those wanted beside `photo_id`, each with the names it has had. Without the first, none is of use."""
    kept: str
    """The columns of the kept rows beside the photo's number `n`."""
    read: str
    """Their values, from the raw ones: text, called c0, c1 ... in the order of `columns`."""
    where: str
    """Which rows are kept."""
    loaded: str
    """What is worked out of all kept rows, once."""
    told: str
    """For each photo from $first to $last: `n`, then values for fields of `PhotoDetails`, by their names."""


KEYWORDS = ChildTable(
    columns=(
        ("keyword",),
        ("ai_service_1_confidence",),
        ("ai_service_2_confidence",),
        ("suggested_by_user",),
        ("confirmed_by_ai_service_3",),
    ),
    kept="keyword VARCHAR, ai_1 DOUBLE, ai_2 DOUBLE, by_user BOOLEAN, confirmed BOOLEAN",
    read="""
        c0,
        CASE WHEN isfinite(TRY_CAST(c1 AS DOUBLE)) THEN TRY_CAST(c1 AS DOUBLE) END AS ai_1,
        CASE WHEN isfinite(TRY_CAST(c2 AS DOUBLE)) THEN TRY_CAST(c2 AS DOUBLE) END AS ai_2,
        coalesce(c3 IN ('t', 'true'), false) AS by_user,
        coalesce(c4 IN ('t', 'true'), false) AS confirmed""",
    # Confidences are percents, or shares of 1 in some releases: which it is shows only when all are read.
    # What is too low on either scale is left out here, the rest when it is told.
    where="by_user OR confirmed OR ai_1 >= $threshold / 100 OR ai_2 >= $threshold / 100",
    loaded="""
        CREATE TABLE keywords_scale AS
        SELECT if(max(ai_1) <= 1, 100, 1) AS of_1, if(max(ai_2) <= 1, 100, 1) AS of_2 FROM keywords""",
    told="""
        WITH usable AS (
            SELECT n, keyword, bool_or(by_user) AS by_user,
                max(greatest(ai_1 * of_1, ai_2 * of_2)) AS confidence
            FROM keywords, keywords_scale WHERE n BETWEEN $first AND $last GROUP BY n, keyword
            HAVING bool_or(by_user) OR bool_or(confirmed)
                OR max(greatest(ai_1 * of_1, ai_2 * of_2)) >= $threshold
        )
        SELECT n,
            coalesce(
                list(keyword ORDER BY confidence DESC NULLS LAST, keyword) FILTER (WHERE by_user),
                list(keyword ORDER BY confidence DESC NULLS LAST, keyword)) AS keywords,
            if(bool_or(by_user), 'user', 'ai') AS keywords_from
        FROM usable GROUP BY n""",
)

COLORS = ChildTable(
    columns=(("keyword",), ("coverage", "ai_coverage")),
    kept="color VARCHAR, coverage DOUBLE",
    read="c0, CASE WHEN isfinite(TRY_CAST(c1 AS DOUBLE)) THEN TRY_CAST(c1 AS DOUBLE) END",
    where="true",
    loaded="",
    # Several shades may go by one name: what counts is how much of the picture has that name.
    told="""
        SELECT n, list(color ORDER BY coverage DESC NULLS LAST, color) AS colors
        FROM (
            SELECT n, color, sum(coverage) AS coverage FROM colors
            WHERE n BETWEEN $first AND $last GROUP BY n, color
        ) GROUP BY n""",
)

COLLECTIONS = ChildTable(
    columns=(("collection_title",), ("collection_type",)),
    kept="title VARCHAR, is_topic BOOLEAN",
    read="c0, coalesce(c1 = 'topic', false)",
    where="true",
    loaded="",
    # Topics are curated by Unsplash, and a title that many collections share says more than a private one.
    told=f"""
        SELECT n, list(title ORDER BY is_topic DESC, times DESC, title)[1:{MOST_COLLECTIONS}] AS collections
        FROM (
            SELECT n, title, bool_or(is_topic) AS is_topic, count(*) AS times FROM collections
            WHERE n BETWEEN $first AND $last GROUP BY n, title
        ) GROUP BY n""",
)

CHILD_TABLES: Mapping[str, ChildTable] = {
    "keywords": KEYWORDS,
    "colors": COLORS,
    "collections": COLLECTIONS,
}
