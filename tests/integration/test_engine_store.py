"""EngineStore on real engines: the contract of all stores, and what only engines have."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Timer
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import pytest

from esclip._concurrency.retry import StoreTimeouts
from esclip._core.analysis import analyze_record
from esclip._core.index_settings import FLOAT, INT8, VECTOR_LEVELS
from esclip._core.rejections import Stage
from esclip._core.schema import Field, FieldType, IndexSchema, Space
from esclip._core.searches import KeywordSearch, KnnSearch, Order, Scan
from esclip._core.types import Metadata, StoredDocument, json_metadata
from esclip._errors import IndexExists, IndexMismatch, IndexNotFound, StoreError, StoreUnavailable
from esclip._errors.reasons import Reason
from esclip._protocols import Store
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.store import EngineStore
from esclip.testing.documents import (
    EVERYTHING,
    SCHEMA,
    axis,
    document,
    nearest,
    random_vectors,
    record,
)
from esclip.testing.store import StoreContract
from tests.engines import engine_access, engine_address, engine_versions, http, opened_store, words_apart

pytestmark = pytest.mark.engine


@pytest.fixture(params=engine_versions())
def address(request: pytest.FixtureRequest) -> str:
    """The address of each engine in turn."""
    return engine_address(request.param)


@pytest.fixture
def store(address: str) -> Iterator[EngineStore]:
    """A store on an index of its own."""
    with opened_store(address) as store:
        yield store


class TestEngineStore(StoreContract):
    @pytest.fixture
    def store(self, store: EngineStore) -> EngineStore:
        """A store on an index of its own."""
        return store

    def levels(self, store: Store) -> Collection[str]:
        assert isinstance(store, EngineStore)
        is_elasticsearch = store._client.server().engine is Engine.ELASTICSEARCH
        return VECTOR_LEVELS if is_elasticsearch else (FLOAT, INT8)

    def plant(self, store: Any, documents: Sequence[StoredDocument]) -> None:
        lines: list[dict[str, Any]] = []
        for one in documents:
            kept = one.record
            own = {
                "id": kept.id,
                "vector": one.vector.tolist(),
                "location": kept.location,
                "page": kept.page,
                "description": kept.description,
                "pixels_fingerprint": kept.fingerprint.pixels,
                "record_fingerprint": kept.fingerprint.record,
                "words": " ".join(analyze_record(kept)),
            }
            lines += [{"index": {"_id": kept.id}}, own | json_metadata(kept.metadata)]
        payload = "".join(json.dumps(one) + "\n" for one in lines).encode()
        answer = http("POST", f"{store.address}/{store.index}/_bulk?refresh=true", payload)
        assert not answer["errors"], answer

    def peek(self, store: Any, id: str) -> dict[str, Any] | None:
        url = f"{store.address}/{store.index}/_doc/{quote(id, safe='')}"
        found = http("GET", url, ok=(200, 404))
        if found["found"] and "vector" not in found["_source"]:
            found = http("GET", url + "?_source_exclude_vectors=false")
        return words_apart(found["_source"]) if found["found"] else None

    def plant_words(self, store: Any, id: str, words: Sequence[str]) -> None:
        body = {"doc": {"words": " ".join(words)}}
        http("POST", f"{store.address}/{store.index}/_update/{id}?refresh=true", body)

    def plant_schema(self, store: Any, schema: Mapping[str, Any]) -> None:
        http("PUT", f"{store.address}/{store.index}/_mapping", {"_meta": {"esclip": schema}})

    def peek_schema(self, store: Any) -> Mapping[str, Any]:
        kept: dict[str, Any] = mapping(store)["_meta"]["esclip"]
        return kept


def settings(store: EngineStore) -> tuple[str | None, str]:
    """An index's refresh interval and number of replicas."""
    (found,) = http("GET", f"{store.address}/{store.index}/_settings").values()
    index = found["settings"]["index"]
    return index.get("refresh_interval"), index["number_of_replicas"]


def put_settings(store: EngineStore, **changes: Any) -> None:
    """Change settings around the store."""
    http("PUT", f"{store.address}/{store.index}/_settings", {"index": changes})


def nodes(store: EngineStore) -> int:
    """How many nodes hold data."""
    return int(http("GET", f"{store.address}/_cluster/health")["number_of_data_nodes"])


def mapping(store: EngineStore) -> Any:
    """An index's mapping."""
    (found,) = http("GET", f"{store.address}/{store.index}/_mapping").values()
    return found["mappings"]


