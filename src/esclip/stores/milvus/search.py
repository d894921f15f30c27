"""Searches in Milvus.

KnnSearch      nearest rows by the server's index ─► true cosines of their vectors ─► ties by id
               all vectors, read and compared here, where that gives too few, or a search is exact or deep
KeywordSearch  rows with all of the words, then with those that weigh most together, until there are enough
Scan           rows in the order of ids; by a field: ids and values of all, ordered here
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import chain, combinations
from typing import Any, NamedTuple, assert_never

from esclip._concurrency.streams import batches
from esclip._core.filter_limits import simplify_searches
from esclip._core.filters import Condition
from esclip._core.ordering import order_hits
from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Order, Scan, Search
from esclip._core.types import Hit, cosines, number_hits, rank_hits
from esclip._errors import IndexMismatch
from esclip.stores.idf import idf_weights, score_hit
from esclip.stores.milvus.client import MilvusConnection
from esclip.stores.milvus.filters import as_argument, both, compile_expression, words_expression
from esclip.stores.milvus.reads import (
    MAX_ROWS,
    VECTOR_ROWS,
    Row,
    count_rows,
    iter_matching,
    iter_rows,
    matching_rows,
    read_by_id,
)
from esclip.stores.milvus.rows import hit_columns, metadata_keys, read_hit, read_vectors
from esclip.stores.serialization import scored_id

MAX_ANSWER = 32 << 20
"""Bytes of one answer: servers send 64 MB at most."""

OTHER_BYTES = 1_024
"""Of a hit in an answer, beside its vector."""

EXTRA = 16
"""Rows beyond k that are retrieved, among which ties at the last rank are broken by id."""

DEEPER = 8
"""How many times as many rows are retrieved where these were too few."""

ROUNDING = 1e-6
"""How far a server's score may be from the true cosine."""

MAX_RANKED_WORDS = 4
"""Words of a query whose rows are asked for by their score, of which there are 15 at most with four."""

FEW_ROWS = 500
"""Rows with a word that are read all, whatever their score."""

SAME_SCORE = 12
"""Digits of scores that differ by the order in which weights were added up alone."""

EF = 600
"""Candidates of a search in HNSW's graph, as in the engines'; no fewer than the rows that are retrieved."""


def search_many(
    connection: MilvusConnection, schema: IndexSchema, searches: Sequence[Search]
) -> list[list[Hit]]:
    """The hits of each search.

    Raises `IndexMismatch` for a vector of another dimension than the index's, `ConfigError` for a filter
    that is too wide or too deep, and what the connection raises.
    """
    searches = simplify_searches(searches)
    reader = _Reader(connection, schema)
    groups: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    results: list[list[Hit]] = [[] for _ in searches]
    for n, search in enumerate(searches):
        match search:
            case KnnSearch():
                reader.check_dimension(search)
                groups[search.where, search.k, search.scores_only, search.exact].append(n)
            case KeywordSearch():
                results[n] = _keyword_search(reader, search)
            case Scan():
                results[n] = _scan(reader, search)
            case _:
                assert_never(search)
    for numbers in groups.values():
        alike = [search for n in numbers if isinstance(search := searches[n], KnnSearch)]
        for n, hits in zip(numbers, _knn(reader, alike), strict=True):
            results[n] = hits
    return results


class _Reader(NamedTuple):
    """What searches are run on."""

    connection: MilvusConnection
    schema: IndexSchema

    @property
    def columns(self) -> list[str]:
        """What hits are read from."""
        return hit_columns(self.schema.fields)

    @property
    def row_bytes(self) -> int:
        """About the size of a hit in an answer."""
        return 4 * self.schema.space.dim + OTHER_BYTES

    def hit(self, row: Row, score: float) -> Hit:
        """A row as a hit."""
        return read_hit(row, score, self.schema.fields)

    def check_dimension(self, search: KnnSearch) -> None:
        """Raise `IndexMismatch` for a vector of another dimension."""
        if search.vector.shape != (self.schema.space.dim,):
            raise IndexMismatch(
                f"index {self.connection.index!r} in {self.connection.address} has vectors of "
                f"{self.schema.space.dim} dimensions; this query's shape is {search.vector.shape}"
            )


