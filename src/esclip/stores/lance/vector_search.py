"""The embedded store's searches; those by words and by conditions alone are in `stores.lance.keyword_search`.

vectors in the index, rounded to a byte a number ─┐
all other vectors, as they are ───────────────────┴─► nearest rows ─► their vectors ─► hits by true cosine
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, assert_never

import numpy as np
import numpy.typing as npt

from esclip._concurrency.streams import batches
from esclip._core.filter_limits import simplify_searches
from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip._core.settings import SEARCHES_AT_ONCE
from esclip._core.types import Hit, cosines, ranked
from esclip.stores.lance.filters import filter_sql
from esclip.stores.lance.keyword_search import listed, matching, read_rows
from esclip.stores.lance.maintenance import IndexThresholds, partitions_of, vector_indexes
from esclip.stores.lance.rows import hit_columns, hit_of, read_vectors
from esclip.stores.serialization import score_hit

__all__ = ["found"]

Rows: TypeAlias = npt.NDArray[np.intp]
"""Places in a table, shape (n,)."""
Scores: TypeAlias = npt.NDArray[np.float64]

REFINE_EXTRA = 10
"""Rows to find beyond k hits, or k more: an index keeps a byte of each number, and errs a little. Among more
nearly equal pictures than these, the hits' cosines can be 0.0001 below the best ones."""

MAX_TIES = 10_000
"""Where the last of so many rows is as near as the last hit, others may be too, and not all are looked at."""


def found(
    dataset: Any, schema: IndexSchema, searches: Sequence[Search], scale: IndexThresholds
) -> list[list[Hit]]:
    """The hits of each search, of whatever kind; all kNN searches at once.

    Raises `ConfigError` for a filter that is too wide or too deep.
    """
    searches = simplify_searches(searches)
    near = iter(_nearest(dataset, schema, [one for one in searches if isinstance(one, KnnSearch)], scale))

    def hits(search: Search) -> list[Hit]:
        match search:
            case KnnSearch():
                return next(near)
            case KeywordSearch():
                return matching(dataset, schema, search)
            case Scan():
                return listed(dataset, schema, search)
            case _:
                assert_never(search)

    return [hits(search) for search in searches]


def _nearest(
    dataset: Any, schema: IndexSchema, searches: Sequence[KnnSearch], scale: IndexThresholds
) -> list[list[Hit]]:
    """The hits of each search; all vectors are compared where the probed ones give too few."""
    probes = _probe(dataset, scale)
    hasty = [number for number, search in enumerate(searches) if not (search.exact or probes is _EXACT)]
    found: dict[int, list[Hit]] = {}
    for number, hits in zip(
        hasty, _found(dataset, schema, [searches[n] for n in hasty], probes), strict=True
    ):
        if len(hits) == searches[number].k or probes.exact:
            found[number] = hits
    left = [number for number in range(len(searches)) if number not in found]
    exact = _found(dataset, schema, [searches[number] for number in left], _EXACT)
    found.update(zip(left, exact, strict=True))
    return [found[number] for number in range(len(searches))]


def _found(
    dataset: Any, schema: IndexSchema, searches: Sequence[KnnSearch], probes: _ProbeOptions
) -> list[list[Hit]]:
    """The hits of each search; those that differ in their vectors only are asked together."""
    alike: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for number, search in enumerate(searches):
        alike[search.where, search.k, search.scores_only].append(number)
    found: dict[int, list[Hit]] = {}
    for numbers in (some for of_one in alike.values() for some in batches(of_one, SEARCHES_AT_ONCE)):
        together = [searches[number] for number in numbers]
        rows = together[0].k + max(together[0].k, REFINE_EXTRA)
        for number, best in zip(numbers, _find(dataset, schema, together, probes, rows), strict=True):
            whole = best.whole or best.search.scores_only
            found[number] = best.hits if whole else _among_many(dataset, schema, best.search, probes, rows)
    return [found[number] for number in range(len(searches))]


class _ProbeOptions(NamedTuple):
    """How to search the vectors."""

    options: dict[str, Any]
    """For Lance's `nearest`."""
    exact: bool
    """Whether no vector is passed over."""


_EXACT = _ProbeOptions({"use_index": False}, exact=True)
"""Compare all vectors, read from disk."""