def test_index_as_it_is_made(store: EngineStore) -> None:
    """A new index has three shards, final settings, no dynamic fields, and nothing that it wasn't told."""
    store.ensure_index(SCHEMA)
    (found,) = http("GET", f"{store.address}/{store.index}/_settings").values()
    assert found["settings"]["index"]["number_of_shards"] == "3"
    assert settings(store) == ("60s", "1" if nodes(store) > 1 else "0")
    held = mapping(store)
    assert held["dynamic"] == "false"
    store.upsert([document("a", metadata=EVERYTHING)])
    assert mapping(store) == held


def test_info_names_engine_and_size(store: EngineStore) -> None:
    """What holds an index is named with its version, and its size is known."""
    store.ensure_index(SCHEMA)
    with store.bulk_load():
        store.upsert([document(f"{i}") for i in range(50)])
    info = store.info()
    assert info is not None
    assert info.engine.split()[0] in ("OpenSearch", "Elasticsearch")
    assert info.engine.split()[1][0].isdigit()
    assert info.bytes is not None
    assert info.bytes > 0  # engines measure it every 10 seconds only


def test_loading_sets_and_restores(store: EngineStore) -> None:
    """An index is loaded without refreshes and with its copies; after that its settings are the standard."""
    store.ensure_index(SCHEMA)
    interval, replicas = settings(store)
    with store.bulk_load():
        assert settings(store) == ("-1", replicas)
    assert settings(store) == (interval, replicas)


@pytest.mark.parametrize("interval", ["5s", None])
def test_loading_keeps_what_a_user_has_set(store: EngineStore, interval: str | None) -> None:
    """A refresh interval and replicas that a user chose are there again after loading, an error too."""
    store.ensure_index(SCHEMA)
    put_settings(store, refresh_interval=interval, number_of_replicas=2)
    with store.bulk_load():
        store.upsert([document("a")])
    assert settings(store) == (interval, "2")
    with pytest.raises(KeyboardInterrupt), store.bulk_load():
        raise KeyboardInterrupt
    assert settings(store) == (interval, "2")
    cancelled = threading.Event()
    with store.bulk_load(cancelled):
        cancelled.set()
    assert settings(store) == (interval, "2")


def test_loading_repairs_after_a_dead_loader(store: EngineStore) -> None:
    """An index whose loader died gets the standard settings at the end of the next load."""
    store.ensure_index(SCHEMA)
    standard = settings(store)
    put_settings(store, refresh_interval="-1")
    with store.bulk_load():
        store.upsert([document("a")])
    assert settings(store) == standard
    assert [hit.id for hit in nearest(store, axis(0), 3)] == ["a"]


@pytest.mark.parametrize("first", ["outer", "inner"])
def test_two_loaders_restore_once(store: EngineStore, first: str) -> None:
    """Of two loaders at once, whichever leaves last, the index ends with what was set before both."""
    store.ensure_index(SCHEMA)
    put_settings(store, refresh_interval="5s")
    outer, inner = store.bulk_load(), store.bulk_load()
    outer.__enter__()
    inner.__enter__()
    for loader in (outer, inner) if first == "outer" else (inner, outer):
        loader.__exit__(None, None, None)
    assert settings(store)[0] == "5s"


def test_foreign_index_is_left_alone(store: EngineStore) -> None:
    """An index that esclip did not make is refused by every call, and not removed."""
    http("PUT", f"{store.address}/{store.index}", {"mappings": {"properties": {"a": {"type": "text"}}}})
    for call in (
        lambda: store.ensure_index(SCHEMA),
        lambda: store.schema(),
        lambda: store.info(),
        lambda: store.upsert([document("a")]),
        lambda: nearest(store, axis(0), 1),
        lambda: store.documents(["a"])["a"],
        lambda: store.drop(),
    ):
        with pytest.raises(IndexExists, match=store.index):
            call()
    assert mapping(store) == {"properties": {"a": {"type": "text"}}}


def test_other_space_is_refused(store: EngineStore) -> None:
    """An index that compares vectors by anything but the cosine is refused, and its space named."""
    with opened_store(store.address) as made:
        made.ensure_index(SCHEMA)
        held = mapping(made)
    vector = held["properties"]["vector"]
    if "method" in vector:
        vector["method"]["space_type"] = "l2"
        index: dict[str, Any] = {"knn": True}
    else:
        vector["similarity"] = "l2_norm"
        index = {}
    http("PUT", f"{store.address}/{store.index}", {"settings": {"index": index}, "mappings": held})
    with pytest.raises(IndexMismatch, match="l2"):
        store.ensure_index(SCHEMA)


