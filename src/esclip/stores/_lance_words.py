"""The embedded store's searches by words, and by conditions alone.

each word ─► its rows, from the index of words ─► weights added up by row ─► the k best rows ─► hits

Exact: every row that has a word is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from esclip._schema import IndexSchema
from esclip._searches import Listing, Matching
from esclip._types import Hit, ranked
from esclip.stores._lance_filters import filter_sql, quoted
from esclip.stores._lance_rows import WORDS, hit_columns, hit_of
from esclip.stores._word_scores import word_weights

__all__ = ["listed", "matching"]

Rows: TypeAlias = npt.NDArray[np.uint64]
"""Lance's own numbers of rows, shape (n,)."""
Scores: TypeAlias = npt.NDArray[np.float64]

TIES = 10_000
"""So many equally good rows are looked at for the first ids; of more, Lance's first."""

ROUNDING = 1e-12
"""Scores that differ by less are the same weights, added up in another order."""


def matching(dataset: Any, schema: IndexSchema, search: Matching) -> list[Hit]:
    """The hits of a search by words."""
    if WORDS not in dataset.schema.names:  # an index of before, which no ingest has prepared since
        return []
    holders = [_rows(dataset, f"array_has({WORDS}, {quoted(word)})") for word in search.words]
    weights = word_weights(search.words, [len(rows) for rows in holders], dataset.count_rows())
    rows = np.unique(np.concatenate(holders)) if holders else np.empty(0, dtype=np.uint64)
    if search.where and len(rows):
        allowed = _rows(dataset, filter_sql(search.where, {field.name for field in schema.fields}))
        rows = rows[np.isin(rows, allowed)]
    scores = np.zeros(len(rows))
    for word, held in zip(search.words, holders, strict=True):
        scores[np.isin(rows, held)] += weights[word]
    return _hits(dataset, schema, rows, scores, search.k)


def listed(dataset: Any, schema: IndexSchema, search: Listing) -> list[Hit]:
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


def _hits(dataset: Any, schema: IndexSchema, rows: Rows, scores: Scores, k: int) -> list[Hit]:
    """The k best rows, which alone are read; of equally good ones those with the first ids."""
    if len(rows) > k:
        least = np.partition(scores, -k)[-k]
        better = scores > least + ROUNDING
        level = rows[~better & (scores > least - ROUNDING)][:TIES]
        ids = _read(dataset, ["id"], level)
        first = [row["_rowid"] for row in sorted(ids, key=lambda row: row["id"])[: k - better.sum()]]
        chosen = np.isin(rows, first) | better
        rows, scores = rows[chosen], scores[chosen]
    by_row = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    found = _read(dataset, hit_columns(dataset.schema.names), rows)
    return ranked(hit_of(row, by_row[row["_rowid"]], schema.fields) for row in found)


def _read(dataset: Any, columns: Sequence[str], rows: Rows) -> list[dict[str, Any]]:
    if not len(rows):
        return []
    among = f"_rowid IN ({', '.join(map(str, rows.tolist()))})"
    read: list[dict[str, Any]] = dataset.to_table(columns=columns, filter=among, with_row_id=True).to_pylist()
    return read
