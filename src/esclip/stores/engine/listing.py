"""Lists the indexes of a cluster that esclip made: their mappings say so.

mappings of all indexes ─► those with a schema of esclip ─► documents and bytes, 16 indexes a request
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from esclip._concurrency.streams import batches
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.settings import is_cluster_name
from esclip._errors import IndexNotFound, StoreError
from esclip.stores.engine.aliases import find_all_aliases
from esclip.stores.engine.answers import MALFORMED, get_count, get_list, get_object, get_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import VECTOR_TYPES
from esclip.stores.engine.errors import Forbidden
from esclip.stores.engine.index_bodies import schema_from_mapping
from esclip.stores.engine.names import FieldNames

NAMES_AT_ONCE = 16
"""Indexes of one request: their names are in its path, which may have 4096 bytes."""

SEEN = "*.mappings._meta.esclip,*.mappings.properties.vector.type"
"""What is read of each mapping."""


def list_indexes(client: EngineClient) -> dict[str, IndexInfo]:
    """Those that esclip made or adopted, by name. Raises `StoreError` where the user may not list them."""
    try:
        mappings = client.request(client.raw.indices.get_mapping, read=get_object, filter_path=SEEN)
    except Forbidden as error:
        raise StoreError(
            f"{client.address} does not let {client.auth.describe() or 'you'} list its indexes: that needs "
            "the right to read the mappings of all; one whose name you know may be open to you"
        ) from error
    schemas = {name: schema for name in sorted(mappings) if (schema := _schema(name, mappings[name]))}
    if not schemas:
        with suppress(Forbidden, IndexNotFound):
            client.server()  # an address that is no engine's has no mappings either
    aliases = find_all_aliases(client) if schemas else {}
    infos: dict[str, IndexInfo] = {}
    for names in batches(schemas, NAMES_AT_ONCE):
        documents, sizes = _count_documents(client, names), _measure(client, names)
        for name in names:
            engine = _engine(client, mappings[name])
            infos[name] = IndexInfo(
                schemas[name],
                documents.get(name, 0),
                engine,
                sizes.get(name),
                client.auth.describe(),
                aliases=aliases.get(name, ()),
                adopted=FieldNames.read(mappings[name]["mappings"]).is_adopted,
            )
    return infos


def _schema(name: str, found: Any) -> IndexSchema | None:
    """The schema in a mapping; None for an index of others, or of a name that esclip can't open."""
    try:
        return schema_from_mapping(found["mappings"]) if is_cluster_name(name) else None
    except MALFORMED:
        return None


def _engine(client: EngineClient, found: Mapping[str, Any]) -> str:
    """The engine; without its version where the user may not read that."""
    try:
        return str(client.server())
    except (Forbidden, IndexNotFound):
        kind = found["mappings"].get("properties", {}).get("vector", {}).get("type")
        return next((engine.value for engine, name in VECTOR_TYPES.items() if name == kind), "unknown")


def _count_documents(client: EngineClient, names: Sequence[str]) -> dict[str, int]:
    """The visible documents of each index that has any."""
    body = {"size": 0, "aggs": {"indexes": {"terms": {"field": "_index", "size": NAMES_AT_ONCE}}}}

    def read(answer: Any) -> dict[str, int]:
        buckets = get_list(answer, "aggregations", "indexes", "buckets") if "aggregations" in answer else []
        return {get_text(bucket, "key"): get_count(bucket, "doc_count") for bucket in buckets}

    return client.request(
        client.raw.search, read=read, index=",".join(names), body=body, ignore_unavailable=True
    )


def _measure(client: EngineClient, names: Sequence[str]) -> dict[str, int]:
    """Bytes on disk of each index; of none where the user may not read them."""

    def read(answer: Any) -> dict[str, int]:
        indexes = get_object(answer).get("indices", {})
        return {name: get_count(indexes[name], "total", "store", "size_in_bytes") for name in indexes}

    return client.request(
        client.raw.indices.stats,
        read=read,
        index=",".join(names),
        metric="store",
        filter_path="indices.*.total.store.size_in_bytes",
        ignore=(403, 404),
    )