def _probe(dataset: Any, scale: IndexThresholds) -> _ProbeOptions:
    """How a search should go about the dataset as it is now."""
    partitions = max((partitions_of(index) for index in vector_indexes(dataset)), default=0)
    if partitions == 0:
        return _EXACT
    probed = math.ceil(partitions * min(1, scale.probed / max(1, dataset.count_rows())))
    return _ProbeOptions({"nprobes": probed}, exact=probed == partitions)


def _find(
    dataset: Any, schema: IndexSchema, searches: Sequence[KnnSearch], probes: _ProbeOptions, rows: int
) -> list[_Reranked]:
    """For searches that differ in nothing but their vectors: the nearest rows, by true cosine."""
    columns = ["id"] if searches[0].scores_only else hit_columns(dataset.schema.names)
    table = _near(dataset, schema, searches, probes, rows, columns)
    vectors = read_vectors(table, schema)
    asked = table["query_index"].to_numpy() if len(searches) > 1 else np.zeros(len(vectors), dtype=int)
    read = table.select(columns)
    found = (np.flatnonzero(asked == number) for number in range(len(searches)))
    return [
        _best(read.take(some), cosines(vectors[some], search.vector), search, schema, rows)
        for search, some in zip(searches, found, strict=True)
    ]


class _Reranked(NamedTuple):
    search: KnnSearch
    hits: list[Hit]
    whole: bool
    """Whether no row that was not found is as near as the last hit."""


def _best(table: Any, scores: Scores, search: KnnSearch, schema: IndexSchema, rows: int) -> _Reranked:
    """The k best of the found rows; only they are read."""
    kept, whole = _first(table, scores, search.k, rows)
    read = zip(table.take(kept).to_pylist(), scores[kept].tolist(), strict=True)
    hits = [
        score_hit(row["id"], score) if search.scores_only else hit_of(row, score, schema.fields)
        for row, score in read
    ]
    return _Reranked(search, ranked(hits), whole)


def _among_many(
    dataset: Any, schema: IndexSchema, search: KnnSearch, probes: _ProbeOptions, rows: int
) -> list[Hit]:
    """The hits of a search whose last ones are as near as many others: those with the first ids.

    Only their ids and vectors are looked at, of more and more rows; and what the hits are made of is read.
    """
    whole = False
    while not whole and rows < search.k + MAX_TIES:
        rows = min(16 * rows, search.k + MAX_TIES)
        table = _near(dataset, schema, [search], probes, rows, ["id"])
        scores = cosines(read_vectors(table, schema), search.vector)
        kept, whole = _first(table, scores, search.k, rows)
    by_row = dict(zip(table["_rowid"].to_numpy()[kept].tolist(), scores[kept].tolist(), strict=True))
    read = read_rows(dataset, hit_columns(dataset.schema.names), list(by_row))
    return ranked(hit_of(row, by_row[row["_rowid"]], schema.fields) for row in read)


def _near(
    dataset: Any,
    schema: IndexSchema,
    searches: Sequence[KnnSearch],
    probes: _ProbeOptions,
    rows: int,
    columns: Sequence[str],
) -> Any:
    """So many rows near to each search's vector, with their own vectors and Lance's numbers."""
    queries = np.stack([search.vector for search in searches])
    return dataset.to_table(
        columns=[*columns, "vector", "_distance"],
        filter=filter_sql(searches[0].where, {field.name for field in schema.fields}),
        prefilter=True,
        nearest={
            "column": "vector",
            "q": queries if len(searches) > 1 else queries[0],
            "k": rows,
            "metric": "cosine",
            **probes.options,
        },
        with_row_id=True,
    )


def _first(table: Any, scores: Scores, k: int, rows: int) -> tuple[Rows, bool]:
    """Where the k best of the found rows are, of equally good ones those with the first ids.

    And whether that is all there is to know: no row that was not found is as near as the last of them.
    """
    last = np.sort(scores)[-k:].min(initial=1)
    level = np.flatnonzero(scores >= last)
    ids = table["id"].take(level).to_pylist()
    best = sorted(zip((-scores[level]).tolist(), ids, level.tolist(), strict=True))[:k]
    kept = np.array([at for _, _, at in best], dtype=np.intp)
    return kept, len(scores) < rows or len(level) < len(scores)
