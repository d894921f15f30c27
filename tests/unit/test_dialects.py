"""The engines' JSON: bodies, scores, and the files that are rendered from them."""

from __future__ import annotations

import base64
import struct
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import orjson
import pytest

from esclip._core.field_names import RESERVED
from esclip._core.filters import OneOf
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.searches import KnnSearch
from esclip.stores.engine.dialects import (
    Engine,
    Server,
    decode_vectors,
    encode_vector,
    score_to_cosine,
)
from esclip.stores.engine.index_bodies import index_body, live_settings, mapping_body, schema_from_mapping
from esclip.stores.engine.queries import search_body
from esclip.stores.engine.vector_mapping import vector_conflict
from esclip.testing.documents import DIM, SCHEMA, SPACE, axis, where
from scripts.render_mappings import MAPPINGS, rendered


@pytest.mark.parametrize("name", ["opensearch.json", "elasticsearch.json"])
def test_mapping_files_are_current(name: str) -> None:
    """The files in mappings/ are what scripts/render_mappings.py writes."""
    assert (MAPPINGS / name).read_bytes() == rendered()[name]
    assert {path.name for path in MAPPINGS.glob("*.json")} == set(rendered())


@pytest.mark.parametrize("engine", Engine)
def test_index_body(engine: Engine) -> None:
    """An index has three shards, no dynamic fields, and a property for each own and each metadata field."""
    body = index_body(engine, SCHEMA, data_nodes=1)
    settings, mappings = body["settings"]["index"], body["mappings"]
    assert settings["number_of_shards"] == 3
    assert settings.get("knn", False) is (engine is Engine.OPENSEARCH)
    assert mappings["dynamic"] == "false"
    assert set(mappings["properties"]) == RESERVED | {field.name for field in SCHEMA.fields}
    assert {name: mappings["properties"][name]["type"] for name in ("country", "colors", "likes")} == {
        "country": "keyword",
        "colors": "keyword",
        "likes": "long",
    }
    assert mappings["properties"]["aperture"]["type"] == "double"
    assert mappings["properties"]["country"]["ignore_above"] * 4 < 32_766


@pytest.mark.parametrize("engine", Engine)
def test_longest_keyword_is_never_refused(engine: Engine) -> None:
    """Fingerprints and addresses have no term in the index, which a long one would overflow."""
    properties = index_body(engine, SCHEMA, data_nodes=1)["mappings"]["properties"]
    for name in ("location", "page", "pixels_fingerprint", "record_fingerprint"):
        assert properties[name] == {"type": "keyword", "index": False, "doc_values": False}


def test_opensearch_vector() -> None:
    """OpenSearch gets engine and space inside the method, the spelling that every version reads alike."""
    vector = index_body(Engine.OPENSEARCH, SCHEMA, 1)["mappings"]["properties"]["vector"]
    assert vector["type"] == "knn_vector"
    assert vector["dimension"] == DIM
    assert vector["method"] == {
        "name": "hnsw",
        "engine": "lucene",
        "space_type": "cosinesimil",
        "parameters": {"m": 16, "ef_construction": 100},
    }


def test_elasticsearch_vector() -> None:
    """Elasticsearch gets its index options, without which newer ones keep one bit of each number."""
    vector = index_body(Engine.ELASTICSEARCH, SCHEMA, 1)["mappings"]["properties"]["vector"]
    assert vector == {
        "type": "dense_vector",
        "dims": DIM,
        "index": True,
        "similarity": "cosine",
        "index_options": {"type": "hnsw", "m": 16, "ef_construction": 100},
    }


def test_one_replica_where_a_node_can_hold_it() -> None:
    """A copy is asked for only where there is a second node."""
    assert [live_settings(n)["number_of_replicas"] for n in (1, 2, 5)] == [0, 1, 1]


