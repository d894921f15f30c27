"""What answers at an engine's address may be anything: an answer of any shape is used, or is one error."""

from __future__ import annotations

import gzip
import math
import tracemalloc
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from esclip import EsclipError, StoreError
from esclip._concurrency.retry import StoreTimeouts
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.searches import KeywordSearch, KnnSearch, Scan
from esclip._core.types import Hit, StoredDocument
from esclip.stores import serialization as stored
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.index_bodies import index_body
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import EVERYTHING, SCHEMA, axis, document, where
from tests.fuzzing import fuzz_tries
from tests.odd_answers import variants
from tests.servers import PictureServer, body
from tests.unit.engine_double import OPENSEARCH, Answer, Asked, EngineDouble, as_json, running

SHORT_TIMEOUTS = StoreTimeouts(first=0.01, read=0.01, write=0.01, backoff=0.001)
IDS = ["a", "b"]
SHARDS = {"total": 3, "failed": 0}
SOURCES = [
    stored.to_source(document(id, axis(0), EVERYTHING))
    | {"vector": axis(0).tolist(), "content_fingerprint": id}
    for id in IDS
]
HITS = [
    {"_id": id, "_score": 0.9, "_source": source, "sort": [0.9, id], "matched_queries": ["red"]}
    for id, source in zip(IDS, SOURCES, strict=True)
]
WORDS = {"all": {"doc_count": 9, "holders": {"buckets": [{"doc_count": 2}]}}}
FOUND = {"hits": {"total": {"value": 2}, "hits": HITS}, "aggregations": WORDS, "status": 200}
MAPPINGS = index_body(Engine.OPENSEARCH, SCHEMA, 1)["mappings"]
DONE = {"acknowledged": True}

ANSWERS: dict[str, Any] = {
    "/": OPENSEARCH,
    "/x": DONE,
    "/x/_mapping": {"x": {"mappings": MAPPINGS}},
    "/x/_alias": {"x": {"aliases": {"pictures": {}}}},
    "/x/_count": {"count": 2, "_shards": SHARDS},
    "/x/_refresh": {"_shards": SHARDS},
    "/x/_stats/store": {"_shards": SHARDS, "_all": {"total": {"store": {"size_in_bytes": 5}}}},
    "/x/_segments": {"indices": {"x": {"shards": {"0": [{"segments": {"_1": {"num_docs": 7}}}]}}}},
    "/x/_mget": {"docs": [{"_id": one["_id"], "found": True, "_source": one["_source"]} for one in HITS]},
    "/x/_msearch": {"responses": [FOUND]},
    "/x/_search": FOUND,
    "/x/_bulk": {
        "items": [
            {"index": {"status": 201}},
            {"index": {"status": 400, "error": {"type": "t", "reason": "r", "caused_by": {"reason": "c"}}}},
        ]
    },
    "/x/_settings": {"x": {"settings": {"index": {"refresh_interval": "60s"}}}},
    "/_cluster/health": {"number_of_data_nodes": 1},
    "deleted": {"items": [{"delete": {"status": 200}}, {"delete": {"status": 404}}]},
    "put": DONE,
}
"""What an engine says, by path; what it says to a delete and to a change has another shape."""


def loaded(store: EngineStore) -> None:
    with store.bulk_load():
        pass


def searched(*searches: Any) -> Callable[[EngineStore], list[list[Hit]]]:
    return lambda store: store.search(*searches)


WIDER = IndexSchema(SCHEMA.space, (*SCHEMA.fields, Field("more", FieldType.KEYWORD)))