def test_vanished_index_is_not_made_by_a_write(store: EngineStore) -> None:
    """A write to an index that was removed says so, and leaves no index with a guessed mapping."""
    store.ensure_index(SCHEMA)
    assert store.upsert([document("a")]) == []
    http("DELETE", f"{store.address}/{store.index}")
    with pytest.raises(IndexNotFound, match=store.index):
        store.upsert([document("b")])
    assert store.info() is None


def test_makers_at_once(store: EngineStore) -> None:
    """Several processes may prepare an index at the same moment; it is made once."""
    access = engine_access(store.address)
    stores = [EngineStore(store.address, store.index, auth=access) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: one.ensure_index(SCHEMA), stores))
    info = store.info()
    assert info is not None
    assert info.schema == SCHEMA
    for one in stores:
        one.close()


def test_vector_survives_flush_and_update(store: EngineStore) -> None:
    """A vector comes back from memory and from disk, before and after an update of the rest."""
    vector = random_vectors(1, 1)[0]
    store.ensure_index(SCHEMA)
    store.upsert([document("a", vector, EVERYTHING)])
    for likes in (1, 2):
        np.testing.assert_allclose(store.documents(["a"])["a"].vector, vector, atol=1e-6)
        http("POST", f"{store.address}/{store.index}/_flush?force=true")
        http("POST", f"{store.address}/{store.index}/_refresh")
        np.testing.assert_allclose(store.documents(["a"])["a"].vector, vector, atol=1e-6)
        assert store.update([record("a", {"likes": likes})]) == []
    assert store.documents(["a"])["a"].record.metadata == {"likes": 2}


def test_engine_refuses_a_document(store: EngineStore) -> None:
    """A document that only the engine finds wrong is rejected in its words; those beside it are written."""
    store.ensure_index(SCHEMA)
    held = mapping(store)
    http("DELETE", f"{store.address}/{store.index}")
    held["properties"]["caption"] = {"type": "ip"}
    knn = {"settings": {"index": {"knn": True}}} if "method" in held["properties"]["vector"] else {}
    http("PUT", f"{store.address}/{store.index}", {"mappings": held, **knn})
    (rejected,) = store.upsert([document("a"), document("b", metadata={"caption": "a dog"}), document("c")])
    assert (rejected.id, rejected.stage, rejected.reason) == ("b", Stage.WRITE, Reason.WRITE_REJECTED)
    assert "caption" in rejected.detail
    assert "a dog" in rejected.detail
    assert set(store.fingerprints(["a", "b", "c"])) == {"a", "c"}


def test_a_full_disk_rejects_nothing(store: EngineStore) -> None:
    """Under an engine's block for a full disk a write waits, and goes on when the engine takes it back."""
    store.ensure_index(SCHEMA)
    put_settings(store, blocks={"read_only_allow_delete": True})
    hasty = EngineStore(store.address, store.index, StoreTimeouts(write=1), engine_access(store.address))
    with pytest.raises(StoreUnavailable, match="disk of a node is full"):
        hasty.upsert([document("a")])
    hasty.close()
    lift = Timer(2, put_settings, [store], {"blocks": {"read_only_allow_delete": None}})
    lift.start()
    assert store.upsert([document(id) for id in "ab"]) == []
    lift.join()
    assert set(store.fingerprints(["a", "b"])) == {"a", "b"}


def test_a_blocked_index_rejects_nothing(store: EngineStore) -> None:
    """An index that somebody blocked or closed is one error, in the engine's words."""
    store.ensure_index(SCHEMA)
    put_settings(store, blocks={"write": True})
    with pytest.raises(StoreError, match=r"takes no documents: .*blocked"):
        store.upsert([document("a"), document("b")])
    put_settings(store, blocks={"write": None})
    http("POST", f"{store.address}/{store.index}/_close")
    with pytest.raises(StoreError, match="takes no documents: index_closed_exception"):
        store.update([record("a")])


def test_updates_of_one_document_at_once(store: EngineStore) -> None:
    """Writers that meet over one document conflict, and all of them end as written."""
    store.ensure_index(SCHEMA)
    store.upsert([document("a")])
    with ThreadPoolExecutor(8) as threads:
        updates = [[record("a", {"likes": likes})] for likes in range(80)]
        assert list(threads.map(store.update, updates)) == [[]] * 80
    assert store.documents(["a"])["a"].record.metadata["likes"] in range(80)


