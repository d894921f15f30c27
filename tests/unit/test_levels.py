"""Levels of vectors in the engines' JSON: made, read again, searched, refused; settings of a new index."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from esclip._core.index_settings import BIT, FLOAT, INT8, VECTOR_LEVELS, IndexSettings
from esclip._core.schema import IndexSchema
from esclip._core.searches import KnnSearch
from esclip.stores.engine.dialects import Engine, Server
from esclip.stores.engine.index_bodies import index_body, schema_from_mapping
from esclip.stores.engine.queries import search_body
from esclip.stores.engine.vector_mapping import (
    level_refusal,
    move_refusal,
    read_settings,
    vector_conflict,
    vector_property,
)
from esclip.testing.documents import DIM, SCHEMA, axis, where


@pytest.mark.parametrize("level", VECTOR_LEVELS)
@pytest.mark.parametrize("engine", Engine)
def test_what_a_mapping_says_is_read_again(engine: Engine, level: str) -> None:
    """Level and graph of a mapping are those that it was made with."""
    settings = IndexSettings(level, m=24, ef_construction=200)
    property = vector_property(engine, 512, settings)
    assert read_settings(engine, property) == settings
    assert vector_conflict(engine, property, 512) is None


def test_opensearch_always_names_the_compression() -> None:
    """Without one, on_disk means 32x for lucene since 3.6, which ends nodes without native libraries."""
    int8, bit = (vector_property(Engine.OPENSEARCH, 512, IndexSettings(level)) for level in (INT8, BIT))
    assert (int8["mode"], int8["compression_level"], int8["method"]["engine"]) == ("on_disk", "4x", "lucene")
    assert (bit["mode"], bit["compression_level"], bit["method"]["engine"]) == ("on_disk", "32x", "faiss")
    assert "mode" not in vector_property(Engine.OPENSEARCH, 512, IndexSettings())


def test_elasticsearch_keeps_the_rescoring_in_the_mapping() -> None:
    """Other programs' searches of a quantised index are scored again as well."""
    options = vector_property(Engine.ELASTICSEARCH, 512, IndexSettings(BIT))["index_options"]
    assert options == {
        "type": "bbq_hnsw",
        "m": 16,
        "ef_construction": 100,
        "rescore_vector": {"oversample": 3.0},
    }


@pytest.mark.parametrize(
    ("engine", "property", "level"),
    [
        (Engine.OPENSEARCH, {"mode": "on_disk"}, BIT),
        (Engine.OPENSEARCH, {"compression_level": "2x"}, INT8),
        (Engine.OPENSEARCH, {"compression_level": "8x"}, BIT),
        (Engine.OPENSEARCH, {"mode": "in_memory", "compression_level": "1x"}, FLOAT),
        (Engine.OPENSEARCH, {"method": {"parameters": {"encoder": {"name": "sq"}}}}, INT8),
        (
            Engine.OPENSEARCH,
            {"method": {"parameters": {"encoder": {"name": "sq", "parameters": {"bits": 1}}}}},
            BIT,
        ),
        (Engine.OPENSEARCH, {"method": {"parameters": {"encoder": {"name": "binary"}}}}, BIT),
        (Engine.OPENSEARCH, {}, FLOAT),
        (Engine.ELASTICSEARCH, {"index_options": {"type": "flat"}}, FLOAT),
        (Engine.ELASTICSEARCH, {"index_options": {"type": "int8_flat"}}, INT8),
        (Engine.ELASTICSEARCH, {"index_options": {"type": "int4_hnsw"}}, BIT),
        (Engine.ELASTICSEARCH, {"index_options": {"type": "bbq_disk"}}, BIT),
        (Engine.ELASTICSEARCH, {}, FLOAT),
    ],
)
def test_levels_that_others_made(engine: Engine, property: dict[str, Any], level: str) -> None:
    """What a mapping says of quantisation in any way is seen: its scores are no cosines."""
    assert read_settings(engine, property).level == level


