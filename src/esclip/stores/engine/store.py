"""A kNN index in OpenSearch or Elasticsearch.

    StoredDocument ─► _bulk, in chunks ─► index ─► kNN search with prefilter ─► Hit
                                      └► _mget, which sees every write ─► Fingerprint, StoredDocument

The schema is in the index's mapping, `_meta.esclip`. Every call reads it, because another process may have
changed it, and an index without it is foreign; only searches, fingerprints and bulk loads, which follow on
other calls at once, take one that was read within the last second. A write to a missing index creates one; if
an index is dropped between the reading (5 ms of a page's 900) and a write, the next call fails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event
from typing import Any

from esclip._concurrency.retry import StoreTimeouts
from esclip._core.facet_counting import NO_SPANS, Spans
from esclip._core.facets import Facets
from esclip._core.filters import Condition
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.types import Fingerprint, Hit, ImageRecord, StoredDocument, Vector, Vectors
from esclip._errors import IndexExists, IndexMismatch, IndexNotFound, StoreError
from esclip._net.access import StoreAuth
from esclip._protocols import Store
from esclip.stores import validation
from esclip.stores.aliases import name_taken
from esclip.stores.engine import dialects
from esclip.stores.engine.aliases import find_aliases, find_target, point_alias, rename
from esclip.stores.engine.answers import MALFORMED, get_count, get_error, get_object
from esclip.stores.engine.bulk import BulkWriter, bulk_action
from esclip.stores.engine.bulk_errors import error_type, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.errors import index_missing
from esclip.stores.engine.facets import count_facets
from esclip.stores.engine.index_bodies import (
    SYSTEM_FIELDS,
    index_body,
    mapping_body,
    refresh_interval,
    schema_from_mapping,
)
from esclip.stores.engine.levels import MOVED, moved_property, refuse_level, settings_conflict
from esclip.stores.engine.listing import list_indexes
from esclip.stores.engine.reads import delete_documents, read_documents, read_vectors, scan_locations
from esclip.stores.engine.refresh import (
    change_live_settings,
    count_data_nodes,
    disable_refresh,
    restore_refresh,
)
from esclip.stores.engine.search import scan_vectors, search_many
from esclip.stores.engine.vector_mapping import vector_conflict
from esclip.stores.serialization import (
    document_from_source,
    fingerprint_from_source,
    to_partial_source,
    to_source,
)

log = logging.getLogger("esclip")

RECENT_S = 1.0
"""How long a schema that was read serves searches, fingerprints and bulk loads as well."""

FINGERPRINT_FIELDS = "pixels_fingerprint,record_fingerprint"


class EngineStore(Store):
    """Keeps an index in OpenSearch 2.19 or later, or in Elasticsearch 8 or 9."""

    write_concurrency = 4

    def __init__(
        self,
        address: str,
        index: str,
        timeouts: StoreTimeouts | None = None,
        auth: StoreAuth | None = None,
    ) -> None:
        """Connect to nothing yet. A user and password in `address` are never shown."""
        self._client = EngineClient(address, index, timeouts or StoreTimeouts(), auth or StoreAuth())
        super().__init__(self._client.address, index)
        target = f"index {self.index!r} at {self.address}"
        policy = self._client.policy(self._client.timeouts.write)
        self._recent: tuple[IndexSchema | None, float] = None, 0.0
        self._just_read: tuple[Any, float] = None, 0.0
        self._bulk = BulkWriter(self._client.bulk, target, policy, self.write_concurrency)

    def __repr__(self) -> str:
        return f"EngineStore({self.address!r}, {self.index!r})"

    @property
    def _raw(self) -> Any:
        return self._client.raw

    def schema(self) -> IndexSchema | None:
        """From the index's mapping."""
        mapping = self._mapping()
        return None if mapping is None else self._read_schema(mapping)

    def info(self) -> IndexInfo | None:
        """From mapping, count and statistics, after a refresh."""
        request, raw, auth = self._client.request, self._raw.indices, self._client.auth
        try:
            schema = self._require_schema()
            # a count sees what a refresh has made visible; a read-only user may neither refresh nor see sizes
            request(raw.refresh, index=self.index, ignore=403)
            count = self._client.count()
            size, shards = request(raw.stats, read=_size, index=self.index, metric="store", ignore=403)
        except IndexNotFound:
            return None
        return IndexInfo(schema, count, str(self._client.server()), size, auth.describe(), shards)

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        """From all mappings that the user may see, in one request, and a count for each 16 of them."""
        return list_indexes(self._client)

    def ensure_index(self, schema: IndexSchema) -> None:
        """Create the index with settings and mapping, or extend its mapping and change live settings."""
        validation.check_field_names(schema.fields)
        if (mapping := self._mapping()) is None:
            self._create(schema)
            mapping = self._mapping()
        present = self._read_schema(mapping)
        property = mapping["properties"].get("vector", {})
        conflict = (
            validation.schema_conflict(present, schema)
            or vector_conflict(self._client.server().engine, property, schema.space.dim)
            or settings_conflict(self._client, property, present, schema.settings)
        )
        if conflict:
            raise IndexMismatch(
                f"index {self.index!r} at {self.address} can't take this data: {conflict}; use another index"
            )
        merged = validation.merge_schemas(present, schema)
        if merged != present or not SYSTEM_FIELDS.keys() <= mapping["properties"].keys():
            body = mapping_body(merged, mapping["_meta"])
            if merged.settings.level != present.settings.level:
                body["properties"]["vector"] = moved_property(self._client.server().engine, property, merged)
                log.warning(MOVED, self.index, present.settings.level, merged.settings.level)
            self._client.request_change(self._raw.indices.put_mapping, index=self.index, body=body)
            self._recent = None, 0.0
        change_live_settings(self._client, schema.settings)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """By `_mget`, which sees writes before any refresh."""
        self._recent_schema()
        return read_documents(
            self._client,
            validation.valid_keys(ids),
            lambda found: {doc["_id"]: fingerprint_from_source(doc["_source"]) for doc in found},
            _source_includes=FINGERPRINT_FIELDS,
        )

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Bulk-index whole documents; of several with one id, the last."""
        schema, server = self._require_schema(), self._client.server()
        valid, rejections = validation.validate_documents(documents, schema)
        actions = [
            bulk_action(
                "index",
                document.record,
                to_source(document) | {"vector": dialects.encode_vector(server, document.vector)},
            )
            for document in valid.values()
        ]
        return rejections + self._bulk.write(actions)

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Bulk-update all but vectors and contents; missing values become null."""
        schema = self._require_schema()
        valid, rejections = validation.validate_records(records, schema)
        actions = [
            bulk_action("update", record, {"doc": to_partial_source(record, schema)})
            for record in valid.values()
        ]
        return rejections + self._bulk.write(actions)

    def delete(self, ids: Sequence[str]) -> None:
        """Bulk-delete."""
        self._require_schema()
        delete_documents(self._client, validation.valid_keys(ids))

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """By a search for the contents, one document each."""
        schema = self._require_schema()
        return read_vectors(self._client, validation.valid_keys(contents), schema.space.dim)

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """By searches, each for the next ids."""
        self._require_schema()
        return scan_locations(self._client)

    def scan_vectors(self, where: Sequence[Condition] = ()) -> Iterator[tuple[list[str], Vectors]]:
        """By searches, each for the next ids, of which only vectors are read."""
        return scan_vectors(self._client, self._require_schema(), tuple(where))

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """Without refreshes. Of overlapping bulk loads, the last to exit restores the refresh interval."""
        with self._client.write_timeouts():
            standard = refresh_interval(self._recent_schema().settings)
            previous = disable_refresh(self._client)
        try:
            with self._client.write_timeouts():
                yield
        except BaseException:
            self._restore_quickly(previous, standard)
            raise
        if cancelled is not None and cancelled.is_set():
            self._restore_quickly(previous, standard)
        else:
            with self._client.write_timeouts():
                restore_refresh(self._client, previous, standard)

    def _restore_quickly(self, previous: str | None, standard: str) -> None:
        """Restore the refresh interval, or log that the next bulk load does."""
        try:
            with suppress(IndexNotFound):  # nothing to restore
                restore_refresh(self._client, previous, standard)
        except StoreError as error:
            log.warning("%s; its settings are restored by the next ingest", error)

    def search(self, *searches: Search) -> list[list[Hit]]:
        """All in one request, except searches that are exact or deeper than 10,000."""
        return search_many(self._client, self._recent_schema(), searches) if searches else []

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """By aggregations, of 16 fields at once."""
        self._require_schema()
        return count_facets(self._client, fields, where, limit, spans)

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """By `_mget`, vectors included."""
        schema = self._require_schema()
        # since 9.2, Elasticsearch leaves out vectors that are not requested
        return read_documents(
            self._client, validation.valid_keys(ids), partial(_documents, schema), _source_includes="*"
        )

    def open_other(self, index: str) -> EngineStore:
        """Another index of the same cluster, with connections of its own."""
        return EngineStore(self.address, index, self._client.timeouts, self._client.auth)

    def alias_target(self) -> str | None:
        """From the mapping, whose index is named in the answer; of no alias it is not read again at once."""
        target, mapping = find_target(self._client)
        self._just_read = mapping if target is None else None, time.monotonic() + RECENT_S
        return target

    def aliases(self) -> tuple[str, ...]:
        """Those that the user may read."""
        return find_aliases(self._client)

    def point_alias(self, index: str) -> None:
        """In one request."""
        previous = self.alias_target()
        if previous is None and self.schema() is not None:
            raise name_taken(self.address, self.index)
        with self.open_other(index) as other:
            other._require_schema()
        if index != previous:
            point_alias(self._client, index, previous)

    def rename(self, index: str, beside: Mapping[str, str]) -> None:
        """By clones, which need no further room on disk; the index can't be written meanwhile."""
        self._require_schema()
        present = {old: new for old, new in beside.items() if self._exists(old)}
        rename(self._client, {self.index: index} | present)

    def _exists(self, index: str) -> bool:
        with self.open_other(index) as other:
            return other.schema() is not None

    def drop(self) -> None:
        """Delete the index, if it is one of esclip's."""
        self._require_schema()
        self._client.request_change(self._raw.indices.delete, index=self.index)
        self._recent = None, 0.0

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _create(self, schema: IndexSchema) -> None:
        nodes = count_data_nodes(self._client)  # first: its error names a missing privilege
        refuse_level(self._client, schema)
        body = index_body(self._client.server().engine, schema, nodes)
        # 400: another process was faster, and its index is checked next
        error = self._client.request(
            self._raw.indices.create, read=get_error, index=self.index, body=body, ignore=400
        )
        if error and error_type(error[1]) != "resource_already_exists_exception":
            raise StoreError(f"{self.address} refused to make index {self.index!r}: {reason_text(error[1])}")

    def _mapping(self) -> Any:
        """The index's mapping; None when there is no such index."""
        try:
            self._client.server()
            (mapping, until), self._just_read = self._just_read, (None, 0.0)
            return mapping if mapping and time.monotonic() < until else self._client.mapping()
        except IndexNotFound:
            return None

    def _require_schema(self) -> IndexSchema:
        return self._read_schema(self._mapping())

    def _recent_schema(self) -> IndexSchema:
        """The schema as it was within the last second."""
        schema, until = self._recent
        return schema if schema is not None and time.monotonic() < until else self._require_schema()

    def _read_schema(self, mapping: Any) -> IndexSchema:
        self._recent = None, 0.0
        if mapping is None:
            raise index_missing(self.address, self.index)
        try:
            schema = schema_from_mapping(mapping)
            self._recent = schema, time.monotonic() + RECENT_S
            return schema
        except MALFORMED:
            raise IndexExists(
                f"index {self.index!r} at {self.address} is not one that esclip made; use another name"
            ) from None


def _size(answer: Any) -> tuple[int | None, int | None]:
    """Bytes on disk and number of shards, None where the user may not read them."""
    if "_all" not in get_object(answer):
        return None, None
    shards = get_count(answer, "_shards", "total") if "_shards" in answer else None
    return get_count(answer, "_all", "total", "store", "size_in_bytes"), shards


def _documents(schema: IndexSchema, found: Sequence[Any]) -> dict[str, StoredDocument]:
    vectors = dialects.decode_vectors([doc["_source"]["vector"] for doc in found], schema.space.dim)
    return {
        doc["_id"]: document_from_source(doc["_id"], vector, doc["_source"], schema.fields)
        for doc, vector in zip(found, vectors, strict=True)
    }