OPERATIONS: dict[str, tuple[Callable[[EngineStore], Any], tuple[str, ...]]] = {
    "schema": (lambda store: store.schema(), ("/", "/x/_mapping")),
    "info": (lambda store: store.info(), ("/x/_count", "/x/_refresh", "/x/_stats/store", "/x/_segments")),
    "target": (lambda store: store.alias_target(), ("/x/_mapping",)),
    "aliases": (lambda store: store.aliases(), ("/x/_alias",)),
    "prepare": (lambda store: store.ensure_index(SCHEMA), ("/x/_mapping",)),
    "widen": (lambda store: store.ensure_index(WIDER), ("put",)),
    "fingerprints": (lambda store: store.fingerprints(IDS), ("/x/_mget",)),
    "documents": (lambda store: store.documents(IDS), ("/x/_mget",)),
    "upsert": (lambda store: store.upsert([document(id) for id in IDS]), ("/x/_bulk",)),
    "update": (lambda store: store.update([document(id).record for id in IDS]), ("/x/_bulk",)),
    "delete": (lambda store: store.delete(IDS), ("deleted",)),
    "vectors": (lambda store: store.vectors_by_content(["1", "2"]), ("/x/_search",)),
    "locations": (lambda store: list(store.scan_locations()), ("/x/_search",)),
    "nearest": (searched(KnnSearch(axis(0), 2)), ("/x/_msearch",)),
    "exact": (searched(KnnSearch(axis(0), 2, exact=True)), ("/x/_msearch",)),
    "filtered": (searched(KnnSearch(axis(0), 5, (where("country", "Norway"),))), ("/x/_msearch",)),
    "words": (searched(KeywordSearch(("red",), 2)), ("/x/_msearch",)),
    "listing": (searched(Scan(2)), ("/x/_msearch",)),
    "loading": (loaded, ("/x/_settings", "put")),
    "drop": (lambda store: store.drop(), ("/x",)),
}

TRIED = fuzz_tries(40)
"""So many of the odd answers are tried, always the same ones; `ESCLIP_FUZZ=9000` tries all, for minutes."""


def serve(double: EngineDouble, changed: str | None = None, answer: Any = None) -> None:
    """Have the double answer as an engine, but with this answer at one place."""

    def say(asked: Asked) -> Answer:
        path = asked.path.partition("?")[0].rstrip("/") or "/"
        if path == "/x/_bulk" and b'{"delete"' in asked.body:
            path = "deleted"
        elif asked.method == "PUT" and path != "/x":
            path = "put"
        return as_json(200, answer if path == changed else ANSWERS[path])

    double.lock = say


def sane(result: Any) -> bool:
    """Whether what came back has the types that callers rely on."""
    match result:
        case Hit():
            texts = (result.id, result.location, result.description, result.content, result.page or "")
            return all(isinstance(text, str) for text in texts) and math.isfinite(result.score)
        case StoredDocument():
            record = result.record
            own = (record.id, record.location, record.description, record.page or "")
            return all(isinstance(text, str) for text in own) and result.vector.shape == axis(0).shape
        case list() | tuple():
            return all(map(sane, result))
        case dict():
            return all(isinstance(key, str) and sane(value) for key, value in result.items())
        case _:
            return True


@pytest.fixture(scope="module")
def double() -> Iterator[EngineDouble]:
    with running() as running_double:
        yield running_double


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_an_engine_says_is_understood(double: EngineDouble, operation: str) -> None:
    """The answers from which the odd ones are made are an engine's: no operation fails over them."""
    serve(double)
    store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
    assert sane(OPERATIONS[operation][0](store))
    store.close()


@pytest.mark.parametrize(
    ("operation", "place"), [(name, place) for name, (_, places) in OPERATIONS.items() for place in places]
)
def test_odd_answers_are_errors_of_ours(double: EngineDouble, operation: str, place: str) -> None:
    """Types exchanged, keys missing, lists for objects, huge numbers: no exception but ours, no odd value."""
    call, _ = OPERATIONS[operation]
    store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
    odd = list(variants(ANSWERS[place]))
    for answer in Random(place).sample(odd, min(len(odd), TRIED)):
        serve(double, place, answer)
        if place == "/":
            store.close()
            store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
        try:
            result = call(store)
        except EsclipError:
            continue
        assert sane(result), answer
    store.close()


def failing(double: EngineDouble, call: Callable[[EngineStore], Any]) -> EsclipError:
    """What an operation raises."""
    store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
    with pytest.raises(EsclipError) as raised:
        call(store)
    store.close()
    return raised.value


def test_the_error_says_who_answered_what(double: EngineDouble) -> None:
    """An answer of another shape names the server, the request and what is odd about it."""
    serve(double, "/x/_count", {"count": "many", "_shards": SHARDS})
    error = failing(double, lambda store: store.info())
    assert double.address in str(error)
    assert "answered count of index 'x' as no engine does (count is no number of anything)" in str(error)


