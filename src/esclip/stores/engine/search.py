"""Searches in an engine: by hundreds in one `_msearch`, each answered whole or not at all.

searches ─► _msearch ─┬─► hits
                      └─► full, and more are wanted: the next 10,000, behind the last
KnnSearch, exact, deep or short ─► ranges of 10,000 ids ─► _msearch: each compared whole ─► the best of all
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import orjson

from esclip._concurrency.streams import batches
from esclip._core.filter_limits import simplify_searches
from esclip._core.schema import IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip._core.settings import SEARCHES_AT_ONCE
from esclip._core.types import Hit, ranked
from esclip._errors import IndexMismatch, StoreError, StoreUnavailable
from esclip.stores.engine.answers import (
    error_of,
    further,
    hits_of,
    integer_of,
    list_of,
    number_of,
    object_of,
)
from esclip.stores.engine.bulk_errors import kind_of, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import Engine, cosine
from esclip.stores.engine.errors import BUSY, index_missing
from esclip.stores.engine.queries import MOST, count_body, search_body, search_head, word_counts
from esclip.stores.idf import idf_weights, score_hit
from esclip.stores.serialization import hit_from_source, scored_id

__all__ = ["searched"]

T = TypeVar("T")
_Question: TypeAlias = tuple[dict[str, Any], Callable[[Any], T]]
"""A body, and what reads the answer."""

WHOLE = {"allow_partial_search_results": False}
"""Without it, the hits of a shard that fails are missing and nobody is told."""

RANGES_AT_ONCE = 8
"""Ranges of ids in one request: each answers with as many hits as are wanted."""


def searched(client: EngineClient, schema: IndexSchema, searches: Sequence[Search]) -> list[list[Hit]]:
    """The hits of each search.

    Raises `IndexMismatch` for a vector of another dimension than the index's, `ConfigError` for a filter
    that is too wide or too deep, and what the client raises.
    """
    searches = simplify_searches(searches)
    for search in searches:
        if isinstance(search, KnnSearch) and search.vector.shape != (schema.space.dim,):
            raise IndexMismatch(
                f"Index {client.index} at {client.address} has vectors of {schema.space.dim} dimensions; "
                f"this query's shape is {search.vector.shape}."
            )
    engine = client.server().engine
    whole = {number for number, search in enumerate(searches) if _compares_all(search)}
    quick = [search for number, search in enumerate(searches) if number not in whole]
    pages = iter(_answers(client, [_question(engine, schema, search) for search in quick]))
    found = [
        None if number in whole else ranked(_paged(client, schema, search, next(pages)))
        for number, search in enumerate(searches)
    ]
    short = _short(client, searches, found)
    return [
        _compared(client, schema, search) if hits is None or number in short else hits
        for number, (search, hits) in enumerate(zip(searches, found, strict=True))
    ]


def _short(
    client: EngineClient, searches: Sequence[Search], found: Sequence[list[Hit] | None]
) -> Collection[int]:
    """Where a filtered kNN search gave fewer hits than it should: its graph has no way to some of them."""
    few = {
        number: hits
        for number, (search, hits) in enumerate(zip(searches, found, strict=True))
        if hits is not None and isinstance(search, KnnSearch) and search.where and len(hits) < search.k
    }
    counts = _answers(client, [(count_body(searches[number]), _total) for number in few])
    return {number for (number, hits), count in zip(few.items(), counts, strict=True) if count > len(hits)}


def _compares_all(search: Search) -> bool:
    """Whether a vector index is not to be used, or does not reach so deep."""
    return isinstance(search, KnnSearch) and (search.exact or search.k > MOST)


def _compared(client: EngineClient, schema: IndexSchema, search: Search) -> list[Hit]:
    """The hits of a search that compares every vector."""
    engine = client.server().engine
    ranges = _id_ranges(client, search)
    best: list[Hit] = []
    while some := list(islice(ranges, RANGES_AT_ONCE)):
        pages = _answers(client, [_question(engine, schema, search, among) for among in some])
        found = [hit for page in pages for hit in page.hits]
        best = nsmallest(search.k, best + found, key=lambda hit: (-hit.score, hit.id))
    return ranked(best)


def _id_ranges(client: EngineClient, search: Search) -> Iterator[dict[str, str]]:
    """Bounds of ids, each around 10,000 of the documents that fulfil the search's conditions."""
    engine = client.server().engine
    after: list[Any] = []

    def read(answer: Any) -> tuple[list[str], list[Any]]:
        hits = hits_of(answer)
        return [hit["_id"] for hit in hits], further(hits, MOST, after)

    while True:
        body = search_body(engine, Scan(MOST, search.where), after=after) | {"_source": False}
        ((ids, after),) = _answers(client, [(body, read)])
        if ids:
            yield {"gte": ids[0], "lte": ids[-1]}
        if not after:
            return


