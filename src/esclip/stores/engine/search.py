"""Searches in an engine: hundreds in one `_msearch`, each answered completely or not at all.

searches ─► _msearch ─┬─► hits
                      └─► a full page, and more are wanted: the next 10,000
KnnSearch, exact, deep or underfilled ─► ranges of 10,000 ids ─► _msearch: all compared ─► the best of all
Scan, by ids that are numbers         ─► a range for each number of digits ─► _msearch ─► merged as texts
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import numpy as np
import orjson

from esclip._concurrency.streams import batches
from esclip._core.filter_limits import asks_for_words, simplify_searches
from esclip._core.filters import Condition, Exists, Not
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip._core.settings import SEARCHES_AT_ONCE
from esclip._core.types import Hit, Vector, Vectors, number_hits, rank_hits
from esclip._errors import ConfigError, IndexMismatch, StoreError
from esclip.stores.engine.answers import (
    get_count,
    get_error,
    get_hits,
    get_list,
    get_number,
    get_object,
    next_page,
)
from esclip.stores.engine.bulk_errors import error_type, is_shard_gone, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import Engine, decode_vectors, score_to_cosine
from esclip.stores.engine.errors import BUSY, engine_busy, index_closed, index_missing
from esclip.stores.engine.layout import Layout
from esclip.stores.engine.paths import value_at
from esclip.stores.engine.queries import (
    MAX_HITS,
    count_body,
    id_clause,
    number_ranges,
    read_frequencies,
    search_body,
    search_head,
)
from esclip.stores.idf import idf_weights, score_hit
from esclip.stores.serialization import hit_from_source, scored_id

T = TypeVar("T")
Request: TypeAlias = tuple[dict[str, Any], Callable[[Any], T]]
"""A body, and the function that parses its answer."""

NO_PARTIAL_RESULTS = {"allow_partial_search_results": False}
"""Without it, hits of a failed shard are silently missing."""

VECTORS_PAGE = 2_000
"""Vectors of one answer: 20 MB of JSON with 512 dimensions."""

RANGE_BATCH = 8
"""Ranges of ids in one request, each of which returns up to k hits."""


def search_many(client: EngineClient, layout: Layout, searches: Sequence[Search]) -> list[list[Hit]]:
    """The hits of each search.

    Raises `IndexMismatch` for a vector of another dimension than the index's, `ConfigError` for a filter
    that is too wide or too deep, and what the client raises.
    """
    searches = simplify_searches(searches)
    require_words(client, layout, searches)
    dim = layout.schema.space.dim
    for search in searches:
        if isinstance(search, KnnSearch) and search.vector.shape != (dim,):
            raise IndexMismatch(
                f"index {client.index!r} at {client.address} has vectors of {dim} dimensions; "
                f"this query's shape is {search.vector.shape}"
            )
    engine = client.server().engine
    requests = [
        _search_request(engine, layout, search, shard_size=_shard_size(client, search))
        for search in searches
        if not _takes_several(layout, search)
    ]
    pages = iter(msearch_batches(client, requests))
    results = [
        None if _takes_several(layout, search) else _hits(client, layout, search, next(pages))
        for search in searches
    ]
    underfilled = _find_underfilled(client, layout, searches, results)
    return [
        _by_several(client, layout, search) if hits is None or n in underfilled else hits
        for n, (search, hits) in enumerate(zip(searches, results, strict=True))
    ]


def require_words(client: EngineClient, layout: Layout, searches: Sequence[Search]) -> None:
    """Raise `ConfigError` for a search by words in an adopted index whose documents have none."""
    if not layout.has_words and any(
        isinstance(search, KeywordSearch) or asks_for_words(search.where) for search in searches
    ):
        raise ConfigError(
            f"index {client.index!r} at {client.address} was made by another program, and its documents have "
            "no words to search by; an export, and an import into an index of esclip's, gives them some"
        )


def _hits(client: EngineClient, layout: Layout, search: Search, page: _Page) -> list[Hit]:
    """The hits that begin with a page. After those with a value to be ordered by come the others."""
    hits = _further_pages(client, layout, search, page)
    if not isinstance(search, Scan) or search.order is None:
        return rank_hits(hits)
    if len(hits) < search.k:
        missing = (*search.where, Not(Exists(search.order.field)))
        (others,) = search_many(client, layout, [Scan(search.k - len(hits), missing)])
        hits += others
    return number_hits(hits)


def _find_underfilled(
    client: EngineClient,
    layout: Layout,
    searches: Sequence[Search],
    results: Sequence[list[Hit] | None],
) -> Collection[int]:
    """The filtered kNN searches with too few hits, because the graph does not reach all that match."""
    short = {
        n: hits
        for n, (search, hits) in enumerate(zip(searches, results, strict=True))
        if hits is not None and isinstance(search, KnnSearch) and search.where and len(hits) < search.k
    }
    counts = msearch_batches(client, [(count_body(searches[n], layout.names), _read_total) for n in short])
    return {n for (n, hits), count in zip(short.items(), counts, strict=True) if count > len(hits)}


def _shard_size(client: EngineClient, search: Search) -> int:
    """The documents of a shard, where the number of candidates depends on it; else 0.

    Scores alone are averaged, of hundreds of searches: the fewest candidates are good enough for that.
    """
    depends = isinstance(search, KnnSearch) and search.candidates is None and not search.scores_only
    return client.documents_per_shard() if depends else 0


def _takes_several(layout: Layout, search: Search) -> bool:
    """Whether a search is several: it compares all vectors, being exact, or deeper than the vector index; or
    it lists documents in the order of their ids as texts, where these are numbers.
    """
    if isinstance(search, KnnSearch):
        return search.exact or search.k > MAX_HITS
    return isinstance(search, Scan) and search.order is None and layout.names.numeric_ids


def _by_several(client: EngineClient, layout: Layout, search: Search) -> list[Hit]:
    """The hits of such a search."""
    if isinstance(search, Scan):
        return _scan_numbers(client, layout, search)
    return _brute_force(client, layout, search)


def _scan_numbers(client: EngineClient, layout: Layout, search: Scan) -> list[Hit]:
    """The hits of a scan by ids that are numbers: the first of each number of digits, merged as texts."""
    engine, path = client.server().engine, layout.names.path(layout.names.id)
    hits: list[Hit] = []
    while (size := min(search.k - len(hits), MAX_HITS)) > 0:
        after = hits[-1].id if hits else search.after
        clauses = [{"range": {path: {"gte": low, "lte": high}}} for low, high in number_ranges(after)]
        scan = Scan(size, search.where)
        requests = [_search_request(engine, layout, scan, clause) for clause in clauses]
        page = rank_hits(hit for page in msearch_batches(client, requests) for hit in page.hits)[:size]
        hits += page
        if len(page) < size:
            break
    return number_hits(hits)


def _brute_force(client: EngineClient, layout: Layout, search: Search) -> list[Hit]:
    """The hits of a kNN search that compares all vectors."""
    engine = client.server().engine
    ranges = _id_ranges(client, layout, search)
    best: list[Hit] = []
    while batch := list(islice(ranges, RANGE_BATCH)):
        requests = [_search_request(engine, layout, search, within) for within in batch]
        hits = [hit for page in msearch_batches(client, requests) for hit in page.hits]
        best = nsmallest(search.k, best + hits, key=lambda hit: (-hit.score, hit.id))
    return rank_hits(best)


def _id_ranges(client: EngineClient, layout: Layout, search: Search) -> Iterator[dict[str, Any]]:
    """Clauses of ids, each of 10,000 of the documents that fulfil the search's conditions."""
    engine = client.server().engine
    after: list[Any] = []

    def read(answer: Any) -> tuple[list[str], list[Any]]:
        hits = get_hits(answer)
        return [layout.id_of(hit) for hit in hits], next_page(hits, MAX_HITS, after)

    while True:
        scan = Scan(MAX_HITS, search.where)
        body = search_body(engine, scan, after=after, names=layout.names)
        body["_source"] = {"includes": layout.id_fields} if layout.id_fields else False
        ((ids, after),) = msearch_batches(client, [(body, read)])
        if ids:
            yield id_clause(ids, layout.names)
        if not after:
            return


