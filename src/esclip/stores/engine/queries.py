"""The JSON of searches in OpenSearch and Elasticsearch, as pure functions.

KnnSearch     ─► kNN with the filter inside
KeywordSearch ─► the words as named terms; aggregations count the documents that have each
Scan          ─► the filter, sorted by id, or by a field and id
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, assert_never

from esclip._core.filters import Exists
from esclip._core.index_settings import BIT, FLOAT, INT8
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip.stores.engine.answers import get_count, get_list
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.filters import filter_clause

MAX_HITS = 10_000
"""The most hits and neighbours in one answer of either engine."""

MIN_CANDIDATES = 600
"""The fewest neighbours that each shard considers. On 10,000 random vectors of 512 dimensions, which are the
hardest, recall@10 is 1.0 on both engines; with 200 it is 0.96."""


class Rescoring(NamedTuple):
    """How many of a shard's candidates are scored again by float32 vectors: each is a read of 2 kB."""

    least: int
    """Of neighbours that are wanted, `oversample` times as many are scored again."""
    times: int
    """So many times as many as hits are wanted, where that is more."""
    oversample: int
    """Elasticsearch takes 10 at most."""


RESCORING = {INT8: Rescoring(50, 2, 4), BIT: Rescoring(60, 3, 10)}
"""For 10 hits 200 and 600. With a bit a number, 200 find .974 of what is nearest to texts."""


def search_body(
    engine: Engine,
    search: Search,
    id_range: Mapping[str, str] | None = None,
    after: Sequence[Any] = (),
    level: str = FLOAT,
) -> dict[str, Any]:
    """The body that finds the k best documents, or the first 10,000 of them, ties by id.

    A scan ordered by a field finds only documents that have a value.

    Args:
        id_range: Bounds of ids, as in a range query, of at most 10,000 documents, which are all compared.
        after: The sort values of the last hit of the previous page.
        level: How the index compares vectors first. Hits of other levels than float are scored again by the
            float32 vectors.
    """
    scores_only = isinstance(search, KnnSearch) and search.scores_only
    body: dict[str, Any] = {
        "size": min(search.k, MAX_HITS),
        # orders the hits of the vector index, and doesn't replace it
        "sort": [*_sort_keys(search), {"id": "asc"}],
        "_source": False if scores_only else {"excludes": ["vector", "words"]},
        "track_total_hits": False,
    }
    filters = [filter_clause(condition) for condition in search.where]
    if id_range:
        filters.append({"range": {"id": id_range}})
    match search:
        case KnnSearch():
            exact = id_range is not None
            if level == FLOAT:
                body |= _knn(engine, search, filters, exact=exact)
            else:
                body |= _rescored_knn(engine, search, filters, RESCORING[level], exact=exact)
        case KeywordSearch(words=words):
            terms = [_word_query(word, search.former) for word in words]
            body["query"] = {"bool": {"should": terms, "minimum_should_match": 1, "filter": filters}}
            counts = {"filters": {"filters": [_word_filter(word, search.former) for word in words]}}
            body["aggs"] = {"all": {"global": {}, "aggs": {"holders": counts}}}
        case Scan(after=id, order=order):
            if id:
                filters.append({"range": {"id": {"gt": id}}})
            if order:
                filters.append(filter_clause(Exists(order.field)))
            body["query"] = {"bool": {"filter": filters}}
        case _:
            assert_never(search)
    return body | ({"search_after": list(after)} if after else {})


def _sort_keys(search: Search) -> list[Any]:
    """What hits are sorted by before their ids."""
    if not isinstance(search, Scan):
        return [{"_score": "desc"}]
    if search.order is None:
        return []
    direction = "desc" if search.order.descending else "asc"
    return [{search.order.field.name: {"order": direction, "unmapped_type": "keyword"}}]


def _word_query(word: str, former: Mapping[str, str]) -> dict[str, Any]:
    """The named query of a word; with a former form, the better of both."""
    if word not in former:
        return {"term": {"words": {"value": word, "_name": word}}}
    forms = [{"term": {"words": form}} for form in (word, former[word])]
    return {"dis_max": {"queries": forms, "_name": word}}


def _word_filter(word: str, former: Mapping[str, str]) -> dict[str, Any]:
    if word not in former:
        return {"term": {"words": word}}
    return {"terms": {"words": [word, former[word]]}}


def _knn(engine: Engine, search: KnnSearch, filters: list[Any], *, exact: bool) -> dict[str, Any]:
    candidates = MAX_HITS if exact else min(MAX_HITS, max(MIN_CANDIDATES, 2 * search.k))
    numbers = search.vector.tolist()
    prefilter = {"filter": {"bool": {"filter": filters}}} if filters else {}
    match engine:
        case Engine.OPENSEARCH:
            return {"query": {"knn": {"vector": {"vector": numbers, "k": candidates, **prefilter}}}}
        case Engine.ELASTICSEARCH:
            knn = {"field": "vector", "query_vector": numbers, "k": candidates, "num_candidates": candidates}
            return {"knn": knn | prefilter}
        case _:
            assert_never(engine)


def _rescored_knn(
    engine: Engine, search: KnnSearch, filters: list[Any], rescoring: Rescoring, *, exact: bool
) -> dict[str, Any]:
    """The same in a quantized index: the best of its candidates are scored again by the float32 vectors."""
    wanted = MAX_HITS if exact else min(MAX_HITS, max(rescoring.least, rescoring.times * search.k))
    rescored = min(MAX_HITS, rescoring.oversample * wanted)
    candidates = min(MAX_HITS, max(MIN_CANDIDATES, rescored))
    numbers = search.vector.tolist()
    prefilter = {"filter": {"bool": {"filter": filters}}} if filters else {}
    match engine:
        case Engine.OPENSEARCH:
            # rescore is ignored for lucene before 3.1, and a request's own section forbids sorting
            graph = {"ef_search": candidates}
            nearest = {"vector": numbers, "k": rescored, "method_parameters": graph, **prefilter}
            query = {"bool": prefilter["filter"]["bool"]} if exact else {"knn": {"vector": nearest}}
            params = {"field": "vector", "query_value": numbers, "space_type": "cosinesimil"}
            script = {"lang": "knn", "source": "knn_score", "params": params}
            return {"query": {"script_score": {"query": query, "script": script}}}
        case Engine.ELASTICSEARCH:
            knn = {
                "field": "vector",
                "query_vector": numbers,
                "k": wanted,
                "num_candidates": candidates,
                "rescore_vector": {"oversample": rescored / wanted},
            }
            return {"knn": knn | prefilter}
        case _:
            assert_never(engine)


def count_body(search: Search) -> dict[str, Any]:
    """The body that counts the documents that fulfil the conditions, up to k."""
    filters = [filter_clause(condition) for condition in search.where]
    return {"size": 0, "query": {"bool": {"filter": filters}}, "track_total_hits": search.k}


def search_head(body: Mapping[str, Any]) -> dict[str, str]:
    """The header of a search in `_msearch`: words have the same weights in all shards."""
    return {"search_type": "dfs_query_then_fetch"} if "aggs" in body and body["size"] else {}


def read_frequencies(answer: Mapping[str, Any]) -> tuple[list[int], int]:
    """The document frequency of each word, and the number of documents, from a keyword search's answer."""
    documents = get_count(answer, "aggregations", "all", "doc_count")
    buckets = get_list(answer, "aggregations", "all", "holders", "buckets")
    return [get_count(bucket, "doc_count") for bucket in buckets], documents
