"""Searches whose answers no engine gives on command."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from esclip._core.searches import KnnSearch
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import axis, where
from tests.unit.engine_double import Answer, Asked, as_json, running


def _found(*ids: str, total: int = 0) -> Any:
    hits = [
        {"_id": id, "_score": 1.0, "sort": [id], "_source": {"location": "", "description": ""}} for id in ids
    ]
    return {"status": 200, "hits": {"total": {"value": total}, "hits": hits}}


def test_what_a_filtered_search_misses_is_found_by_comparing_all() -> None:
    """Where fewer hits come back than documents fulfil the conditions, each of these is compared."""
    bodies: list[Any] = []

    def answer(asked: Asked) -> Answer:
        if not asked.path.partition("?")[0].endswith("_msearch"):
            return None
        (body,) = [json.loads(line) for line in asked.body.splitlines()[1::2]]
        bodies.append(body)
        if body["size"] == 0:
            return as_json(200, {"responses": [_found(total=3)]})
        everything = "range" in json.dumps(body) or "knn" not in json.dumps(body)
        return as_json(200, {"responses": [_found(*("abc" if everything else "b"))]})

    with running() as double, closing(EngineStore(double.address, "x")) as store:
        double.lock = answer
        (hits,) = store.search(KnnSearch(axis(0), 5, (where("country", "Norway"),)))
        assert [hit.id for hit in hits] == ["a", "b", "c"]
        assert [body["size"] for body in bodies] == [5, 0, 10_000, 5]
        bodies.clear()
        store.search(KnnSearch(axis(0), 1, (where("country", "Norway"),)))
        assert len(bodies) == 1


def _searched(counts: list[Answer], searches: int, **options: Any) -> tuple[list[int], int]:
    """The candidates of so many searches, and how often documents were counted, with these answers."""
    candidates: list[int] = []
    counted = 0

    def answer(asked: Asked) -> Answer:
        nonlocal counted
        path = asked.path.partition("?")[0]
        if path.endswith("_count"):
            counted += 1
            return counts[min(counted, len(counts)) - 1]
        if not path.endswith("_msearch"):
            return None
        candidates.append(json.loads(asked.body.splitlines()[1])["query"]["knn"]["vector"]["k"])
        return as_json(200, {"responses": [_found("a")]})

    with running() as double, closing(EngineStore(double.address, "x")) as store:
        double.lock = answer
        for _ in range(searches):
            store.search(KnnSearch(axis(0), 1, **options))
        return candidates, counted


def test_documents_are_counted_once_for_many_searches() -> None:
    """The candidates follow the documents of a shard, which aren't counted again within a minute."""
    count = as_json(200, {"count": 120_000, "_shards": {"total": 3, "failed": 0}})
    assert _searched([count], 3) == ([4_000] * 3, 1)
    assert _searched([count], 2, candidates=77) == ([77] * 2, 0)


@pytest.mark.parametrize(
    "refused",
    [as_json(403, {"error": "no"}), as_json(400, {}), as_json(200, ["what"])],
    ids=["403", "400", "JSON"],
)
def test_a_search_needs_no_count(refused: Answer) -> None:
    """Where documents can't be counted, the fewest candidates are considered, and nobody asks again."""
    assert _searched([refused], 2) == ([600, 600], 1)


def test_the_mapping_is_read_once() -> None:
    """What opens an index reads its mapping, and searches that follow at once read it no more."""

    def answer(asked: Asked) -> Answer:
        if asked.path.partition("?")[0].endswith("_msearch"):
            return as_json(200, {"responses": [_found("a")]})
        return None

    with running() as double, closing(EngineStore(double.address, "x")) as store:
        double.lock = answer
        assert store.alias_target() is None
        assert store.schema() is not None
        for _ in range(2):
            assert len(store.search(KnnSearch(axis(0), 1, candidates=77))[0]) == 1
        asked = [asked.path.partition("?")[0].rpartition("/")[2] for asked in double.asked]
        assert asked == ["_mapping", "", "_msearch", "_msearch"]
        assert store.schema() is not None
        assert double.asked[-1].path.endswith("_mapping")


@pytest.mark.parametrize("of_one", [True, False], ids=["one of several", "all"])
@pytest.mark.parametrize("kind", ["search_context_missing_exception", "shard_not_found_exception"])
def test_a_search_whose_shard_goes_is_repeated(kind: str, of_one: bool) -> None:
    """What an engine answers with 404 while an index is renamed ends no search."""
    root = {"type": kind, "reason": "gone"}
    error = {"type": "search_phase_execution_exception", "reason": "all shards failed", "root_cause": [root]}
    whole = as_json(404, {"error": error, "status": 404})
    answers = [as_json(200, {"responses": [{"error": error, "status": 404}]}) if of_one else whole]

    def answer(asked: Asked) -> Answer:
        if not asked.path.partition("?")[0].endswith("_msearch"):
            return None
        return answers.pop() if answers else as_json(200, {"responses": [_found("a")]})

    with running() as double, closing(EngineStore(double.address, "x")) as store:
        double.lock = answer
        (hits,) = store.search(KnnSearch(axis(0), 1, candidates=77))
        assert [hit.id for hit in hits] == ["a"]
    assert not answers