def scan_vectors(
    client: EngineClient, layout: Layout, where: tuple[Condition, ...]
) -> Iterator[tuple[list[str], Vectors]]:
    """Ids and vectors of all documents that fulfil all conditions, by pages ordered by id."""
    engine, names = client.server().engine, layout.names
    (search,) = simplify_searches([Scan(VECTORS_PAGE, where)])
    after: list[Any] = []

    def read(answer: Any) -> tuple[list[str], Sequence[Vector], list[Any]]:
        hits = get_hits(answer)
        rows = [value_at(get_object(hit, "_source"), names.vector) for hit in hits]
        vectors = decode_vectors(rows, layout.schema.space.dim)
        return [layout.id_of(hit) for hit in hits], vectors, next_page(hits, VECTORS_PAGE, after)

    while True:
        body = search_body(engine, search, after=after, names=names)
        body["_source"] = {"includes": [names.vector, *layout.id_fields]}
        ((ids, vectors, after),) = msearch_batches(client, [(body, read)])
        if ids:
            yield ids, np.stack(vectors)
        if not after:
            return


@dataclass(frozen=True, slots=True)
class _Page:
    """The hits of one answer."""

    hits: list[Hit]
    after: list[Any]
    """The `search_after` of the next page; empty after the last."""


def _search_request(
    engine: Engine,
    layout: Layout,
    search: Search,
    within: Mapping[str, Any] | None = None,
    after: Sequence[Any] = (),
    shard_size: int = 0,
) -> Request[_Page]:
    """A search's body, and the function that parses its answer."""

    def read(answer: Any) -> _Page:
        return _Page(_read_hits(layout, search, answer), next_page(get_hits(answer), MAX_HITS, list(after)))

    level = layout.schema.settings.level
    return search_body(engine, search, within, after, level, shard_size, layout.names), read