def test_pages_at_once(store: EngineStore) -> None:
    """Pages that several threads write, as an ingest does, are all there, with their own vectors."""
    store.ensure_index(SCHEMA)
    vectors = random_vectors(600, 4)
    pages = [
        [document(f"{at}", vectors[at]) for at in range(start, start + 50)] for start in range(0, 600, 50)
    ]
    with store.bulk_load(), ThreadPoolExecutor(store.write_concurrency) as threads:
        assert list(threads.map(store.upsert, pages)) == [[]] * 12
    info = store.info()
    assert info is not None
    assert info.documents == 600
    for at in (0, 299, 599):
        np.testing.assert_allclose(store.documents([f"{at}"])[f"{at}"].vector, vectors[at], atol=1e-6)


def test_vectors_that_come_back_as_they_were_sent(store: EngineStore) -> None:
    """An index that keeps vectors in `_source`, as older Elasticsearch makes them, is read the same."""
    store.ensure_index(SCHEMA)
    held = mapping(store)
    if "method" in held["properties"]["vector"]:
        pytest.skip("OpenSearch has no such setting")
    http("DELETE", f"{store.address}/{store.index}")
    kept = {"index": {"mapping": {"exclude_source_vectors": False}}}
    http("PUT", f"{store.address}/{store.index}", {"mappings": held, "settings": kept})
    vector = random_vectors(1, 5)[0]
    with store.bulk_load():
        store.upsert([replace(document("a", vector), content="bytes")])
    np.testing.assert_allclose(store.documents(["a"])["a"].vector, vector, atol=1e-6)
    np.testing.assert_allclose(store.vectors_by_content(["bytes"])["bytes"], vector, atol=1e-6)
    store.update([record("a", {"likes": 3})])
    np.testing.assert_allclose(store.documents(["a"])["a"].vector, vector, atol=1e-6)


def test_long_keyword_is_kept(store: EngineStore) -> None:
    """A string that is too long for a term of the index is stored all the same."""
    long = "é🐘" * 20_000
    store.ensure_index(SCHEMA)
    written = document("a", metadata={"country": long, "colors": (long, "red")})
    with store.bulk_load():
        assert store.upsert([written]) == []
    (hit,) = nearest(store, axis(0), 1)
    assert hit.metadata == written.record.metadata


def test_ties_at_the_cut(store: EngineStore) -> None:
    """Of many equally near documents the first by id are found, the same ones each time."""
    store.ensure_index(SCHEMA)
    ids = [f"{i:03}" for i in np.random.default_rng(1).permutation(120)]
    with store.bulk_load():
        store.upsert([document(id, axis(1)) for id in ids])
    for _ in range(3):
        assert [hit.id for hit in nearest(store, axis(1), 7)] == [f"{i:03}" for i in range(7)]


