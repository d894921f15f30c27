"""The field of vectors in an engine's mapping: how each level is made, read again, refused and moved.

IndexSettings ─► vector_property ─► PUT  /index, or PUT /index/_mapping where a level can be moved in place
                 read_level      ◄─ GET  /index/_mapping
level_refusal    decides by the version what a server can't do: with some levels, trying ends a node

A quantized index gives cosines that are off by up to 0.05; what searches find in it is scored again by the
float32 vectors (`stores.engine.queries`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from esclip._core.index_settings import BIT, DEFAULTS, FLOAT, INT8, VECTOR_LEVELS, IndexSettings
from esclip.stores.engine.dialects import VECTOR_TYPES, Engine, Server

INDEX_TYPES = {FLOAT: "hnsw", INT8: "int8_hnsw", BIT: "bbq_hnsw"}
"""Elasticsearch's `index_options` by level."""
OVERSAMPLE = {INT8: 2.0, BIT: 3.0}
"""How many times as many neighbours as wanted Elasticsearch scores again where a search doesn't say it."""
COMPRESSION = {INT8: "4x", BIT: "32x"}
"""OpenSearch's `compression_level`. Always written: without, on_disk means 32x for lucene since 3.6,
whose searches end a node that lacks the native libraries."""

MIN_BIT_DIM = 64
"""The least dimension of Elasticsearch's bbq_hnsw."""
NATIVES_UNKNOWN = (
    "it does not say whether its nodes have k-NN's native libraries, and a node that lacks them ends with "
    "such an index; take int8, or make a small index of the faiss engine with documents on every data node, "
    "after which it says that they are there"
)


def vector_property(engine: Engine, dim: int, settings: IndexSettings) -> dict[str, Any]:
    """The mapping of the field of vectors."""
    made = DEFAULTS.extended_by(settings)
    level = made.level
    graph = {"m": made.m, "ef_construction": made.ef_construction}
    match engine:
        case Engine.OPENSEARCH:
            # engine and space_type inside method: the one spelling that every version supports
            library = "faiss" if level == BIT else "lucene"
            method = {"name": "hnsw", "engine": library, "space_type": "cosinesimil", "parameters": graph}
            packed = {} if level == FLOAT else {"mode": "on_disk", "compression_level": COMPRESSION[level]}
            return {"type": VECTOR_TYPES[engine], "dimension": dim, **packed, "method": method}
        case Engine.ELASTICSEARCH:
            # without index_options, 9.1 and later quantize to one bit per number
            rescore = {} if level == FLOAT else {"rescore_vector": {"oversample": OVERSAMPLE[level]}}
            return {
                "type": VECTOR_TYPES[engine],
                "dims": dim,
                "index": True,
                "similarity": "cosine",
                "index_options": {"type": INDEX_TYPES[level], **graph, **rescore},
            }
        case _:
            assert_never(engine)


def read_settings(engine: Engine, property: Mapping[str, Any]) -> IndexSettings:
    """Level and graph of a mapping's field of vectors; one that esclip doesn't make is the next smaller."""
    match engine:
        case Engine.OPENSEARCH:
            graph = property.get("method", {}).get("parameters", {})
            level = _opensearch_level(property, graph.get("encoder", {}))
        case Engine.ELASTICSEARCH:
            graph = property.get("index_options", {})
            kind = str(graph.get("type", "hnsw"))
            level = FLOAT if kind in ("hnsw", "flat") else INT8 if kind.startswith("int8_") else BIT
        case _:
            assert_never(engine)
    return IndexSettings(level, m=graph.get("m"), ef_construction=graph.get("ef_construction"))


def _opensearch_level(property: Mapping[str, Any], encoder: Mapping[str, Any]) -> str:
    compression = property.get("compression_level")
    if compression is None and property.get("mode") == "on_disk":
        return BIT
    if compression in (None, "1x"):
        if not encoder:
            return FLOAT
        bits = encoder.get("parameters", {}).get("bits", 7)
        return BIT if encoder.get("name") == "binary" or bits == 1 else INT8
    return INT8 if compression in ("2x", "4x") else BIT


def read_level(property: Mapping[str, Any]) -> str:
    """How an index with this field of vectors compares them first, of either engine."""
    kinds = {kind: engine for engine, kind in VECTOR_TYPES.items()}
    engine = kinds.get(property.get("type", ""))
    return FLOAT if engine is None else read_settings(engine, property).level


def vector_conflict(engine: Engine, property: Mapping[str, Any], dim: int) -> str | None:
    """Why an index whose mapping has this vector field can't be used; None when it can."""
    match engine:
        case Engine.OPENSEARCH:
            size = property.get("dimension")
            metric = property.get("method", {}).get("space_type") or property.get("space_type")
            cosine, numbers = "cosinesimil", property.get("data_type", "float")
        case Engine.ELASTICSEARCH:
            size = property.get("dims")
            metric, cosine = property.get("similarity"), "cosine"
            numbers = property.get("element_type", "float")
        case _:
            assert_never(engine)
    if property.get("type") != (kind := VECTOR_TYPES[engine]):
        return f"its field vector is {property.get('type', 'missing')}, not {kind}"
    if size != dim:
        return f"it has vectors of {size} dimensions, not {dim}"
    if metric != cosine:
        return f"it compares vectors by {metric}, not {cosine}"
    if numbers != "float":
        return f"it keeps vectors as {numbers}, not float"
    return None


def level_refusal(server: Server, level: str, dim: int, *, natives: bool) -> str | None:
    """Why a server can't be given an index of this level, and what to do; None when it can.

    Args:
        natives: Whether all data nodes of OpenSearch have used k-NN's native libraries.
    """
    if level == FLOAT:
        return None
    if not server.version:
        return "its version, which may not be read with these credentials, decides whether it can; take float"
    match server.engine:
        case Engine.OPENSEARCH:
            if level == INT8:
                return None
            if server.release < (3, 1):
                return "it needs OpenSearch 3.1 or later; take vectors as int8"
            return None if natives else NATIVES_UNKNOWN
        case Engine.ELASTICSEARCH:
            if server.release < (8, 18):
                return "it needs Elasticsearch 8.18 or later, which scores hits by the float32 vectors"
            if level == BIT and dim < MIN_BIT_DIM:
                return f"it needs vectors of {MIN_BIT_DIM} dimensions or more, not {dim}; take int8"
            return None
        case _:
            assert_never(server.engine)


def move_refusal(server: Server, present: str, wanted: str) -> str | None:
    """Why an index can't be moved between levels in place, without what to do; None when it can."""
    if server.engine is Engine.OPENSEARCH:
        return "OpenSearch can't change how an index compares vectors"
    if VECTOR_LEVELS.index(wanted) < VECTOR_LEVELS.index(present):
        return "Elasticsearch can't move an index back to larger numbers"
    if server.release < (9, 1):
        return "only Elasticsearch 9.1 or later can move an index in place"
    return None