@dataclass(frozen=True, slots=True)
class _Page:
    """The hits of one answer."""

    hits: list[Hit]
    after: list[Any]
    """Behind what there may be more; empty where there are none."""


def _question(
    engine: Engine,
    schema: IndexSchema,
    search: Search,
    among: Mapping[str, str] | None = None,
    after: Sequence[Any] = (),
) -> _Question[_Page]:
    """A search's body, and how its answer is read."""

    def read(answer: Any) -> _Page:
        return _Page(_hits(schema, search, answer), further(hits_of(answer), MOST, list(after)))

    return search_body(engine, search, among, after), read


def _total(answer: Any) -> int:
    """How many documents an answer counts."""
    return integer_of(answer, "hits", "total", "value")


def _paged(client: EngineClient, schema: IndexSchema, search: Search, page: _Page) -> list[Hit]:
    """The hits of a page, and of further ones where more are wanted than one holds."""
    hits = list(page.hits)
    while len(hits) < search.k and page.after:
        question = _question(client.server().engine, schema, search, after=page.after)
        (page,) = _answers(client, [question])
        hits += page.hits
    return hits[: search.k]


def _hits(schema: IndexSchema, search: Search, answer: Any) -> list[Hit]:
    weights: Mapping[str, float] = {}
    if isinstance(search, KeywordSearch):
        weights = idf_weights(search.words, *word_counts(answer))

    def hit(found: Any) -> Hit:
        score = cosine(number_of(found, "_score")) if isinstance(search, KnnSearch) else 1.0
        if isinstance(search, KnnSearch) and search.scores_only:
            return scored_id(found["_id"], score)
        hit = hit_from_source(found["_id"], score, object_of(found, "_source"), schema.fields)
        if isinstance(search, KeywordSearch):
            return score_hit(hit, weights, list_of(found, "matched_queries"))
        return hit

    return [hit(found) for found in hits_of(answer)]


def _answers(client: EngineClient, questions: Sequence[_Question[T]]) -> list[T]:
    """What is read from the engine's answer to each."""
    return [answer for some in batches(questions, SEARCHES_AT_ONCE) for answer in _asked(client, some)]


def _asked(client: EngineClient, questions: Sequence[_Question[T]]) -> list[T]:
    """The same in one request, asked again as a whole while one of them may still be answered."""
    payload = b"".join(
        orjson.dumps(WHOLE | search_head(body)) + b"\n" + orjson.dumps(body) + b"\n" for body, _ in questions
    )

    def read(answer: Any) -> list[T]:
        answers = list_of(answer, "responses")
        for one in answers:
            if failed := error_of(one):
                raise _failure(client, *failed)
        return [read(one) for (_, read), one in zip(questions, answers, strict=True)]

    return client.ask(client.raw.msearch, read=read, index=client.index, body=payload)


def _failure(client: EngineClient, status: int, error: Any) -> StoreError:
    if kind_of(error) == "index_not_found_exception":
        return index_missing(client.address, client.index)
    causes = error.get("root_cause") if isinstance(error, Mapping) else None
    cause = causes[-1] if isinstance(causes, list) and causes else error
    why = cause.get("reason") if isinstance(cause, Mapping) else None
    told = reason_text(str(why) if why else error)
    if status in BUSY:
        return StoreUnavailable(f"{client.address} is too busy or not ready ({told}); try again later.")
    return StoreError(f"{client.address} refused a search in index {client.index}: {status} {told}")
