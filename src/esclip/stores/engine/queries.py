"""The JSON of searches in OpenSearch and Elasticsearch, as pure functions.

KnnSearch     ─► kNN with the filter inside
KeywordSearch ─► the words as named terms; aggregations count the documents that have each
Scan          ─► the filter, sorted by id, or by a field and id
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from string import digits as DIGITS
from typing import Any, assert_never

from esclip._core.filters import Exists
from esclip._core.index_settings import FLOAT
from esclip._core.searches import KeywordSearch, KnnSearch, Scan, Search
from esclip.stores.engine.answers import get_count, get_list
from esclip.stores.engine.candidates import MAX_CANDIDATES, Candidates, choose_candidates
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.filters import filter_clause, filter_clauses
from esclip.stores.engine.names import DOCUMENT_ID, OWN_NAMES, FieldNames

MAX_HITS = 10_000
"""The most hits in one answer of either engine."""
MAX_NUMBER = 2**63 - 1
"""The highest id of an index whose ids are numbers."""
MAX_OVERSAMPLE = 10
"""How many times as many neighbours as wanted Elasticsearch scores again, at most."""


def search_body(
    engine: Engine,
    search: Search,
    within: Mapping[str, Any] | None = None,
    after: Sequence[Any] = (),
    level: str = FLOAT,
    shard_size: int = 0,
    names: FieldNames = OWN_NAMES,
) -> dict[str, Any]:
    """The body that finds the k best documents, or the first 10,000 of them, ties by id.

    A scan ordered by a field finds only documents that have a value.

    Args:
        within: The clause of at most 10,000 documents, which are all compared.
        after: The sort values of the last hit of the previous page.
        level: How the index compares vectors first. Hits of other levels than float are scored again by the
            float32 vectors.
        shard_size: Documents of a shard, by which it considers more or fewer of them; 0: not known.
        names: Those of its fields.
    """
    scores_only = isinstance(search, KnnSearch) and search.scores_only
    body: dict[str, Any] = {
        "size": min(search.k, MAX_HITS),
        # orders the hits of the vector index, and doesn't replace it
        "sort": [*_sort_keys(search, names), {names.path(names.id): "asc"}],
        "_source": _read_fields(names, scores_only=scores_only),
        "track_total_hits": False,
    }
    filters = filter_clauses(search.where, names)
    if within:
        filters.append(dict(within))
    if within or not isinstance(search, KnnSearch):
        filters += names.required
    match search:
        case KnnSearch():
            if within:
                everything = Candidates(MAX_CANDIDATES, MAX_CANDIDATES)
                body |= _knn(engine, search, filters, names, everything, level, exact=True)
            else:
                candidates = choose_candidates(search, level, shard_size)
                body |= _knn(engine, search, filters, names, candidates, level)
        case KeywordSearch(words=words):
            terms = [_word_query(names.words, word, search.former) for word in words]
            body["query"] = {"bool": {"should": terms, "minimum_should_match": 1, "filter": filters}}
            counts = {
                "filters": {"filters": [_word_filter(names.words, word, search.former) for word in words]}
            }
            body["aggs"] = {"all": {"global": {}, "aggs": {"holders": counts}}}
        case Scan(after=id, order=order):
            if id and names.id == DOCUMENT_ID:
                after = after or [id]
            elif id:
                filters.append({"range": {names.path(names.id): {"gt": id}}})
            if order:
                filters.append(filter_clause(Exists(order.field), names))
            body["query"] = {"bool": {"filter": filters}}
        case _:
            assert_never(search)
    return body | ({"search_after": list(after)} if after else {})


def _read_fields(names: FieldNames, *, scores_only: bool) -> Any:
    """What is read of each hit."""
    if not scores_only:
        return {"excludes": [names.vector, names.words]}
    return {"includes": [names.id]} if names.is_adopted else False


def number_ranges(after: str) -> list[tuple[int, int]]:
    """The whole numbers whose texts come after this one: of each number of digits from one to another.

    Numbers with the same number of digits have the order of their texts.
    """
    digits = "".join(takewhile(DIGITS.__contains__, after))
    follows = after[len(digits) :][:1] > "9"  # all texts that begin with the digits
    ranges = []
    for length in range(1, len(str(MAX_NUMBER)) + 1):
        head = int(digits[:length] or 0)
        missing = max(0, length - len(digits))
        first = (head + (follows or not missing)) * 10**missing if after else 0
        least, end = 10 ** (length - 1) if length > 1 else 0, min(10**length, MAX_NUMBER + 1)
        ranges.append((max(least, first), end - 1))
    return [(low, high) for low, high in ranges if low <= high]


def id_clause(ids: Sequence[str], names: FieldNames) -> dict[str, Any]:
    """The clause of the documents from the first to the last of these ids, which are in order."""
    if names.id == DOCUMENT_ID:  # no range of them can be asked for
        return {"ids": {"values": list(ids)}}
    return {"range": {names.path(names.id): {"gte": ids[0], "lte": ids[-1]}}}


def _sort_keys(search: Search, names: FieldNames) -> list[Any]:
    """What hits are sorted by before their ids."""
    if not isinstance(search, Scan):
        return [{"_score": "desc"}]
    if search.order is None:
        return []
    direction = "desc" if search.order.descending else "asc"
    return [{names.path(search.order.field.name): {"order": direction, "unmapped_type": "keyword"}}]


def _word_query(field: str, word: str, former: Mapping[str, str]) -> dict[str, Any]:
    """The named query of a word; with a former form, the better of both."""
    if word not in former:
        return {"term": {field: {"value": word, "_name": word}}}
    forms = [{"term": {field: form}} for form in (word, former[word])]
    return {"dis_max": {"queries": forms, "_name": word}}


def _word_filter(field: str, word: str, former: Mapping[str, str]) -> dict[str, Any]:
    if word not in former:
        return {"term": {field: word}}
    return {"terms": {field: [word, former[word]]}}


def _knn(
    engine: Engine,
    search: KnnSearch,
    filters: list[Any],
    names: FieldNames,
    candidates: Candidates,
    level: str,
    *,
    exact: bool = False,
) -> dict[str, Any]:
    """The nearest of the candidates; in a quantized index, and one that compares vectors in another way than
    by cosine, the best by the cosines of their float32 vectors.
    """
    considered, rescored = candidates
    field = names.vector
    numbers = search.vector.tolist()
    prefilter = {"filter": {"bool": {"filter": filters}}} if filters else {}
    match engine:
        case Engine.OPENSEARCH:
            nearest: dict[str, Any] = {"vector": numbers, "k": rescored, **prefilter}
            by_scripts = bool(filters) and names.filters_by_script
            if level == FLOAT and names.metric is None and not by_scripts:
                return {"query": {"knn": {field: nearest}}}
            # rescore is ignored for lucene before 3.1, and a request's own section forbids sorting
            nearest |= {} if level == FLOAT else {"method_parameters": {"ef_search": considered}}
            query = (
                {"bool": prefilter["filter"]["bool"]} if exact or by_scripts else {"knn": {field: nearest}}
            )
            params = {"field": field, "query_value": numbers, "space_type": "cosinesimil"}
            script = {"lang": "knn", "source": "knn_score", "params": params}
            return {"query": {"script_score": {"query": query, "script": script}}}
        case Engine.ELASTICSEARCH:
            knn = {"field": field, "query_vector": numbers, "num_candidates": considered, **prefilter}
            if level == FLOAT:
                return {"knn": knn | {"k": rescored}}
            wanted = rescored if exact else max(min(rescored, 2 * search.k), -(-rescored // MAX_OVERSAMPLE))
            return {"knn": knn | {"k": wanted, "rescore_vector": {"oversample": rescored / wanted}}}
        case _:
            assert_never(engine)


def count_body(search: Search, names: FieldNames = OWN_NAMES) -> dict[str, Any]:
    """The body that counts the documents that fulfil the conditions, up to k."""
    filters = filter_clauses(search.where, names) + names.required
    return {"size": 0, "query": {"bool": {"filter": filters}}, "track_total_hits": search.k}


def search_head(body: Mapping[str, Any]) -> dict[str, str]:
    """The header of a search in `_msearch`: words have the same weights in all shards."""
    return {"search_type": "dfs_query_then_fetch"} if "aggs" in body and body["size"] else {}


def read_frequencies(answer: Mapping[str, Any]) -> tuple[list[int], int]:
    """The document frequency of each word, and the number of documents, from a keyword search's answer."""
    documents = get_count(answer, "aggregations", "all", "doc_count")
    buckets = get_list(answer, "aggregations", "all", "holders", "buckets")
    return [get_count(bucket, "doc_count") for bucket in buckets], documents
