"""The JSON of OpenSearch and Elasticsearch, as pure functions: the one place that knows how they differ.

    index_body   ─► PUT  /index            fields flat at the top, beside our own; dynamic mapping off
    cosine       ◄─ a hit's _score         of a search by vector; its body is in `stores.engine.queries`

Both say `(1 + cosine) / 2`. OpenSearch gets the lucene engine: no native memory, and on every version alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, assert_never

from esclip._core.schema import Field, FieldType, IndexSchema

__all__ = [
    "OWN",
    "REFRESH_INTERVAL",
    "REFRESH_OFF",
    "SHARDS",
    "VECTOR_TYPES",
    "Engine",
    "Server",
    "cosine",
    "field_properties",
    "index_body",
    "mapping_body",
    "schema_of",
    "settled",
    "vector_fault",
]

SHARDS = 3
HNSW = {"m": 16, "ef_construction": 100}
REFRESH_INTERVAL = "60s"
"""How often what was written is made visible in an index that is searched."""
REFRESH_OFF = "-1"
"""While it is loaded."""

LONGEST_KEYWORD = 8191
"""Characters; of 4 bytes each they just fit into Lucene's 32,766 bytes for a term. Longer ones are kept, and
no filter finds them."""

UNSEARCHED = {"type": "keyword", "index": False, "doc_values": False}

OWN = {
    "id": {"type": "keyword"},
    "location": UNSEARCHED,
    "page": UNSEARCHED,
    "description": {"type": "text"},
    "pixels_fingerprint": UNSEARCHED,
    "record_fingerprint": UNSEARCHED,
    "content_fingerprint": {"type": "keyword"},
    # no keyword: OpenSearch 3 gives a term of those the same score, however rare it is
    "words": {"type": "text", "analyzer": "whitespace", "norms": False, "index_options": "docs"},
}
"""How a document's own fields are mapped, all but its vector."""


class Engine(Enum):
    """The two engines that speak these dialects."""

    OPENSEARCH = "OpenSearch"
    ELASTICSEARCH = "Elasticsearch"


VECTOR_TYPES = {Engine.OPENSEARCH: "knn_vector", Engine.ELASTICSEARCH: "dense_vector"}
"""What each calls a field of vectors."""


@dataclass(frozen=True, slots=True)
class Server:
    """What answers at an address."""

    engine: Engine
    version: str
    """Empty where it may not be asked for."""

    def __str__(self) -> str:
        return f"{self.engine.value} {self.version}".rstrip()

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version; of an unknown one the least, which can do nothing that came later."""
        if not self.version:
            return 0, 0
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def supported(self) -> bool:
        """Whether scores and bodies are known to be as here: OpenSearch from 2.19, Elasticsearch from 8."""
        return self.release >= ((2, 19) if self.engine is Engine.OPENSEARCH else (8, 0))

    @property
    def unpacks_vectors(self) -> bool:
        """Whether it is known to take vectors in base64: less than half as long, and nothing to parse."""
        return self.engine is Engine.ELASTICSEARCH and bool(self.version) and self.release >= (9, 3)


def settled(data_nodes: int) -> dict[str, Any]:
    """Settings of an index that is searched. One replica where there is a second node to hold it."""
    return {"refresh_interval": REFRESH_INTERVAL, "number_of_replicas": 1 if data_nodes > 1 else 0}


def index_body(engine: Engine, schema: IndexSchema, data_nodes: int) -> dict[str, Any]:
    """What makes an index."""
    settings = {"number_of_shards": SHARDS, **settled(data_nodes)}
    if engine is Engine.OPENSEARCH:
        settings["knn"] = True
    mappings = mapping_body(schema, {})
    mappings["properties"] |= {"vector": _vector_property(engine, schema.space.dim)}
    return {"settings": {"index": settings}, "mappings": {"dynamic": "false", **mappings}}


def mapping_body(schema: IndexSchema, meta: Mapping[str, Any]) -> dict[str, Any]:
    """What adds a schema's fields to a mapping, keeping all else of its `_meta`."""
    # engines sort the keys of what they keep, so the order of the fields is kept apart
    kept = {**schema.to_json(), "order": [field.name for field in schema.fields]}
    return {"_meta": {**meta, "esclip": kept}, "properties": {**OWN, **field_properties(schema.fields)}}


def schema_of(mapping: Mapping[str, Any]) -> IndexSchema:
    """The schema in a mapping. Raises `KeyError`, `TypeError` or `ValueError` when it is not ours."""
    kept = mapping["_meta"]["esclip"]
    return IndexSchema.from_json(kept | {"fields": {name: kept["fields"][name] for name in kept["order"]}})


def field_properties(fields: Iterable[Field]) -> dict[str, Any]:
    """How metadata fields are mapped."""
    return {field.name: _property(field.type) for field in fields}


def _property(kind: FieldType) -> dict[str, Any]:
    match kind:
        case FieldType.KEYWORD | FieldType.KEYWORDS:
            return {"type": "keyword", "ignore_above": LONGEST_KEYWORD}
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
            # engine and space_type inside method: the one spelling that every version reads alike
            method = {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil", "parameters": HNSW}
            return {"type": VECTOR_TYPES[engine], "dimension": dim, "method": method}
        case Engine.ELASTICSEARCH:
            # without index_options, 9.1 and later keep one bit of each number
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


def vector_fault(engine: Engine, found: Mapping[str, Any], dim: int) -> str | None:
    """What is wrong with the vector field of a mapping as the engine gives it back, in words."""
    match engine:
        case Engine.OPENSEARCH:
            size = found.get("dimension")
            space = found.get("method", {}).get("space_type") or found.get("space_type")
            wanted = "cosinesimil"
        case Engine.ELASTICSEARCH:
            size = found.get("dims")
            space, wanted = found.get("similarity"), "cosine"
        case _:
            assert_never(engine)
    if found.get("type") != (kind := VECTOR_TYPES[engine]):
        return f"its field vector is {found.get('type', 'missing')}, not {kind}"
    if size != dim:
        return f"it has vectors of {size} dimensions, not {dim}"
    if space != wanted:
        return f"it compares vectors by {space}, not {wanted}"
    return None


def cosine(score: float) -> float:
    """The true cosine that a hit's `_score` stands for."""
    return min(1.0, max(-1.0, 2 * score - 1))
