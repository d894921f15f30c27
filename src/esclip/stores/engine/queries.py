"""The JSON of searches in OpenSearch and Elasticsearch, as pure functions.

KnnSearch  ─► kNN with the filter inside
KeywordSearch ─► the words as terms, each with its name; beside the hits, how many documents have each
Scan  ─► the filter, sorted by id
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip.stores.engine.answers import integer_of, list_of
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.filters import clause

__all__ = ["MOST", "count_body", "search_body", "search_head", "word_counts"]

MOST = 10_000
"""The most hits, and neighbours, that both engines give in one answer."""

CANDIDATES = 600
"""Neighbours that each shard looks at, at least. On 10,000 random vectors of 512 dimensions, which are the
hardest, recall@10 is then 1.0 on both engines; with 200 it is 0.96."""


def search_body(
    engine: Engine, search: Search, among: Mapping[str, str] | None = None, after: Sequence[Any] = ()
) -> dict[str, Any]:
    """What finds the k best documents, or the first 10,000 of them; of equally good ones, by id.

    `among` are bounds of ids, as in a range query; of no more than 10,000 documents, a vector is compared
    with each. `after` is the sort of the last hit of the answer before.
    """
    scores_only = isinstance(search, KnnSearch) and search.scores_only
    body: dict[str, Any] = {
        "size": min(search.k, MOST),
        # it orders what the vector index has found, and doesn't replace it
        "sort": [{"id": "asc"}] if isinstance(search, Scan) else [{"_score": "desc"}, {"id": "asc"}],
        "_source": False if scores_only else {"excludes": ["vector", "words"]},
        "track_total_hits": False,
    }
    filters = [clause(condition) for condition in search.where]
    if among:
        filters.append({"range": {"id": among}})
    match search:
        case KnnSearch():
            body |= _nearest(engine, search, filters, exact=among is not None)
        case KeywordSearch(words=words):
            terms = [_word(word, search.former) for word in words]
            body["query"] = {"bool": {"should": terms, "minimum_should_match": 1, "filter": filters}}
            counted = {"filters": {"filters": [_has_one(word, search.former) for word in words]}}
            body["aggs"] = {"all": {"global": {}, "aggs": {"holders": counted}}}
        case Scan(after=id):
            if id:
                filters.append({"range": {"id": {"gt": id}}})
            body["query"] = {"bool": {"filter": filters}}
        case _:
            assert_never(search)
    return body | ({"search_after": list(after)} if after else {})


def _word(word: str, former: Mapping[str, str]) -> dict[str, Any]:
    """What finds a word under its name; of two forms that weighs which is found."""
    if word not in former:
        return {"term": {"words": {"value": word, "_name": word}}}
    forms = [{"term": {"words": form}} for form in (word, former[word])]
    return {"dis_max": {"queries": forms, "_name": word}}


def _has_one(word: str, former: Mapping[str, str]) -> dict[str, Any]:
    if word not in former:
        return {"term": {"words": word}}
    return {"terms": {"words": [word, former[word]]}}


def _nearest(engine: Engine, search: KnnSearch, filters: list[Any], *, exact: bool) -> dict[str, Any]:
    candidates = MOST if exact else min(MOST, max(CANDIDATES, 2 * search.k))
    numbers = search.vector.tolist()
    narrowed = {"filter": {"bool": {"filter": filters}}} if filters else {}
    match engine:
        case Engine.OPENSEARCH:
            return {"query": {"knn": {"vector": {"vector": numbers, "k": candidates, **narrowed}}}}
        case Engine.ELASTICSEARCH:
            knn = {"field": "vector", "query_vector": numbers, "k": candidates, "num_candidates": candidates}
            return {"knn": knn | narrowed}
        case _:
            assert_never(engine)


def count_body(search: Search) -> dict[str, Any]:
    """What tells how many documents fulfil the conditions, up to the k that are wanted."""
    filters = [clause(condition) for condition in search.where]
    return {"size": 0, "query": {"bool": {"filter": filters}}, "track_total_hits": search.k}


def search_head(body: Mapping[str, Any]) -> dict[str, str]:
    """What goes before the body: the words of a search shall weigh the same in all shards."""
    return {"search_type": "dfs_query_then_fetch"} if "aggs" in body else {}


def word_counts(answer: Mapping[str, Any]) -> tuple[list[int], int]:
    """From the answer to a search by words: how many documents have each, and how many there are."""
    documents = integer_of(answer, "aggregations", "all", "doc_count")
    buckets = list_of(answer, "aggregations", "all", "holders", "buckets")
    return [integer_of(one, "doc_count") for one in buckets], documents
