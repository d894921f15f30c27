"""What the dataset's tables say of which photo fits which words: downloads after a search, and keywords.

    conversions ─► keyword, photo, user ─► pairs of keyword and photo, with how many users downloaded it
    keywords ────► keyword, photo ───────► pairs of keyword and photo, of the keywords that people gave

Words are compared without regard to case, blanks and Unicode's forms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esclip._errors import SourceError
from esclip.sources.unsplash.database import open_database
from esclip.sources.unsplash.tables import find_parts

FETCH_ROWS = 10_000
"""Of one call of DuckDB."""

_WORDS = r"trim(regexp_replace(lower(nfc_normalize(keyword)), '\s+', ' ', 'g'))"


@dataclass(frozen=True, slots=True)
class _PairsTable:
    """The SQL that reads a table into rows of `pairs`, and counts them."""

    columns: tuple[tuple[str, ...], ...]
    """Those beside `photo_id`; the first two are required."""
    where: str
    """Which rows count."""


_CONVERSIONS = _PairsTable(
    columns=(("keyword",), ("anonymous_user_id",), ("conversion_type",)),
    where="c1 IS NOT NULL AND coalesce(c2, 'download') = 'download'",
)
_KEYWORDS = _PairsTable(
    columns=(("keyword",), ("suggested_by_user",)),
    where="c1 IN ('t', 'true')",
)


def count_downloads(folder: Path, min_users: int) -> Iterator[tuple[str, str, int]]:
    """Keyword, photo id, and how many users downloaded the photo after they had looked for the keyword.

    Ordered by keyword and id. Pairs of fewer than `min_users` are left out. Raises `SourceError`.
    """
    return _count_pairs(folder, "conversions", _CONVERSIONS, min_users)


def read_user_keywords(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Keyword, photo id, and 1, of the keywords that people gave, by keyword and id. Raises `SourceError`."""
    return _count_pairs(folder, "keywords", _KEYWORDS, 1)


def _count_pairs(folder: Path, name: str, table: _PairsTable, least: int) -> Iterator[tuple[str, str, int]]:
    parts = find_parts(folder, name) if folder.is_dir() else []
    if not parts:
        raise SourceError(f"{folder} has no {name} table; name the folder of an Unsplash dataset")
    for part in parts:
        for names in table.columns[:2]:
            if part.position(*names) is None:
                raise SourceError(f"{part.path} has no column {names[0]}")
    with open_database() as database:
        database.run("CREATE TABLE pairs (keyword VARCHAR, photo_id VARCHAR, person VARCHAR)")
        insertion = (
            "INSERT INTO pairs SELECT c0, photo_id, c1 FROM raw "
            f"WHERE c0 IS NOT NULL AND photo_id IS NOT NULL AND {table.where}"
        )
        database.load(parts, table.columns, insertion)
        # Keywords are normalised once each, which takes longer than to count.
        database.run(
            f"CREATE TABLE keywords AS SELECT keyword, {_WORDS} AS words FROM "
            "(SELECT DISTINCT keyword FROM pairs)"
        )
        counted = database.run(
            "SELECT words, photo_id, count(*) AS persons FROM "
            "(SELECT DISTINCT words, photo_id, person FROM pairs JOIN keywords USING (keyword)) "
            "WHERE words <> '' GROUP BY words, photo_id HAVING persons >= $least ORDER BY words, photo_id",
            least=least,
        )
        while rows := _fetch(counted):
            yield from rows


def _fetch(result: Any) -> Sequence[tuple[str, str, int]]:
    rows: Sequence[tuple[str, str, int]] = result.fetchmany(FETCH_ROWS)
    return rows
