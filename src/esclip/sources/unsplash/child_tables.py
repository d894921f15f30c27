"""The dataset's tables with many rows per photo: which columns are stored, and the queries per photo, in SQL.

Text only: `sources.unsplash.joins` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAX_COLLECTIONS = 50


@dataclass(frozen=True, slots=True)
class ChildTable:
    """The SQL that reads, stores and aggregates a child table."""

    columns: tuple[tuple[str, ...], ...]
    """The columns used beside `photo_id`, each with its names in all releases. The first is required."""
    stored_columns: str
    """The columns of the stored rows, beside the photo's number `n`."""
    stored_values: str
    """Their values, from the raw texts c0, c1 ... in the order of `columns`."""
    where: str
    """Which rows are stored."""
    after_load: str
    """A statement to run once, when all rows are stored."""
    details: str
    """A query for the photos $first to $last: `n`, then columns named like the fields of `PhotoDetails`."""


KEYWORDS = ChildTable(
    columns=(
        ("keyword",),
        ("ai_service_1_confidence",),
        ("ai_service_2_confidence",),
        ("suggested_by_user",),
        ("confirmed_by_ai_service_3",),
    ),
    stored_columns="keyword VARCHAR, ai_1 DOUBLE, ai_2 DOUBLE, by_user BOOLEAN, confirmed BOOLEAN",
    stored_values="""
        c0,
        CASE WHEN isfinite(TRY_CAST(c1 AS DOUBLE)) THEN TRY_CAST(c1 AS DOUBLE) END AS ai_1,
        CASE WHEN isfinite(TRY_CAST(c2 AS DOUBLE)) THEN TRY_CAST(c2 AS DOUBLE) END AS ai_2,
        coalesce(c3 IN ('t', 'true'), false) AS by_user,
        coalesce(c4 IN ('t', 'true'), false) AS confirmed""",
    # Confidences are percents, or in some releases from 0 to 1: the maximum tells which. What is too low on
    # either scale is left out here, the rest by `details`.
    where="by_user OR confirmed OR ai_1 >= $threshold / 100 OR ai_2 >= $threshold / 100",
    after_load="""
        CREATE TABLE keywords_scale AS
        SELECT if(max(ai_1) <= 1, 100, 1) AS of_1, if(max(ai_2) <= 1, 100, 1) AS of_2 FROM keywords""",
    details="""
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
    stored_columns="color VARCHAR, coverage DOUBLE",
    stored_values="c0, CASE WHEN isfinite(TRY_CAST(c1 AS DOUBLE)) THEN TRY_CAST(c1 AS DOUBLE) END",
    where="true",
    after_load="",
    # Several shades may have one name: their coverage is added up.
    details="""
        SELECT n, list(color ORDER BY coverage DESC NULLS LAST, color) AS colors
        FROM (
            SELECT n, color, sum(coverage) AS coverage FROM colors
            WHERE n BETWEEN $first AND $last GROUP BY n, color
        ) GROUP BY n""",
)

COLLECTIONS = ChildTable(
    columns=(("collection_title",), ("collection_type",)),
    stored_columns="title VARCHAR, is_topic BOOLEAN",
    stored_values="c0, coalesce(c1 = 'topic', false)",
    where="true",
    after_load="",
    # Topics are curated by Unsplash; a title that many collections share says more than a private one.
    details=f"""
        SELECT n, list(title ORDER BY is_topic DESC, times DESC, title)[1:{MAX_COLLECTIONS}] AS collections
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