def test_schema_survives_sorted_keys() -> None:
    """A mapping gives its schema back with the fields in order, though engines sort the keys."""
    body = mapping_body(SCHEMA, {"theirs": 1})
    read: Any = orjson.loads(orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
    assert schema_from_mapping(read) == SCHEMA
    assert read["_meta"]["theirs"] == 1


@pytest.mark.parametrize(
    "mapping",
    [{}, {"_meta": None}, {"_meta": {"esclip": {"version": 2}}}, {"_meta": {"esclip": SCHEMA.to_json()}}],
)
def test_foreign_mapping_has_no_schema(mapping: dict[str, Any]) -> None:
    """A mapping that esclip did not write is told from one that it did."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        schema_from_mapping(mapping)


def _changed(vector: dict[str, Any], **changes: Any) -> dict[str, Any]:
    method = vector.get("method", {})
    space = {"method": {**method, "space_type": changes.pop("space")}} if "space" in changes else {}
    return vector | space | changes


@pytest.mark.parametrize(
    ("engine", "changes", "words"),
    [
        (Engine.OPENSEARCH, {}, None),
        (Engine.OPENSEARCH, {"space": "l2"}, "l2"),
        (Engine.OPENSEARCH, {"space": None}, "None"),
        (Engine.OPENSEARCH, {"space": None, "space_type": "cosinesimil"}, None),
        (Engine.OPENSEARCH, {"dimension": 8}, "8 dimensions"),
        (Engine.OPENSEARCH, {"type": "keyword"}, "keyword"),
        (Engine.ELASTICSEARCH, {}, None),
        (Engine.ELASTICSEARCH, {"similarity": "dot_product"}, "dot_product"),
        (Engine.ELASTICSEARCH, {"dims": 8}, "8 dimensions"),
        (Engine.ELASTICSEARCH, {"type": "knn_vector"}, "knn_vector"),
    ],
)
def test_vector_fault(engine: Engine, changes: dict[str, Any], words: str | None) -> None:
    """A vector field of another type, dimension or space is named."""
    vector = index_body(engine, SCHEMA, 1)["mappings"]["properties"]["vector"]
    found = vector_conflict(engine, _changed(vector, **changes), DIM)
    assert found is None if words is None else words in (found or "")


@pytest.mark.parametrize("k", [1, 10, 400, 10_000])
@pytest.mark.parametrize("engine", Engine)
def test_search_asks_for_enough_candidates(engine: Engine, k: int) -> None:
    """Never fewer candidates than hits, never more than engines allow, and the vector stays there."""
    body = search_body(engine, KnnSearch(axis(0), k))
    knn = body["query"]["knn"]["vector"] if engine is Engine.OPENSEARCH else body["knn"]
    assert body["size"] == k
    assert k <= knn["k"] <= 10_000
    assert "filter" not in knn
    assert body["_source"] == {"excludes": ["vector", "words"]}
    if engine is Engine.ELASTICSEARCH:
        assert knn["k"] <= knn["num_candidates"] <= 10_000


@pytest.mark.parametrize(
    ("shard_size", "given", "considered"),
    [
        (0, None, 600),
        (900, None, 600),
        (6_667, None, 1_633),
        (33_333, None, 3_651),
        (87_000, None, 8_700),
        (333_333, None, 10_000),
        (10**9, None, 10_000),
        (333_333, 50, 50),
        (333_333, 3, 10),
        (0, 10**9, 10_000),
    ],
)
@pytest.mark.parametrize("engine", Engine)
def test_candidates_grow_with_the_shard(
    engine: Engine, shard_size: int, given: int | None, considered: int
) -> None:
    """By its documents, so that texts are found; those that were asked for instead, but k."""
    body = search_body(engine, KnnSearch(axis(0), 10, candidates=given), shard_size=shard_size)
    knn = body["query"]["knn"]["vector"] if engine is Engine.OPENSEARCH else body["knn"]
    assert knn["k"] == considered
    assert engine is Engine.OPENSEARCH or knn["num_candidates"] == considered


@pytest.mark.parametrize("engine", Engine)
def test_filters_go_inside_the_knn_clause(engine: Engine) -> None:
    """Conditions narrow the neighbours that are looked for; they don't thin out those that were found."""
    taken = datetime(2020, 1, 2, 8, 4, 5, 6_789, tzinfo=timezone(timedelta(hours=5)))
    conditions = [where("country", "Norway"), where("featured", True), where("taken_at", taken)]
    body = search_body(engine, KnnSearch(axis(0), 3, tuple(conditions)))
    knn = body["query"]["knn"]["vector"] if engine is Engine.OPENSEARCH else body["knn"]
    assert knn["filter"]["bool"]["filter"] == [
        {"terms": {"country": ["Norway"]}},
        {"terms": {"featured": [True]}},
        {"terms": {"taken_at": ["2020-01-02T03:04:05.006000Z"]}},
    ]


def test_filter_value_is_no_query() -> None:
    """A value is compared as it is, whatever it looks like."""
    tricky = '{"match_all": {}} OR *'
    body = search_body(
        Engine.OPENSEARCH, KnnSearch(axis(0), 1, (OneOf(Field("x", FieldType.KEYWORD), (tricky,)),))
    )
    (term,) = body["query"]["knn"]["vector"]["filter"]["bool"]["filter"]
    assert term == {"terms": {"x": [tricky]}}


def test_scores_are_cosines() -> None:
    """A score is half of one plus the cosine, and rounding never leads beyond 1."""
    assert [score_to_cosine(score) for score in (1.0, 0.75, 0.5, 0.0)] == [1.0, 0.5, 0.0, -1.0]
    assert (score_to_cosine(1.0000001), score_to_cosine(-0.0000001)) == (1.0, -1.0)
    assert np.isclose(score_to_cosine(np.float32((1 + 0.3127) / 2).item()), 0.3127, atol=1e-6)


@pytest.mark.parametrize(
    ("engine", "version", "supported"),
    [
        (Engine.OPENSEARCH, "2.18.0", False),
        (Engine.OPENSEARCH, "2.19.0", True),
        (Engine.OPENSEARCH, "3.0.0-beta1", True),
        (Engine.OPENSEARCH, "1.3.20", False),
        (Engine.ELASTICSEARCH, "7.17.9", False),
        (Engine.ELASTICSEARCH, "8.0.0", True),
        (Engine.ELASTICSEARCH, "9.3.2-SNAPSHOT", True),
    ],
)
def test_supported_versions(engine: Engine, version: str, supported: bool) -> None:
    """Versions whose scores are known are supported, others are not."""
    assert Server(engine, version).supported is supported


def test_vectors_are_packed_since_elasticsearch_9_3() -> None:
    """Elasticsearch that takes it gets a vector in base64, big endian; what is kept so is read the same."""
    vector = axis(3)
    for version, packed in (("", False), ("9.2.8", False), ("9.3.0", True), ("10.0.0", True)):
        sent = encode_vector(Server(Engine.ELASTICSEARCH, version), vector)
        assert isinstance(sent, str) is packed
        (kept,) = decode_vectors([sent if isinstance(sent, str) else sent.tolist()], vector.size)
        np.testing.assert_allclose(kept, vector, rtol=1e-6)
    assert isinstance(sent, str)
    assert base64.b64decode(sent)[12:16] == struct.pack(">f", 1.0)
    assert encode_vector(Server(Engine.OPENSEARCH, "3.9.0"), vector) is vector
    (kept,) = decode_vectors([vector.tolist()], vector.size)
    np.testing.assert_allclose(kept, vector, rtol=1e-6)


def test_schema_without_fields() -> None:
    """An index may have no metadata at all."""
    body = index_body(Engine.OPENSEARCH, IndexSchema(SPACE), 1)
    assert set(body["mappings"]["properties"]) == RESERVED
    assert schema_from_mapping(body["mappings"]) == IndexSchema(SPACE)