def test_shards_are_counted_where_the_engine_tells(double: EngineDouble) -> None:
    """Primaries and replicas together; None where the user may not read that, or an answer lacks it."""
    store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
    size = {"_all": {"total": {"store": {"size_in_bytes": 5}}}}
    for answer, shards in (({"_shards": SHARDS, **size}, 3), (size, None), ({"error": {}}, None)):
        serve(double, "/x/_stats/store", answer)
        info = store.info()
        assert info
        assert info.shards == shards
    store.close()


def test_bytes_of_primaries_are_told_apart(double: EngineDouble) -> None:
    """They say how many copies of each shard there are; None where an answer lacks them."""
    store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
    total, primaries = ({"store": {"size_in_bytes": size}} for size in (6, 3))
    for sizes, told in (({"total": total, "primaries": primaries}, (6, 3)), ({"total": total}, (6, None))):
        serve(double, "/x/_stats/store", {"_all": sizes})
        info = store.info()
        assert info
        assert (info.bytes, info.primary_bytes) == told
    store.close()


def test_the_largest_segment_is_told_where_the_engine_tells(double: EngineDouble) -> None:
    """Of all shards and copies; None for an index without any, and where the user may not read them."""
    store = EngineStore(double.address, "x", SHORT_TIMEOUTS)
    copies = [{"segments": {f"_{n}": {"num_docs": n} for n in counts}} for counts in ((1, 9), (12,), ())]
    told = {"indices": {"x": {"shards": {"0": copies[:2], "1": copies[2:]}}}}
    for answer, largest in ((told, 12), ({}, None), ({"error": {}}, None)):
        serve(double, "/x/_segments", answer)
        info = store.info()
        assert info
        assert info.largest_segment == largest
    store.close()


def test_an_alias_of_several_indexes_is_told(double: EngineDouble) -> None:
    """A name that stands for two indexes is no index: the error names them."""
    mapping = {"mappings": MAPPINGS}
    serve(double, "/x/_mapping", {"x-2": mapping, "x-1": mapping})
    error = failing(double, lambda store: store.schema())
    assert "index 'x' at" in str(error)
    assert "alias of 2 indexes (x-1, x-2); name one of them" in str(error)


def test_an_alias_of_some_documents_is_told(double: EngineDouble) -> None:
    """A name that stands for a part of an index is not taken for the index."""
    aliased = {"mappings": MAPPINGS, "aliases": {"x": {"filter": {"term": {"id": "a"}}}}}
    double.lock = lambda asked: as_json(200, OPENSEARCH if asked.path == "/" else {"x-1": aliased})
    error = failing(double, lambda store: store.alias_target())
    assert "is an alias of some documents of index 'x-1', by a filter or a routing" in str(error)


@pytest.mark.parametrize("operation", ["drop", "widen", "loading"])
def test_what_is_not_acknowledged_is_not_done(double: EngineDouble, operation: str) -> None:
    """An index counts as removed or changed when the cluster says so, not whatever it says."""
    call, (*_, place) = OPERATIONS[operation]
    serve(double, place, {"acknowledged": False})
    assert "did not finish" in str(failing(double, call))


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("said", [b"[" * 100_000, b'{"error": [1]}', b"[]", b"null", b'"x"', b"\xff", b"{"])
def test_bodies_that_are_no_engines(double: EngineDouble, said: bytes, status: int) -> None:
    """JSON that is nested without end, of another kind, or none: an error of ours at any status."""
    double.lock = lambda asked: (status, "application/json", said)
    assert "\n" not in str(failing(double, lambda store: store.schema()))


def test_pages_that_never_end(double: EngineDouble) -> None:
    """The same full page again and again is an error, not a loop."""
    page = [{"_id": "a", "_source": {"location": "l"}, "sort": ["a"]}] * 5_000
    serve(double, "/x/_search", {"hits": {"hits": page}})
    assert "the same hits come again" in str(failing(double, lambda store: list(store.scan_locations())))


def test_a_small_answer_that_becomes_a_large_one() -> None:
    """A packed answer of some hundred kilobytes is given up before it fills the memory."""
    packed = gzip.compress(b" " * (4 << 20), 9) * 100
    assert len(packed) < 500_000
    with PictureServer(
        {"/": body(packed, Content_Type="application/json", Content_Encoding="gzip")}
    ) as server:
        store = EngineStore(server.url(""), "x", SHORT_TIMEOUTS)
        tracemalloc.start()
        with pytest.raises(StoreError, match="an answer of more than 64 MiB"):
            store.schema()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        store.close()
    assert peak < 200 << 20
