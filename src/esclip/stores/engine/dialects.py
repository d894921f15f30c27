"""The JSON of OpenSearch and Elasticsearch, as pure functions: the one place that knows how they differ.

    index_body       ─► PUT  /index       metadata fields beside the system fields; dynamic mapping off
    score_to_cosine  ◄─ a hit's _score    of a kNN search, whose body is in `stores.engine.queries`
    encode_vector    ─► numbers | base64 ─► _source ─► decode_vectors

Both scores are `(1 + cosine) / 2`. OpenSearch uses the lucene engine: no native memory, and in every version.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt

from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import Vector, unit_rows

SHARDS = 3
HNSW = {"m": 16, "ef_construction": 100}
REFRESH_INTERVAL = "60s"
"""How often writes become visible in an index that is searched."""
REFRESH_OFF = "-1"
"""The refresh interval during a bulk load."""

PACKED = np.dtype(">f4")
"""The numbers in a vector's base64."""

MAX_KEYWORD_LENGTH = 8191
"""Characters: with 4 bytes each they just fit into the 32,766 bytes of a Lucene term. Longer keywords are
stored, and no filter matches them."""

NOT_INDEXED = {"type": "keyword", "index": False, "doc_values": False}

SYSTEM_FIELDS = {
    "id": {"type": "keyword"},
    "location": NOT_INDEXED,
    "page": NOT_INDEXED,
    "description": {"type": "text"},
    "pixels_fingerprint": NOT_INDEXED,
    "record_fingerprint": NOT_INDEXED,
    "content_fingerprint": {"type": "keyword"},
    # not a keyword: OpenSearch 3 scores all terms of a keyword field alike, however rare
    "words": {"type": "text", "analyzer": "whitespace", "norms": False, "index_options": "docs"},
}
"""The mappings of a document's own fields except the vector."""


class Engine(Enum):
    """The two engines that speak these dialects."""

    OPENSEARCH = "OpenSearch"
    ELASTICSEARCH = "Elasticsearch"


VECTOR_TYPES = {Engine.OPENSEARCH: "knn_vector", Engine.ELASTICSEARCH: "dense_vector"}
"""The type of a field of vectors."""


@dataclass(frozen=True, slots=True)
class Server:
    """An engine with its version."""

    engine: Engine
    version: str
    """Empty where the user may not read it."""

    def __str__(self) -> str:
        return f"{self.engine.value} {self.version}".rstrip()

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version; 0.0 where unknown."""
        if not self.version:
            return 0, 0
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def supported(self) -> bool:
        """Whether requests and scores are tested: OpenSearch from 2.19, Elasticsearch from 8."""
        return self.release >= ((2, 19) if self.engine is Engine.OPENSEARCH else (8, 0))

    @property
    def unpacks_vectors(self) -> bool:
        """Whether it accepts vectors in base64: less than half as long, and faster to parse."""
        return self.engine is Engine.ELASTICSEARCH and bool(self.version) and self.release >= (9, 3)


def live_settings(data_nodes: int) -> dict[str, Any]:
    """Settings of an index that is searched. One replica where there is a second data node."""
    return {"refresh_interval": REFRESH_INTERVAL, "number_of_replicas": 1 if data_nodes > 1 else 0}


def index_body(engine: Engine, schema: IndexSchema, data_nodes: int) -> dict[str, Any]:
    """The body that creates an index."""
    settings = {"number_of_shards": SHARDS, **live_settings(data_nodes)}
    if engine is Engine.OPENSEARCH:
        settings["knn"] = True
    mappings = mapping_body(schema, {})
    mappings["properties"] |= {"vector": _vector_property(engine, schema.space.dim)}
    return {"settings": {"index": settings}, "mappings": {"dynamic": "false", **mappings}}


def mapping_body(schema: IndexSchema, meta: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping that adds a schema's fields, keeping everything else of its `_meta`."""
    # engines sort keys, so the order of the fields is stored separately
    stored = {**schema.to_json(), "order": [field.name for field in schema.fields]}
    return {
        "_meta": {**meta, "esclip": stored},
        "properties": {**SYSTEM_FIELDS, **field_properties(schema.fields)},
    }


