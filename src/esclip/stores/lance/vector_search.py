"""The embedded store's searches. Keyword searches and scans are in `stores.lance.keyword_search`.

vectors in the index, quantized to a byte or less ────┐
all other vectors, unquantized ───────────────────────┴─► nearest rows ─► their vectors ─► hits by true cosine
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from esclip._concurrency.streams import batches
from esclip._core.filter_limits import simplify_searches
from esclip._core.index_settings import BIT
from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip._core.settings import SEARCHES_AT_ONCE
from esclip._core.types import Hit, Vectors, cosines, rank_hits
from esclip.stores.lance.filters import filter_columns, filter_sql
from esclip.stores.lance.keyword_search import keyword_search, read_rows, scan
from esclip.stores.lance.maintenance import (
    IndexThresholds,
    count_partitions,
    is_of_level,
    share_probed,
    vector_indexes,
)
from esclip.stores.lance.rows import hit_columns, read_hit, read_vectors
from esclip.stores.serialization import scored_id

Positions: TypeAlias = npt.NDArray[np.intp]
"""Positions in a table, shape (n,)."""
Scores: TypeAlias = npt.NDArray[np.float64]

REFINE_EXTRA = 10
"""Rows to find beyond k hits, or k more: quantized vectors err a little. Among more nearly equal pictures
than these, the hits' cosines can be 0.0001 below the best ones."""

BIT_EXTRA = 5
"""How many times as many rows beyond k hits are found where a number takes five bits: 60 for 10 hits miss one
of 2,000 that are nearest to texts, and 30 three."""

FEW_ROWS = 10_000
"""Rows that a filter leaves of which an exact search reads the vectors and no others: 20 MB."""

MAX_TIES = 10_000
"""Rows beyond k that are compared to break ties at the last rank by id; beyond them, ties are arbitrary."""


def search_many(
    dataset: Any, schema: IndexSchema, searches: Sequence[Search], thresholds: IndexThresholds
) -> list[list[Hit]]:
    """The hits of each search, of whatever kind; all kNN searches together.

    Raises `ConfigError` for a filter that is too wide or too deep.
    """
    searches = simplify_searches(searches)
    knn_searches = [search for search in searches if isinstance(search, KnnSearch)]
    knn_hits = iter(_knn_many(dataset, schema, knn_searches, thresholds))

    def hits(search: Search) -> list[Hit]:
        match search:
            case KnnSearch():
                return next(knn_hits)
            case KeywordSearch():
                return keyword_search(dataset, schema, search)
            case Scan():
                return scan(dataset, schema, search)
            case _:
                assert_never(search)

    return [hits(search) for search in searches]


def _knn_many(
    dataset: Any, schema: IndexSchema, searches: Sequence[KnnSearch], thresholds: IndexThresholds
) -> list[list[Hit]]:
    """The hits of each search; those that consider equally many vectors are run together."""
    groups: defaultdict[int | None, list[int]] = defaultdict(list)
    for n, search in enumerate(searches):
        groups[search.candidates].append(n)
    hits: dict[int, list[Hit]] = {}
    for candidates, numbers in groups.items():
        probes = _choose_probes(dataset, thresholds, candidates)
        found = _knn_probed(dataset, schema, [searches[n] for n in numbers], probes)
        hits.update(zip(numbers, found, strict=True))
    return [hits[n] for n in range(len(searches))]


def _knn_probed(
    dataset: Any, schema: IndexSchema, searches: Sequence[KnnSearch], probes: _ProbeOptions
) -> list[list[Hit]]:
    """The hits of each search; all vectors are compared where the probed partitions give too few."""
    probed = [n for n, search in enumerate(searches) if not (search.exact or probes is _EXACT)]
    hits: dict[int, list[Hit]] = {}
    for n, batch_hits in zip(
        probed, _knn_batch(dataset, schema, [searches[n] for n in probed], probes), strict=True
    ):
        if len(batch_hits) == searches[n].k or probes.exact:
            hits[n] = batch_hits
    rest = [n for n in range(len(searches)) if n not in hits]
    exact_hits = _knn_batch(dataset, schema, [searches[n] for n in rest], _EXACT)
    hits.update(zip(rest, exact_hits, strict=True))
    return [hits[n] for n in range(len(searches))]


def _knn_batch(
    dataset: Any, schema: IndexSchema, searches: Sequence[KnnSearch], probes: _ProbeOptions
) -> list[list[Hit]]:
    """The hits of each search; searches that differ only in their vectors are run together."""
    groups: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for n, search in enumerate(searches):
        groups[search.where, search.k, search.scores_only].append(n)
    hits: dict[int, list[Hit]] = {}
    for numbers in (batch for group in groups.values() for batch in batches(group, SEARCHES_AT_ONCE)):
        batch_searches = [searches[n] for n in numbers]
        row_count = batch_searches[0].k + probes.extra * max(batch_searches[0].k, REFINE_EXTRA)
        reranked = _knn(dataset, schema, batch_searches, probes, row_count)
        for n, search, result in zip(numbers, batch_searches, reranked, strict=True):
            complete = result.complete or search.scores_only
            hits[n] = result.hits if complete else _break_ties(dataset, schema, search, probes, row_count)
    return [hits[n] for n in range(len(searches))]


class _ProbeOptions(NamedTuple):
    """How to search the vectors."""

    options: dict[str, Any]
    """Arguments of Lance's `nearest`."""
    exact: bool
    """Whether every vector is compared."""
    extra: int = 1
    """How many times as many rows beyond k hits are found."""


_EXACT = _ProbeOptions({"use_index": False}, exact=True)
"""Compare all vectors, read from disk."""


