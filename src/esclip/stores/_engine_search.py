"""Searches in an engine: by hundreds in one `_msearch`, each answered whole or not at all.

searches ─► _msearch ─┬─► hits
                      └─► full, and more are wanted: the next 10,000, behind the last
Nearest, exact, deep or short ─► ranges of 10,000 ids ─► _msearch: each compared whole ─► the best of all
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import islice
from typing import Any

import orjson

from esclip._errors import IndexMismatch, StoreError, StoreUnavailable
from esclip._flow import batches
from esclip._schema import IndexSchema
from esclip._searches import Listing, Matching, Nearest, Search
from esclip._settings import SEARCHES_AT_ONCE
from esclip._simplify import simplify_searches
from esclip._types import Hit, ranked
from esclip.stores import _documents as stored
from esclip.stores._dialects import cosine
from esclip.stores._engine_client import EngineClient
from esclip.stores._engine_errors import BUSY, index_missing
from esclip.stores._search_bodies import MOST, count_body, search_body, search_head, word_counts
from esclip.stores._word_scores import word_hit, word_weights

__all__ = ["searched"]

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
        if isinstance(search, Nearest) and search.vector.shape != (schema.space.dim,):
            raise IndexMismatch(
                f"Index {client.index} at {client.address} has vectors of {schema.space.dim} dimensions; "
                f"this query's shape is {search.vector.shape}."
            )
    engine = client.server().engine
    whole = {number for number, search in enumerate(searches) if _compares_all(search)}
    quick = [search for number, search in enumerate(searches) if number not in whole]
    answers = iter(_answers(client, [search_body(engine, search) for search in quick]))
    found = [
        None if number in whole else ranked(_paged(client, schema, search, next(answers)))
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
        if hits is not None and isinstance(search, Nearest) and search.where and len(hits) < search.k
    }
    answers = _answers(client, [count_body(searches[number]) for number in few])
    return {
        number
        for (number, hits), answer in zip(few.items(), answers, strict=True)
        if answer["hits"]["total"]["value"] > len(hits)
    }


def _compares_all(search: Search) -> bool:
    """Whether a vector index is not to be used, or does not reach so deep."""
    return isinstance(search, Nearest) and (search.exact or search.k > MOST)


def _compared(client: EngineClient, schema: IndexSchema, search: Search) -> list[Hit]:
    """The hits of a search that compares every vector."""
    engine = client.server().engine
    ranges = _id_ranges(client, search)
    best: list[Hit] = []
    while some := list(islice(ranges, RANGES_AT_ONCE)):
        answers = _answers(client, [search_body(engine, search, among) for among in some])
        found = [hit for answer in answers for hit in _hits(schema, search, answer)]
        best = nsmallest(search.k, best + found, key=lambda hit: (-hit.score, hit.id))
    return ranked(best)


def _id_ranges(client: EngineClient, search: Search) -> Iterator[dict[str, str]]:
    """Bounds of ids, each around 10,000 of the documents that fulfil the search's conditions."""
    engine = client.server().engine
    last: list[Any] = []
    while True:
        body = search_body(engine, Listing(MOST, search.where), after=last) | {"_source": False}
        (answer,) = _answers(client, [body])
        found = answer["hits"]["hits"]
        if found:
            yield {"gte": found[0]["_id"], "lte": found[-1]["_id"]}
            last = found[-1]["sort"]
        if len(found) < MOST:
            return


def _paged(client: EngineClient, schema: IndexSchema, search: Search, answer: Any) -> list[Hit]:
    """The hits of an answer, and of further ones where more are wanted than one holds."""
    hits = _hits(schema, search, answer)
    while len(hits) < search.k and len(answer["hits"]["hits"]) == MOST:
        body = search_body(client.server().engine, search, after=answer["hits"]["hits"][-1]["sort"])
        (answer,) = _answers(client, [body])
        hits += _hits(schema, search, answer)
    return hits[: search.k]


def _hits(schema: IndexSchema, search: Search, answer: Any) -> list[Hit]:
    weights: Mapping[str, float] = {}
    if isinstance(search, Matching):
        weights = word_weights(search.words, *word_counts(answer))

    def hit(found: Any) -> Hit:
        score = cosine(found["_score"]) if isinstance(search, Nearest) else 1.0
        if isinstance(search, Nearest) and search.scores_only:
            return stored.score_hit(found["_id"], score)
        hit = stored.hit(found["_id"], score, found["_source"], schema.fields)
        return word_hit(hit, weights, found["matched_queries"]) if isinstance(search, Matching) else hit

    return [hit(found) for found in answer["hits"]["hits"]]


def _answers(client: EngineClient, bodies: Sequence[Any]) -> list[Any]:
    """What the engine says to each."""
    return [answer for some in batches(bodies, SEARCHES_AT_ONCE) for answer in _asked(client, some)]


def _asked(client: EngineClient, bodies: Sequence[Any]) -> list[Any]:
    """The same in one request, asked again as a whole while one of them may still be answered."""
    payload = b"".join(
        orjson.dumps(WHOLE | search_head(body)) + b"\n" + orjson.dumps(body) + b"\n" for body in bodies
    )

    def msearch(**arguments: Any) -> list[Any]:
        answers: list[Any] = client.raw.msearch(**arguments)["responses"]
        for answer in answers:
            if error := answer.get("error"):
                raise _failure(client, answer["status"], error)
        return answers

    found: list[Any] = client.ask(msearch, index=client.index, body=payload)
    return found


def _failure(client: EngineClient, status: int, error: Any) -> StoreError:
    if error.get("type") == "index_not_found_exception":
        return index_missing(client.address, client.index)
    causes = [error, *error.get("root_cause", ())]
    words = " ".join(str(cause.get("reason")) for cause in causes[-1:])[:500]
    if status in BUSY:
        return StoreUnavailable(f"{client.address} is too busy or not ready ({words}); try again later.")
    return StoreError(f"{client.address} refused a search in index {client.index}: {status} {words}")
