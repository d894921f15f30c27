"""The embedded store's searches by words, and by conditions alone.

each word ─► its rows, from the index of words ─► weights added up by row ─► the k best rows ─► hits

Exact: every row that has a word is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, Scan
from esclip._core.types import Hit, ranked
from esclip.stores.idf import idf_weights, score_hit
from esclip.stores.lance.filters import filter_sql, quoted
from esclip.stores.lance.rows import WORDS, hit_columns, hit_of

__all__ = ["listed", "matching", "read_rows"]

Rows: TypeAlias = npt.NDArray[np.uint64]
"""Lance's own numbers of rows, shape (n,)."""
Scores: TypeAlias = npt.NDArray[np.float64]

MAX_TIES = 10_000
"""So many equally good rows are looked at for the first ids; of more, Lance's first."""

ROUNDING = 1e-12
"""Scores that differ by less are the same weights, added up in another order."""


def matching(dataset: Any, schema: IndexSchema, search: KeywordSearch) -> list[Hit]:
    """The hits of a search by words."""
    if WORDS not in dataset.schema.names:  # an index of before, which no ingest has prepared since
        return []
    forms = {word: [word, *([search.former[word]] if word in search.former else [])] for word in search.words}
    holders = {word: _rows(dataset, _has_one(several)) for word, several in forms.items()}
    weights = idf_weights(search.words, [len(rows) for rows in holders.values()], dataset.count_rows())
    rows = np.unique(np.concatenate(list(holders.values())))
    if search.where and len(rows):
        allowed = _rows(dataset, filter_sql(search.where, {field.name for field in schema.fields}))
        rows = rows[np.isin(rows, allowed)]
    scores = np.zeros(len(rows))
    for word, held in holders.items():
        scores[np.isin(rows, held)] += weights[word]
    best = _best(dataset, rows, scores, search.k)
    having = {word: set(held[np.isin(held, best)].tolist()) for word, held in holders.items()}

    def hit(row: dict[str, Any]) -> Hit:
        words = [word for word, rows in having.items() if row["_rowid"] in rows]
        return score_hit(hit_of(row, 0.0, schema.fields), weights, words)

    return ranked(map(hit, read_rows(dataset, hit_columns(dataset.schema.names), best.tolist())))


def _has_one(words: Sequence[str]) -> str:
    return " OR ".join(f"array_has({WORDS}, {quoted(word)})" for word in words)


def listed(dataset: Any, schema: IndexSchema, search: Scan) -> list[Hit]:
    """The hits of a search by conditions alone."""
    tests = [f"id > {quoted(search.after)}"] if search.after else []
    if search.where:
        tests.append(filter_sql(search.where, {field.name for field in schema.fields}) or "")
    table = dataset.scanner(
        columns=hit_columns(dataset.schema.names),
        filter=" AND ".join(tests) or None,
        order_by=["id"],
        limit=search.k,
    ).to_table()
    return ranked(hit_of(row, 1.0, schema.fields) for row in table.to_pylist())


def _rows(dataset: Any, where: str | None) -> Rows:
    """The rows that fulfil SQL, by Lance's own numbers."""
    table = dataset.to_table(columns=[], filter=where, with_row_id=True)
    rows: Rows = table["_rowid"].to_numpy()
    return rows


def _best(dataset: Any, rows: Rows, scores: Scores, k: int) -> Rows:
    """The k best rows; of equally good ones, those with the first ids, which alone are read for it."""
    if len(rows) <= k:
        return rows
    least = np.partition(scores, -k)[-k]
    better = scores > least + ROUNDING
    level = rows[~better & (scores > least - ROUNDING)][:MAX_TIES]
    by_id = sorted(read_rows(dataset, ["id"], level.tolist()), key=lambda row: row["id"])
    first = [row["_rowid"] for row in by_id[: k - int(better.sum())]]
    return np.concatenate([rows[better], np.array(first, dtype=rows.dtype)])


def read_rows(dataset: Any, columns: Sequence[str], rows: Sequence[int]) -> list[dict[str, Any]]:
    """Some columns of these rows, and `_rowid`, in any order."""
    if not rows:
        return []
    among = f"_rowid IN ({', '.join(map(str, rows))})"
    read: list[dict[str, Any]] = dataset.to_table(columns=columns, filter=among, with_row_id=True).to_pylist()
    return read