@pytest.mark.parametrize("engine", Engine)
def test_the_mapping_is_believed_not_the_note(engine: Engine) -> None:
    """An index whose field of vectors was moved by hand is searched as it is now."""
    mappings = index_body(engine, SCHEMA, 1)["mappings"]
    assert schema_from_mapping(mappings) == SCHEMA
    mappings["properties"]["vector"] = vector_property(engine, DIM, IndexSettings(INT8))
    assert schema_from_mapping(mappings).settings.level == INT8


@pytest.mark.parametrize("k", [1, 10, 400, 10_000])
def test_opensearch_scores_hits_again(k: int) -> None:
    """The graph's candidates are scored by the true vectors: by a script, the way of all versions."""
    search = KnnSearch(axis(0), k, (where("country", "Norway"),))
    scored = search_body(Engine.OPENSEARCH, search, level=INT8)["query"]["script_score"]
    knn = scored["query"]["knn"]["vector"]
    assert k <= knn["k"] <= 10_000
    assert knn["method_parameters"]["ef_search"] >= max(600, knn["k"])
    assert knn["filter"]["bool"]["filter"] == [{"terms": {"country": ["Norway"]}}]
    assert scored["script"]["params"] == {
        "field": "vector",
        "query_value": axis(0).tolist(),
        "space_type": "cosinesimil",
    }
    exact = search_body(Engine.OPENSEARCH, search, {"gte": "a", "lte": "b"}, level=INT8)
    assert len(exact["query"]["script_score"]["query"]["bool"]["filter"]) == 2


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("k", [1, 10, 400, 10_000])
def test_elasticsearch_scores_hits_again(k: int, exact: bool) -> None:
    """Rescoring is asked for by every search, an exact one too, and never of more than 10,000."""
    id_range = {"gte": "a", "lte": "b"} if exact else None
    knn = search_body(Engine.ELASTICSEARCH, KnnSearch(axis(0), k), id_range, level=BIT)["knn"]
    assert k <= knn["k"] <= knn["num_candidates"] <= 10_000
    oversample = knn["rescore_vector"]["oversample"]
    assert 1 <= oversample <= 10
    assert knn["k"] * oversample <= 10_000


@pytest.mark.parametrize(
    ("level", "k", "shard_size", "considered", "rescored"),
    [
        (INT8, 10, 0, 600, 200),
        (INT8, 10, 33_333, 3_651, 438),
        (INT8, 100, 33_333, 3_651, 800),
        (BIT, 10, 0, 600, 600),
        (BIT, 10, 33_333, 3_651, 1_460),
        (BIT, 100, 6_667, 3_000, 3_000),
        (BIT, 10_000, 0, 10_000, 10_000),
    ],
)
def test_more_are_scored_again_of_larger_shards(
    level: str, k: int, shard_size: int, considered: int, rescored: int
) -> None:
    """The candidates grow as with floats, and those that are scored again with them, in both engines."""
    search = KnnSearch(axis(0), k)
    body = search_body(Engine.OPENSEARCH, search, level=level, shard_size=shard_size)
    knn = body["query"]["script_score"]["query"]["knn"]["vector"]
    assert (knn["method_parameters"]["ef_search"], knn["k"]) == (considered, rescored)
    knn = search_body(Engine.ELASTICSEARCH, search, level=level, shard_size=shard_size)["knn"]
    assert knn["num_candidates"] == considered
    assert knn["k"] * knn["rescore_vector"]["oversample"] == pytest.approx(rescored)


