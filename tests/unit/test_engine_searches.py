"""Searches whose answers no engine gives on command."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

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