def _choose_probes(dataset: Any, thresholds: IndexThresholds, candidates: int | None) -> _ProbeOptions:
    """Probe a share of the partitions, the nearest ones: so many that they hold the candidates, if given."""
    indexes = vector_indexes(dataset)
    if not indexes:
        return _EXACT
    partitions = max(count_partitions(index) for index in indexes)
    extra = BIT_EXTRA if any(is_of_level(index, BIT) for index in indexes) else 1
    rows = dataset.count_rows()
    share = share_probed(rows, thresholds) if candidates is None else min(1.0, candidates / max(1, rows))
    probed = math.ceil(partitions * share)
    return _ProbeOptions({"nprobes": probed}, probed == partitions, extra)


class _Reranked(NamedTuple):
    hits: list[Hit]
    complete: bool
    """Whether no row that was not retrieved is as near as the last hit."""


def _knn(
    dataset: Any, schema: IndexSchema, searches: Sequence[KnnSearch], probes: _ProbeOptions, row_count: int
) -> list[_Reranked]:
    """The hits of searches that differ only in their vectors, reranked by true cosine."""
    columns = ["id"] if searches[0].scores_only else hit_columns(dataset.schema.names)
    table = _nearest_rows(dataset, schema, searches, probes, row_count, columns)
    vectors = read_vectors(table, schema)
    query_numbers = (
        table["query_index"].to_numpy() if len(searches) > 1 else np.zeros(len(vectors), dtype=int)
    )
    hit_table = table.select(columns)
    positions = (np.flatnonzero(query_numbers == n) for n in range(len(searches)))
    return [
        _rerank(hit_table.take(rows), cosines(vectors[rows], search.vector), search, schema, row_count)
        for search, rows in zip(searches, positions, strict=True)
    ]


def _rerank(table: Any, scores: Scores, search: KnnSearch, schema: IndexSchema, row_count: int) -> _Reranked:
    """The k best of the retrieved rows; only these are read."""
    best, complete = _best_positions(table, scores, search.k, row_count)
    rows = zip(table.take(best).to_pylist(), scores[best].tolist(), strict=True)
    hits = [
        scored_id(row["id"], score) if search.scores_only else read_hit(row, score, schema.fields)
        for row, score in rows
    ]
    return _Reranked(rank_hits(hits), complete)


def _break_ties(
    dataset: Any, schema: IndexSchema, search: KnnSearch, probes: _ProbeOptions, row_count: int
) -> list[Hit]:
    """The hits of a search whose last hits are as near as many other rows: those with the first ids.

    Retrieves only ids and vectors of more and more rows, and reads the rest of the hits.
    """
    complete = False
    while not complete and row_count < search.k + MAX_TIES:
        row_count = min(16 * row_count, search.k + MAX_TIES)
        table = _nearest_rows(dataset, schema, [search], probes, row_count, ["id"])
        scores = cosines(read_vectors(table, schema), search.vector)
        best, complete = _best_positions(table, scores, search.k, row_count)
    score_by_row = dict(zip(table["_rowid"].to_numpy()[best].tolist(), scores[best].tolist(), strict=True))
    rows = read_rows(dataset, hit_columns(dataset.schema.names), list(score_by_row))
    return rank_hits(read_hit(row, score_by_row[row["_rowid"]], schema.fields) for row in rows)


def _nearest_rows(
    dataset: Any,
    schema: IndexSchema,
    searches: Sequence[KnnSearch],
    probes: _ProbeOptions,
    row_count: int,
    columns: Sequence[str],
) -> Any:
    """The nearest rows of each search's vector, with their own vectors and Lance's row numbers."""
    queries = np.stack([search.vector for search in searches])
    test = filter_sql(searches[0].where, filter_columns(dataset, schema))
    if probes is _EXACT and test and dataset.count_rows(test) <= FEW_ROWS:
        return _nearest_of_few(dataset, schema, queries, test, row_count, columns)
    return dataset.to_table(
        columns=[*columns, "vector", "_distance"],
        filter=test,
        prefilter=True,
        nearest={
            "column": "vector",
            "q": queries if len(searches) > 1 else queries[0],
            "k": row_count,
            "metric": "cosine",
            **probes.options,
        },
        with_row_id=True,
    )


def _nearest_of_few(
    dataset: Any, schema: IndexSchema, queries: Vectors, test: str, row_count: int, columns: Sequence[str]
) -> Any:
    """The same by reading the vectors of the rows that a filter leaves: Lance would read those of all."""
    table = dataset.to_table(columns=[*columns, "vector"], filter=test, with_row_id=True)
    nearness = queries @ read_vectors(table, schema).T
    row_count = min(row_count, table.num_rows)
    nearest = np.argpartition(-nearness, row_count - 1, axis=1)[:, :row_count] if row_count else nearness
    rows = table.take(nearest.ravel().astype(np.int64))
    numbers = np.repeat(np.arange(len(queries), dtype=np.int32), row_count)
    return rows.append_column("query_index", pa.array(numbers))


def _best_positions(table: Any, scores: Scores, k: int, row_count: int) -> tuple[Positions, bool]:
    """The positions of the k best rows, ties by id, and whether no other row can be as near as the last."""
    last_score = np.sort(scores)[-k:].min(initial=1)
    candidates = np.flatnonzero(scores >= last_score)
    ids = table["id"].take(candidates).to_pylist()
    best = sorted(zip((-scores[candidates]).tolist(), ids, candidates.tolist(), strict=True))[:k]
    positions = np.array([position for _, _, position in best], dtype=np.intp)
    return positions, len(scores) < row_count or len(candidates) < len(scores)