def test_a_name_that_has_become_an_alias(store: EngineStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """However lately a store has read its schema, it gives none of the index that its name means now."""
    monkeypatch.setattr("esclip.stores.engine.store.RECENT_S", 60.0)
    with (
        store.open_other(f"{store.index}-1") as renamed,
        store.open_other(f"{store.index}-2") as other,
        store.open_other(store.index) as same,
    ):
        for one, id in ((store, "a"), (other, "b")):
            one.ensure_index(SCHEMA)
            with one.bulk_load():
                assert one.upsert([document(id)]) == []
        assert [hit.id for hit in nearest(store, axis(0), 9)] == ["a"]
        try:
            same.rename(renamed.index, {})
            same.point_alias(other.index)
            for call in (
                lambda: nearest(store, axis(0), 9),
                lambda: nearest(store, axis(0), 9, exact=True),
                lambda: store.search(Scan(9)),
                lambda: store.fingerprints(["a", "b"]),
            ):
                with pytest.raises(IndexExists, match=f"is an alias of index '{other.index}'"):
                    call()
        finally:
            for one in (renamed, other):
                http("DELETE", f"{store.address}/{one.index}")


def test_more_hits_than_an_answer_holds(store: EngineStore) -> None:
    """Beyond the 10,000 hits that an engine gives at once, all kinds of searches go on, in their order."""
    store.ensure_index(SCHEMA)
    count = 10_400
    vectors = random_vectors(count, 31)
    metadata: list[Metadata] = [
        {"colors": ("often" if n % 100 == 0 else f"one {n}", f"two {n}"), **({"likes": -n} if n % 2 else {})}
        for n in range(count)
    ]
    planted = [
        StoredDocument(record(f"{n:05}", metadata[n], description="a dog"), vectors[n]) for n in range(count)
    ]
    with store.bulk_load():
        assert store.upsert(planted) == []
    query = random_vectors(1, 32)[0]
    colors, likes = (field for field in SCHEMA.fields if field.name in ("colors", "likes"))
    near, matching, listed, ordered = store.search(
        KnnSearch(query, 10_200),
        KeywordSearch(("dog",), 10_200),
        Scan(10_200),
        Scan(10_200, order=Order(likes)),
    )
    ids = [f"{n:05}" for n in range(count)]
    cosines = vectors.astype(np.float64) @ query
    np.testing.assert_allclose([hit.score for hit in near], np.sort(cosines)[::-1][:10_200], atol=1e-6)
    assert len({hit.id for hit in near}) == 10_200
    assert [hit.id for hit in matching] == [hit.id for hit in listed] == ids[:10_200]
    assert [hit.rank for hit in listed] == list(range(1, 10_201))
    assert [hit.id for hit in ordered] == [*ids[::-2], *ids[::2]][:10_200]
    assert [hit.rank for hit in ordered] == list(range(1, 10_201))
    facets = [store.facets([colors], limit=limit)["colors"] for limit in (1, 2)]
    assert [[one.count for one in facet.values] for facet in facets] == [[104], [104, 1]]
    assert [(facet.others, facet.exact) for facet in facets] == [(20_696, True), (20_695, False)]
    exact = nearest(store, query, 10, exact=True)
    assert [hit.id for hit in exact] == [hit.id for hit in near[:10]]


def test_facets_of_more_values_than_a_shard_lists(store: EngineStore) -> None:
    """Shards are asked for longer lists, which are exact."""
    store.ensure_index(SCHEMA)
    names = [f"rare {n:04}" for n in range(3600)] + ["common"] * 60 + ["often"] * 40
    written = [document(f"{n:05}", metadata={"country": name}) for n, name in enumerate(names)]
    with store.bulk_load():
        assert store.upsert(written) == []
    country = next(field for field in SCHEMA.fields if field.name == "country")
    facet = store.facets([country], limit=2)["country"]
    assert [(one.value, one.count) for one in facet.values] == [("common", 60), ("often", 40)]
    assert (facet.others, facet.missing, facet.exact) == (3600, 0, True)
    more = store.facets([country], limit=4)["country"]
    assert [one.value for one in more.values] == ["common", "often", "rare 0000", "rare 0001"]
    assert more.exact


def test_query_of_another_dimension(store: EngineStore) -> None:
    """A query that can't be compared is refused with both dimensions named."""
    store.ensure_index(SCHEMA)
    with pytest.raises(IndexMismatch, match=r"16 dimensions.*8"):
        nearest(store, axis(0, dim=8), 1)


def test_recall_and_scores_at_full_size(store: EngineStore) -> None:
    """Among 2,000 random vectors of 512 dimensions 99 in 100 true neighbours are found, with true cosines."""
    space = Space(model="tests", text_model="tests", weights="1", preprocessing="none", dim=512)
    parity = Field("parity", FieldType.INTEGER)
    store.ensure_index(IndexSchema(space, (parity,)))
    vectors = random_vectors(2000, 2, dim=512)
    with store.bulk_load():
        documents = [document(f"{i:04}", vector, {"parity": i % 2}) for i, vector in enumerate(vectors)]
        assert store.upsert(documents) == []
    found = 0
    for query in random_vectors(20, 3, dim=512):
        cosines = vectors.astype(np.float64) @ query
        hits = nearest(store, query, 10)
        found += len({int(hit.id) for hit in hits} & set(np.argsort(-cosines)[:10].tolist()))
        np.testing.assert_allclose([h.score for h in hits], [cosines[int(h.id)] for h in hits], atol=1e-5)
    assert found >= 0.99 * 200


def test_an_alias_of_two_indexes_is_told(address: str) -> None:
    """A name that stands for two indexes is told with both, by whatever reads, writes or removes."""
    with opened_store(address) as one, opened_store(address) as other:
        for store in (one, other):
            store.ensure_index(SCHEMA)
        alias = f"esclip-test-{uuid4().hex}"
        actions = [{"add": {"index": store.index, "alias": alias}} for store in (one, other)]
        http("POST", f"{address}/_aliases", {"actions": actions})
        named = EngineStore(address, alias, auth=engine_access(address))
        for call in (
            named.schema,
            named.info,
            named.drop,
            lambda: named.upsert([document("a")]),
            lambda: nearest(named, axis(0), 1),
        ):
            with pytest.raises(StoreError, match="alias of 2 indexes"):
                call()
        named.close()
        assert one.schema() is not None
