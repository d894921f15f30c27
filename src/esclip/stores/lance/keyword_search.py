"""The embedded store's keyword searches and scans.

each word ─► its rows, from the index of words ─► weights added up by row ─► the k best rows ─► hits

Exact: every row that has a word is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from lance.dataset import ColumnOrdering

from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, Scan
from esclip._core.types import Hit, number_hits, rank_hits
from esclip.stores.idf import idf_weights, score_hit
from esclip.stores.lance.filters import filter_columns, filter_sql, has_word_sql, quote
from esclip.stores.lance.rows import WORDS, hit_columns, read_hit

RowIds: TypeAlias = npt.NDArray[np.uint64]
"""Lance's row numbers, shape (n,)."""
Scores: TypeAlias = npt.NDArray[np.float64]

MAX_TIES = 10_000
"""Equally good rows that are compared to break ties at the last rank by id; further ones are left out."""

ROUNDING = 1e-12
"""Scores that differ by less are sums of the same weights in another order."""


def keyword_search(dataset: Any, schema: IndexSchema, search: KeywordSearch) -> list[Hit]:
    """The hits of a keyword search."""
    if WORDS not in dataset.schema.names:  # made by an older version, and no ingest since
        return []
    forms = {word: [word, *([search.former[word]] if word in search.former else [])] for word in search.words}
    rows_by_word = {word: _row_ids(dataset, has_word_sql(word_forms)) for word, word_forms in forms.items()}
    weights = idf_weights(search.words, [len(rows) for rows in rows_by_word.values()], dataset.count_rows())
    rows = np.unique(np.concatenate(list(rows_by_word.values())))
    if search.where and len(rows):
        allowed = _row_ids(dataset, filter_sql(search.where, filter_columns(dataset, schema)))
        rows = rows[np.isin(rows, allowed)]
    scores = np.zeros(len(rows))
    for word, word_rows in rows_by_word.items():
        scores[np.isin(rows, word_rows)] += weights[word]
    best = _best_rows(dataset, rows, scores, search.k)
    best_by_word = {word: set(rows[np.isin(rows, best)].tolist()) for word, rows in rows_by_word.items()}

    def hit(row: dict[str, Any]) -> Hit:
        words = [word for word, rows in best_by_word.items() if row["_rowid"] in rows]
        return score_hit(read_hit(row, 0.0, schema.fields), weights, words)

    return rank_hits(map(hit, read_rows(dataset, hit_columns(dataset.schema.names), best.tolist())))


def scan(dataset: Any, schema: IndexSchema, search: Scan) -> list[Hit]:
    """The hits of a search by conditions alone."""
    order = search.order
    ordering = [ColumnOrdering("id")]
    if order and order.field.name in dataset.schema.names:  # else no document has a value
        ordering.insert(0, ColumnOrdering(order.field.name, ascending=not order.descending))
    # not `id`: its index would name all rows that come after, which takes twice as long as to read them
    tests = [f"concat(id, '') > {quote(search.after)}"] if search.after else []
    if search.where:
        tests.append(filter_sql(search.where, filter_columns(dataset, schema)) or "")
    table = dataset.scanner(
        columns=hit_columns(dataset.schema.names),
        filter=" AND ".join(tests) or None,
        order_by=ordering,
        with_row_id=True,  # by which Lance reads the columns of those that are left
        limit=search.k,
    ).to_table()
    return number_hits(read_hit(row, 1.0, schema.fields) for row in table.to_pylist())


def read_rows(dataset: Any, columns: Sequence[str], row_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Some columns of these rows, and `_rowid`, in any order."""
    if not row_ids:
        return []
    condition = f"_rowid IN ({', '.join(map(str, row_ids))})"
    rows: list[dict[str, Any]] = dataset.to_table(
        columns=columns, filter=condition, with_row_id=True
    ).to_pylist()
    return rows


def _row_ids(dataset: Any, where: str | None) -> RowIds:
    """The numbers of the rows for which SQL is true."""
    row_ids: RowIds = dataset.to_table(columns=[], filter=where, with_row_id=True)["_rowid"].to_numpy()
    return row_ids


def _best_rows(dataset: Any, rows: RowIds, scores: Scores, k: int) -> RowIds:
    """The k best rows, ties by id; only the ids of tied rows are read."""
    if len(rows) <= k:
        return rows
    last_score = np.partition(scores, -k)[-k]
    better = scores > last_score + ROUNDING
    tied = rows[~better & (scores > last_score - ROUNDING)][:MAX_TIES]
    tied_by_id = sorted(read_rows(dataset, ["id"], tied.tolist()), key=lambda row: row["id"])
    first = [row["_rowid"] for row in tied_by_id[: k - int(better.sum())]]
    return np.concatenate([rows[better], np.array(first, dtype=rows.dtype)])
