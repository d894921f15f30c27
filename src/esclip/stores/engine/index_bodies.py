"""The bodies of requests that make an index or change its mapping, and the schema in one, as pure functions.

index_body ─► PUT /index            metadata fields beside the system fields; dynamic mapping off
mapping_body ─► PUT /index/_mapping ─► GET /index/_mapping ─► schema_from_mapping
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, assert_never

from esclip._core.index_settings import DEFAULTS, NO_SETTINGS, IndexSettings
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.names import OWN_NAMES, PREFIX, FieldNames
from esclip.stores.engine.paths import property_at
from esclip.stores.engine.vector_mapping import read_level, vector_property

MAX_SPLIT_BITS = 10
"""An index can be split up to so many times in two, as far as it has no more than 1,024 shards then."""

MAX_KEYWORD_LENGTH = 8191
"""Characters: with 4 bytes each they just fit into the 32,766 bytes of a Lucene term. Longer keywords are
stored, and no filter matches them."""

NOT_INDEXED: Mapping[str, Any] = {"type": "keyword", "index": False, "doc_values": False}

SYSTEM_FIELDS: Mapping[str, Mapping[str, Any]] = {
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
"""The mappings of a document's own fields except the vector, by the names in an index of esclip's."""


def live_settings(data_nodes: int, settings: IndexSettings = NO_SETTINGS) -> dict[str, Any]:
    """Settings of an index that is searched. One replica where there is a second data node."""
    replicas = settings.replicas
    return {
        "refresh_interval": refresh_interval(settings),
        "number_of_replicas": (1 if data_nodes > 1 else 0) if replicas is None else replicas,
    }


def refresh_interval(settings: IndexSettings) -> str:
    """How often writes become visible in an index that is searched."""
    return f"{settings.refresh or DEFAULTS.refresh}s"


def index_body(engine: Engine, schema: IndexSchema, data_nodes: int) -> dict[str, Any]:
    """The body that creates an index."""
    settings = schema.settings
    shards = settings.shards or DEFAULTS.shards or 1
    index = {
        "number_of_shards": shards,
        "number_of_routing_shards": _routing_shards(shards),
        **live_settings(data_nodes, settings),
    }
    if engine is Engine.OPENSEARCH:
        index["knn"] = True
    mappings = mapping_body(schema, {})
    mappings["properties"] |= {"vector": vector_property(engine, schema.space.dim, settings)}
    return {"settings": {"index": index}, "mappings": {"dynamic": "false", **mappings}}


def _routing_shards(shards: int) -> int:
    """Into how many shards an index can be split: doubled while there are 1,024 at most, as engines do."""
    return shards << max(1, MAX_SPLIT_BITS - (shards - 1).bit_length())


def system_fields(names: FieldNames) -> dict[str, Any]:
    """The mappings of a document's own fields except the vector, but for those that an adopted index had."""
    fields = {getattr(names, name): property for name, property in SYSTEM_FIELDS.items()}
    if not names.is_adopted:
        return fields
    return {name: property for name, property in fields.items() if name.startswith(PREFIX)}


def mapping_body(
    schema: IndexSchema,
    meta: Mapping[str, Any],
    names: FieldNames = OWN_NAMES,
    mapped: Collection[str] = (),
) -> dict[str, Any]:
    """The mapping that adds a schema's fields, but for those `mapped`, keeping all else of its `_meta`."""
    properties = {**system_fields(names), **field_properties(schema.fields)}
    added = {name: property for name, property in properties.items() if name not in mapped}
    return {"_meta": meta_body(schema, meta, names), "properties": added}


def meta_body(schema: IndexSchema, meta: Mapping[str, Any], names: FieldNames) -> dict[str, Any]:
    """The `_meta` of an index with this schema, keeping all else of it."""
    # engines sort keys, so the order of the fields is stored separately
    stored = {**schema.to_json(), "order": [field.name for field in schema.fields]}
    return {**meta, "esclip": stored | ({"adopted": names.to_json()} if names.is_adopted else {})}


def schema_from_mapping(mapping: Mapping[str, Any]) -> IndexSchema:
    """The schema in a mapping. Raises `AttributeError`, `KeyError`, `TypeError` or `ValueError` for a foreign
    index.

    Its level is that of the field of vectors, which may have been moved by others.
    """
    stored = mapping["_meta"]["esclip"]
    fields = {name: stored["fields"][name] for name in stored["order"]}
    schema = IndexSchema.from_json(stored | {"fields": fields})
    vector = FieldNames.read(mapping).vector
    return with_level(schema, property_at(mapping.get("properties", {}), vector))


def with_level(schema: IndexSchema, property: Mapping[str, Any]) -> IndexSchema:
    """The schema at the level of a field of vectors."""
    level = read_level(property)
    if level == schema.settings.level:
        return schema
    return replace(schema, settings=replace(schema.settings, vectors=level))


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