def _read_total(answer: Any) -> int:
    """The number of documents that an answer counts."""
    return get_count(answer, "hits", "total", "value")


def _further_pages(client: EngineClient, layout: Layout, search: Search, page: _Page) -> list[Hit]:
    """The hits of a page, and of the next ones up to k hits."""
    hits = list(page.hits)
    while len(hits) < search.k and page.after:
        request = _search_request(client.server().engine, layout, search, after=page.after)
        (page,) = msearch_batches(client, [request])
        hits += page.hits
    return hits[: search.k]


def _read_hits(layout: Layout, search: Search, answer: Any) -> list[Hit]:
    weights: Mapping[str, float] = {}
    if isinstance(search, KeywordSearch):
        weights = idf_weights(search.words, *read_frequencies(answer))

    def read_hit(raw: Any) -> Hit:
        score = score_to_cosine(get_number(raw, "_score")) if isinstance(search, KnnSearch) else 1.0
        if isinstance(search, KnnSearch) and search.scores_only:
            return scored_id(layout.id_of(raw), score)
        hit = hit_from_source(layout.id_of(raw), score, layout.source_of(raw), layout.schema.fields)
        if isinstance(search, KeywordSearch):
            return score_hit(hit, weights, get_list(raw, "matched_queries"))
        return hit

    return [read_hit(raw) for raw in get_hits(answer)]


def msearch_batches(client: EngineClient, requests: Sequence[Request[T]]) -> list[T]:
    """The parsed answers to the requests, sent in batches."""
    return [answer for batch in batches(requests, SEARCHES_AT_ONCE) for answer in _msearch(client, batch)]


def _msearch(client: EngineClient, requests: Sequence[Request[T]]) -> list[T]:
    """The parsed answers to one batch, retried as a whole while one of its requests fails."""
    payload = b"".join(
        orjson.dumps(NO_PARTIAL_RESULTS | search_head(body)) + b"\n" + orjson.dumps(body) + b"\n"
        for body, _ in requests
    )

    def read(answer: Any) -> list[T]:
        answers = get_list(answer, "responses")
        for one in answers:
            if error := get_error(one):
                raise _search_error(client, *error)
            client.require_own(get_hits(one))
        return [read_one(one) for (_, read_one), one in zip(requests, answers, strict=True)]

    return client.request(client.raw.msearch, read=read, index=client.index, body=payload)


def _search_error(client: EngineClient, status: int, error: Any) -> StoreError:
    if error_type(error) == "index_not_found_exception":
        return index_missing(client.address, client.index)
    if error_type(error) == "index_closed_exception":
        return index_closed(client.address, client.index)
    reason = reason_text(error)
    if status in BUSY or is_shard_gone(error):
        return engine_busy(client.address, reason)
    return StoreError(f"{client.address} refused a search in index {client.index!r}: {status} {reason}")