def schema_from_mapping(mapping: Mapping[str, Any]) -> IndexSchema:
    """The schema in a mapping. Raises `KeyError`, `TypeError` or `ValueError` for a foreign index."""
    stored = mapping["_meta"]["esclip"]
    fields = {name: stored["fields"][name] for name in stored["order"]}
    return IndexSchema.from_json(stored | {"fields": fields})


def field_properties(fields: Iterable[Field]) -> dict[str, Any]:
    """The mappings of metadata fields."""
    return {field.name: _property(field.type) for field in fields}


def _property(kind: FieldType) -> dict[str, Any]:
    match kind:
        case FieldType.KEYWORD | FieldType.KEYWORDS:
            return {"type": "keyword", "ignore_above": MAX_KEYWORD_LENGTH}
        case FieldType.INTEGER:
            return {"type": "long"}
        case FieldType.FLOAT:
            return {"type": "double"}
        case FieldType.TEXT | FieldType.BOOLEAN | FieldType.DATE | FieldType.GEO_POINT:
            return {"type": kind.value}
        case _:
            assert_never(kind)


def _vector_property(engine: Engine, dim: int) -> dict[str, Any]:
    match engine:
        case Engine.OPENSEARCH:
            # engine and space_type inside method: the one spelling that every version supports
            method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil", "parameters": HNSW}
            return {"type": VECTOR_TYPES[engine], "dimension": dim, "method": method}
        case Engine.ELASTICSEARCH:
            # without index_options, 9.1 and later quantize to one bit per number
            options = {"type": "hnsw", **HNSW}
            return {
                "type": VECTOR_TYPES[engine],
                "dims": dim,
                "index": True,
                "similarity": "cosine",
                "index_options": options,
            }
        case _:
            assert_never(engine)


def vector_conflict(engine: Engine, property: Mapping[str, Any], dim: int) -> str | None:
    """Why an index whose mapping has this vector field can't be used; None when it can."""
    match engine:
        case Engine.OPENSEARCH:
            size = property.get("dimension")
            metric = property.get("method", {}).get("space_type") or property.get("space_type")
            cosine = "cosinesimil"
        case Engine.ELASTICSEARCH:
            size = property.get("dims")
            metric, cosine = property.get("similarity"), "cosine"
        case _:
            assert_never(engine)
    if property.get("type") != (kind := VECTOR_TYPES[engine]):
        return f"its field vector is {property.get('type', 'missing')}, not {kind}"
    if size != dim:
        return f"it has vectors of {size} dimensions, not {dim}"
    if metric != cosine:
        return f"it compares vectors by {metric}, not {cosine}"
    return None


def score_to_cosine(score: float) -> float:
    """The cosine that a hit's `_score` encodes."""
    return min(1.0, max(-1.0, 2 * score - 1))


def encode_vector(server: Server, vector: Vector) -> Vector | str:
    """A vector in the JSON that its engine parses fastest: numbers, or base64."""
    return base64.b64encode(vector.astype(PACKED).tobytes()).decode() if server.unpacks_vectors else vector


def decode_vectors(values: Sequence[Sequence[float] | str], dim: int) -> Sequence[Vector]:
    """The vectors of some `_source`s. Raises `ValueError` or `TypeError` for what isn't `dim` numbers."""
    if not values:
        return ()
    rows = [_decode_vector(value) for value in values]
    if wrong := next((row for row in rows if row.shape != (dim,)), None):
        raise ValueError(f"a vector of shape {wrong.shape}, not ({dim},)")
    with np.errstate(over="ignore"):  # a number out of range gives a row of NaN
        return list(unit_rows(rows))


def _decode_vector(value: Sequence[float] | str) -> npt.NDArray[Any]:
    """An index created before Elasticsearch 9.2 gives back what it was sent."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), PACKED)
    return np.array(value, dtype=np.float64)