def _knn(reader: _Reader, searches: Sequence[KnnSearch]) -> Iterator[list[Hit]]:
    """The hits of searches that differ only in their vectors."""
    first = searches[0]
    deepest = min(MAX_ROWS, MAX_ANSWER // reader.row_bytes)
    is_exact = first.exact and not reader.connection.compares_all
    if is_exact or first.k + EXTRA > deepest:
        yield from (_compare_all(reader, search) for search in searches)
        return
    limit = first.k if first.scores_only else first.k + EXTRA
    at_once = max(1, MAX_ANSWER // (limit * reader.row_bytes))
    for batch in batches(searches, at_once):
        for search, rows in zip(batch, _nearest(reader, batch, limit), strict=True):
            yield _complete(reader, search, rows, limit, deepest)


def _complete(reader: _Reader, search: KnnSearch, rows: list[Row], limit: int, deepest: int) -> list[Hit]:
    """The hits among the nearest rows, and among more of them where these don't hold all."""
    while True:
        scored = _score(reader, search, rows)
        best = nsmallest(search.k, scored, key=_by_score_and_id)
        if len(rows) < limit:  # the server has given all, or all that its index has reached
            missing = len(best) < search.k and _are_more(reader, search, len(rows))
            return _compare_all(reader, search) if missing else _hits(reader, search, best)
        settled = search.scores_only or rows[-1]["distance"] < best[-1][0] - ROUNDING
        if len(best) == search.k and settled:
            return _hits(reader, search, best)
        if limit == deepest:
            return _hits(reader, search, best) if len(best) == search.k else _compare_all(reader, search)
        limit = min(DEEPER * limit, deepest)
        (rows,) = _nearest(reader, [search], limit)


def _nearest(reader: _Reader, searches: Sequence[KnnSearch], limit: int) -> list[list[Row]]:
    """The nearest rows of each search's vector by the server's index: all that its expression allows."""
    expression, exact = compile_expression(searches[0].where)
    columns = [] if searches[0].scores_only and exact else [*reader.columns, "vector"]
    answer = reader.connection.request(
        "search",
        data=[search.vector.tolist() for search in searches],
        anns_field="vector",
        filter=as_argument(expression),
        limit=limit,
        output_fields=["id", *columns],
        search_params={"metric_type": "COSINE", "params": {"ef": max(EF, limit)}},
    )
    return [
        [{**hit["entity"], "id": hit["id"], "distance": hit["distance"]} for hit in hits] for hits in answer
    ]


def _score(reader: _Reader, search: KnnSearch, rows: Sequence[Row]) -> list[tuple[float, Row]]:
    """The rows that fulfil the conditions, with their cosines."""
    _, exact = compile_expression(search.where)
    matching = rows if exact else matching_rows(rows, search.where, reader.schema.fields)
    if search.scores_only and exact:
        return [(min(1.0, max(-1.0, row["distance"])), row) for row in matching]
    scores = cosines(read_vectors(matching, reader.schema.space.dim), search.vector)
    return list(zip(scores.tolist(), matching, strict=True))


def _are_more(reader: _Reader, search: KnnSearch, found: int) -> bool:
    """Whether more rows fulfil a search's expression than its answer has."""
    if reader.connection.compares_all:
        return False
    return count_rows(reader.connection, compile_expression(search.where).expression) > found


def _compare_all(reader: _Reader, search: KnnSearch) -> list[Hit]:
    """The hits of a search that compares all vectors, which are read."""
    best: list[tuple[float, Row]] = []
    pages = iter_matching(reader.connection, search.where, reader.schema.fields, ["vector"], VECTOR_ROWS)
    for rows in pages:
        scores = cosines(read_vectors(rows, reader.schema.space.dim), search.vector)
        page = [(score, {"id": row["id"]}) for score, row in zip(scores.tolist(), rows, strict=True)]
        best = nsmallest(search.k, chain(best, page), key=_by_score_and_id)
    if search.scores_only:
        return _hits(reader, search, best)
    rows_by_id = _rows_by_id(reader, [row["id"] for _, row in best])
    whole = [(score, rows_by_id[row["id"]]) for score, row in best if row["id"] in rows_by_id]
    return _hits(reader, search, whole)


def _hits(reader: _Reader, search: KnnSearch, scored: Sequence[tuple[float, Row]]) -> list[Hit]:
    if search.scores_only:
        return rank_hits(scored_id(row["id"], score) for score, row in scored)
    return rank_hits(reader.hit(row, score) for score, row in scored)


def _by_score_and_id(scored: tuple[float, Row]) -> tuple[float, str]:
    score, row = scored
    return -score, row["id"]


def _rows_by_id(reader: _Reader, ids: Sequence[str]) -> dict[str, Row]:
    """The rows of hits with these ids; one that has just been deleted is missing."""
    return {row["id"]: row for row in read_by_id(reader.connection, ids, reader.columns)}


def _keyword_search(reader: _Reader, search: KeywordSearch) -> list[Hit]:
    """The hits of a search by words."""
    forms = {word: [word, *([search.former[word]] if word in search.former else [])] for word in search.words}
    expressions = {word: words_expression(forms[word]) for word in search.words}
    counts = {word: count_rows(reader.connection, one) for word, one in expressions.items()}
    weights = idf_weights(search.words, list(counts.values()), count_rows(reader.connection))
    present = [word for word in search.words if counts[word]]
    is_ranked = len(present) <= MAX_RANKED_WORDS and sum(counts.values()) > FEW_ROWS
    groups = _rank_groups(present, weights, expressions) if is_ranked else [_any_of(present, expressions)]
    best: list[tuple[float, str, list[str]]] = []
    for group in groups if present else []:
        page = min(max(search.k, FEW_ROWS), MAX_ROWS) if is_ranked else MAX_ROWS
        for rows in _rows_with(reader, group, search.where, page):
            scored = (_words_score(row, forms, weights) for row in rows)
            best = nsmallest(search.k, chain(best, scored), key=lambda one: (-one[0], one[1]))
            if is_ranked and len(best) == search.k:  # rows of a group are alike, and come by id
                break
        if is_ranked and len(best) == search.k:
            break
    words_by_id = {id: words for _, id, words in best}
    rows_by_id = _rows_by_id(reader, list(words_by_id))
    hits = {id: reader.hit(row, 0.0) for id, row in rows_by_id.items()}
    return rank_hits(score_hit(hit, weights, words_by_id[id]) for id, hit in hits.items())


def _rank_groups(
    words: Sequence[str], weights: Mapping[str, float], expressions: Mapping[str, str]
) -> list[str]:
    """Expressions of the rows that have the same score, the best first."""
    groups: defaultdict[float, list[str]] = defaultdict(list)
    for size in range(1, len(words) + 1):
        for some in combinations(words, size):
            tests = [f"({expressions[w]})" if w in some else f"not ({expressions[w]})" for w in words]
            score = round(sum(weights[word] for word in some), SAME_SCORE)
            groups[score].append(f"({' and '.join(tests)})")
    return [" or ".join(groups[score]) for score in sorted(groups, reverse=True)]


def _any_of(words: Sequence[str], expressions: Mapping[str, str]) -> str:
    return " or ".join(f"({expressions[word]})" for word in words)


def _rows_with(
    reader: _Reader, expression: str, where: tuple[Condition, ...], page: int
) -> Iterator[list[Row]]:
    """Ids and words of the rows for which an expression is true, and that fulfil all conditions."""
    condition, exact = compile_expression(where)
    columns = ["words", *([] if exact else reader.columns)]
    for rows in iter_rows(reader.connection, both(expression, condition), columns, page):
        yield rows if exact else matching_rows(rows, where, reader.schema.fields)


def _words_score(
    row: Row, forms: Mapping[str, list[str]], weights: Mapping[str, float]
) -> tuple[float, str, list[str]]:
    """A row's score, its id, and the words that it has."""
    row_words = set(row["words"].split())
    words = [word for word in weights if not row_words.isdisjoint(forms[word])]
    return sum(weights[word] for word in words), row["id"], words


def _scan(reader: _Reader, search: Scan) -> list[Hit]:
    """The hits of a search by conditions alone."""
    if search.order is not None:
        return _ordered_scan(reader, search, search.order)
    page = min(search.k, MAX_ROWS)
    hits: list[Hit] = []
    pages = iter_matching(
        reader.connection, search.where, reader.schema.fields, reader.columns, page, search.after
    )
    for rows in pages:
        hits += (reader.hit(row, 1.0) for row in rows[: search.k - len(hits)])
        if len(hits) == search.k:
            break
    return number_hits(hits)


def _ordered_scan(reader: _Reader, search: Scan, order: Order) -> list[Hit]:
    """The same in an order: the values of all documents are read, and the best documents."""
    columns = metadata_keys([order.field])
    best: list[Hit] = []
    for rows in iter_matching(reader.connection, search.where, reader.schema.fields, columns):
        candidates = [_ordered_by(row, order) for row in rows]
        best = order_hits([*best, *candidates], order)[: search.k]
    by_id = _rows_by_id(reader, [hit.id for hit in best])
    return number_hits(reader.hit(by_id[hit.id], 1.0) for hit in best if hit.id in by_id)


def _ordered_by(row: Row, order: Order) -> Hit:
    """A row with nothing but the value that it is ordered by."""
    texts: dict[str, Any] = {"location": "", "page": None, "description": "", "content_fingerprint": ""}
    return read_hit({**row, **texts}, 1.0, [order.field])
