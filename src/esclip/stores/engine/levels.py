"""Levels of an index in a cluster: refused where the server can't, and moved in place where it can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from esclip._core.index_settings import BIT, IndexSettings
from esclip._core.schema import IndexSchema
from esclip._errors import ConfigError
from esclip.stores.engine.answers import get_object
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import Engine
from esclip.stores.engine.refresh import read_setting
from esclip.stores.engine.vector_mapping import level_refusal, move_refusal, read_settings, vector_property
from esclip.stores.validation import settings_conflict as conflict_of

MOVED = (
    "index %r has compared vectors as %s, and compares them as %s from now on: those that it holds once "
    "their segments are merged, which a force merge does after one more write"
)


def refuse_level(client: EngineClient, schema: IndexSchema) -> None:
    """Raise `ConfigError` where the server can't make an index of this level. Nothing is tried."""
    level, server = schema.settings.level, client.server()
    natives = level == BIT and server.engine is Engine.OPENSEARCH and _have_natives(client)
    if refusal := level_refusal(server, level, schema.space.dim, natives=natives):
        raise ConfigError(f"{client.address} ({server}) can't compare vectors as {level}: {refusal}")


def settings_conflict(
    client: EngineClient, property: Mapping[str, Any], present: IndexSchema, wanted: IndexSettings
) -> str | None:
    """Why an index with this field of vectors can't get the settings; None when it can."""
    server = client.server()
    made = present.settings.extended_by(read_settings(server.engine, property))
    if wanted.shards is not None:  # those of a split index are others than it was made with
        made = replace(made, shards=int(read_setting(client, "number_of_shards") or 0))
    if conflict := conflict_of(made, wanted, ("replicas", "refresh", "vectors")):
        return conflict
    if wanted.level == made.level or wanted.vectors is None:
        return None
    return (
        f"it compares vectors as {made.level}, and {refusal}"
        if (refusal := move_refusal(server, made.level, wanted.level))
        else level_refusal(server, wanted.level, present.space.dim, natives=False)
    )


def moved_property(engine: Engine, property: Mapping[str, Any], schema: IndexSchema) -> dict[str, Any]:
    """The field of vectors at the level of a schema, with the graph that it has."""
    graph = replace(read_settings(engine, property), vectors=schema.settings.level)
    return vector_property(engine, schema.space.dim, graph)


def _have_natives(client: EngineClient) -> bool:
    """Whether all data nodes have loaded k-NN's library of faiss, for an index of it."""

    def read(answer: Any) -> bool:
        nodes = get_object(get_object(answer).get("nodes", {}))  # none where the user may not read them
        return bool(nodes) and all(node.get("faiss_initialized") is True for node in nodes.values())

    return client.request(
        client.raw.knn.stats, read=read, node_id="data:true", stat="faiss_initialized", ignore=403
    )