@pytest.mark.parametrize(
    ("engine", "version", "level", "natives", "words"),
    [
        (Engine.OPENSEARCH, "2.19.0", INT8, False, None),
        (Engine.OPENSEARCH, "2.19.0", BIT, True, "3.1"),
        (Engine.OPENSEARCH, "3.0.0", BIT, True, "3.1"),
        (Engine.OPENSEARCH, "3.6.0", BIT, False, "native libraries"),
        (Engine.OPENSEARCH, "3.6.0", BIT, True, None),
        (Engine.OPENSEARCH, "", INT8, True, "version"),
        (Engine.OPENSEARCH, "", FLOAT, False, None),
        (Engine.ELASTICSEARCH, "8.17.9", INT8, False, "8.18"),
        (Engine.ELASTICSEARCH, "8.18.0", INT8, False, None),
        (Engine.ELASTICSEARCH, "9.3.2", BIT, False, None),
    ],
)
def test_what_a_server_cannot_do(
    engine: Engine, version: str, level: str, natives: bool, words: str | None
) -> None:
    """It is known by version and by what nodes say of themselves; the refusal says what to do."""
    refusal = level_refusal(Server(engine, version), level, 512, natives=natives)
    assert refusal is None if words is None else words in (refusal or "")


def test_too_few_dimensions_for_bits() -> None:
    """Elasticsearch's one-bit index needs 64 dimensions, which is said before it is asked."""
    refusal = level_refusal(Server(Engine.ELASTICSEARCH, "9.3.2"), BIT, 32, natives=False)
    assert refusal is not None
    assert "64" in refusal


@pytest.mark.parametrize(
    ("server", "present", "wanted", "allowed"),
    [
        (Server(Engine.ELASTICSEARCH, "9.3.2"), FLOAT, INT8, True),
        (Server(Engine.ELASTICSEARCH, "9.3.2"), FLOAT, BIT, True),
        (Server(Engine.ELASTICSEARCH, "9.3.2"), BIT, INT8, False),
        (Server(Engine.ELASTICSEARCH, "9.0.0"), FLOAT, INT8, False),
        (Server(Engine.OPENSEARCH, "3.6.0"), FLOAT, INT8, False),
    ],
)
def test_moves_in_place(server: Server, present: str, wanted: str, allowed: bool) -> None:
    """Elasticsearch from 9.1 on moves to smaller numbers, nobody back; what to do is said after it."""
    refusal = move_refusal(server, present, wanted)
    assert (refusal is None) is allowed
    assert ";" not in (refusal or "")


@pytest.mark.parametrize("data_nodes", [1, 3])
@pytest.mark.parametrize("engine", Engine)
def test_settings_of_a_new_index(engine: Engine, data_nodes: int) -> None:
    """Shards, copies, refreshes and the graph are as asked for; the shards can be split nine times."""
    wanted = IndexSettings(shards=2, replicas=0, refresh=5, m=8, ef_construction=40)
    body = index_body(engine, replace(SCHEMA, settings=wanted), data_nodes)
    settings, vector = body["settings"]["index"], body["mappings"]["properties"]["vector"]
    assert settings["number_of_shards"] == 2
    assert settings["number_of_routing_shards"] == 1024
    assert (settings["number_of_replicas"], settings["refresh_interval"]) == (0, "5s")
    assert read_settings(engine, vector) == IndexSettings(FLOAT, m=8, ef_construction=40)
    assert schema_from_mapping(body["mappings"]).settings == wanted


@pytest.mark.parametrize(
    "settings", [{"vectors": "int4"}, {"shards": 0}, {"m": True}, {"refresh": "60s"}, ["bit"], 3]
)
def test_settings_that_nobody_wrote(settings: Any) -> None:
    """A schema whose settings can't be is no schema."""
    with pytest.raises(ValueError, match=r"vectors|shards|m is|refresh|schema"):
        IndexSchema.from_json(SCHEMA.to_json() | {"settings": settings})


@pytest.mark.parametrize(
    ("engine", "changes", "words"),
    [
        (Engine.OPENSEARCH, {"data_type": "byte"}, "byte"),
        (Engine.ELASTICSEARCH, {"element_type": "bit"}, "bit"),
    ],
)
def test_vectors_without_their_numbers(engine: Engine, changes: dict[str, Any], words: str) -> None:
    """An index that doesn't keep the float32 vectors can't give true scores."""
    property = vector_property(engine, DIM, IndexSettings())
    assert words in (vector_conflict(engine, property | changes, DIM) or "")
