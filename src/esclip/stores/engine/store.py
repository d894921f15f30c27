"""A kNN index in OpenSearch or Elasticsearch.

    StoredDocument ─► _bulk, in chunks ─► index ─► kNN search with prefilter ─► Hit
                                      └► _mget, which sees every write ─► Fingerprint, StoredDocument

The schema is in the index's mapping, `_meta.esclip`. Every call reads it, because another process may have
changed it, and an index without it is foreign; only searches, fingerprints and bulk loads, which follow on
other calls at once, take one that was read within the last second. Its name may have become an alias since:
documents in answers tell of which index they are, and others are not taken. A write to a missing index makes
one; if an index is dropped between the reading (5 ms of a page's 900) and a write, the next call fails.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event
from typing import Any, NamedTuple

from esclip._concurrency.retry import StoreTimeouts
from esclip._core.adoption import Adoption, AdoptOptions
from esclip._core.facet_counting import NO_SPANS, Spans
from esclip._core.facets import Facets
from esclip._core.filters import Condition
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, IndexInfo, IndexSchema, Space
from esclip._core.searches import Search
from esclip._core.types import Fingerprint, Hit, ImageRecord, StoredDocument, Vector, Vectors
from esclip._errors import Hint, IndexExists, IndexMismatch, IndexNotFound, StoreError
from esclip._net.access import StoreAuth
from esclip._protocols import Store
from esclip.stores import validation
from esclip.stores.aliases import pointed_to
from esclip.stores.engine import dialects
from esclip.stores.engine.adoption import adopt, release
from esclip.stores.engine.aliases import (
    find_aliases,
    find_target,
    point_alias,
    rename,
    take_back_rename,
)
from esclip.stores.engine.answers import MALFORMED, get_count, get_error, get_object
from esclip.stores.engine.bulk import BulkWriter, bulk_action
from esclip.stores.engine.bulk_errors import error_type, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.errors import index_missing
from esclip.stores.engine.facets import count_facets
from esclip.stores.engine.index_bodies import (
    index_body,
    mapping_body,
    refresh_interval,
    system_fields,
)
from esclip.stores.engine.layout import Layout, has_schema, is_prepared, prepared_layout, read_layout
from esclip.stores.engine.levels import MOVED, moved_property, refuse_level, settings_conflict
from esclip.stores.engine.listing import list_indexes
from esclip.stores.engine.paths import property_at, value_at
from esclip.stores.engine.reads import (
    delete_documents,
    document_keys,
    find_documents,
    read_vectors,
    scan_locations,
)
from esclip.stores.engine.refresh import (
    change_live_settings,
    count_data_nodes,
    disable_refresh,
    restore_refresh,
)
from esclip.stores.engine.search import scan_vectors, search_many
from esclip.stores.engine.segments import find_largest_segment
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

CLASHING = "another document of the index has its id as _id"


class EngineStore(Store):
    """Keeps an index in OpenSearch 2.19 or later, or in Elasticsearch 8 or 9."""

    write_concurrency = 4
    searches_remotely = True

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
        policy = self._client.policy(self._client.timeouts.write)
        self._recent: tuple[Layout | None, float] = None, 0.0
        self._just_read: tuple[Any, float] = None, 0.0
        self._bulk = BulkWriter(self._client.bulk, self.index, self.address, policy, self.write_concurrency)

    def __repr__(self) -> str:
        return f"EngineStore({self.address!r}, {self.index!r})"

    @property
    def _raw(self) -> Any:
        return self._client.raw

    def schema(self) -> IndexSchema | None:
        """From the index's mapping."""
        mapping = self._filled_mapping()
        return None if mapping is None else self._read_layout(mapping).schema

    def info(self) -> IndexInfo | None:
        """From mapping, count and statistics, after a refresh."""
        request, raw, auth = self._client.request, self._raw.indices, self._client.auth
        try:
            layout = self._require_layout()
            # a count sees what a refresh has made visible; a read-only user may neither refresh nor see sizes
            request(raw.refresh, index=self.index, ignore=403)
            count = self._client.count(layout.names.required)
            sizes = request(raw.stats, read=_sizes, index=self.index, metric="store", ignore=403)
            segment = find_largest_segment(self._client)
        except IndexNotFound:
            return None
        return IndexInfo(
            layout.schema,
            count,
            str(self._client.server()),
            sizes.bytes,
            auth.describe(),
            sizes.shards,
            adopted=layout.names.is_adopted,
            largest_segment=segment,
            primary_bytes=sizes.primary_bytes,
        )

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        """From all mappings that the user may see, in one request, and a count for each 16 of them."""
        return list_indexes(self._client)

    def adopt(self, space: Space, options: AdoptOptions) -> Adoption:
        """Take over the index, which another program made with the model of this space."""
        self._forget_mapping()
        return adopt(self._client, space, options)

    def release(self) -> None:
        """Take back an adoption."""
        self._forget_mapping()
        release(self._client)

    def _forget_mapping(self) -> None:
        """Read the mapping again before its next use."""
        self._recent, self._just_read = (None, 0.0), (None, 0.0)

    def ensure_index(self, schema: IndexSchema) -> None:
        """Create the index with settings and mapping, or extend its mapping and change live settings."""
        validation.check_field_names(schema.fields)
        if (mapping := self._mapping()) is None:
            self._create(schema)
            mapping = self._mapping()
        elif take_back_rename(self._client, mapping):
            mapping = self._mapping()
        is_prepared = self._is_prepared(mapping)
        layout = prepared_layout(mapping, schema.space) if is_prepared else self._read_layout(mapping)
        present, names = layout.schema, layout.names
        property = property_at(mapping["properties"], names.vector)
        conflict = (
            validation.schema_conflict(present, schema)
            or self._layout_conflict(layout, mapping["properties"], schema)
            or settings_conflict(self._client, property, present, schema.settings)
        )
        if conflict:
            raise IndexMismatch(
                f"index {self.index!r} at {self.address} can't take this data: {conflict}; use another index"
            )
        merged = validation.merge_schemas(present, schema)
        if (
            is_prepared
            or merged != present
            or not system_fields(names).keys() <= mapping["properties"].keys()
        ):
            mapped = mapping["properties"] if names.is_adopted else ()
            body = mapping_body(merged, mapping.get("_meta") or {}, names, mapped)
            if merged.settings.level != present.settings.level:
                body["properties"][names.vector] = moved_property(
                    self._client.server().engine, property, merged
                )
                log.warning(MOVED, self.index, present.settings.level, merged.settings.level)
            self._client.request_change(self._raw.indices.put_mapping, index=self.index, body=body)
            self._recent = None, 0.0
        change_live_settings(self._client, schema.settings)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """By `_mget`, which sees writes before any refresh."""
        layout, keys = self._recent_layout(), validation.valid_keys(ids)
        fields = (layout.names.pixels_fingerprint, layout.names.record_fingerprint)

        def read(documents: Sequence[Any]) -> dict[str, Fingerprint]:
            return {layout.id_of(one): fingerprint_from_source(layout.source_of(one)) for one in documents}

        return find_documents(self._client, layout, keys, read, fields)

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Bulk-index whole documents; of several with one id, the last."""
        layout, server = self._require_layout(), self._client.server()
        valid, rejections = validation.validate_documents(documents, layout.schema)
        if layout.names.is_adopted:
            return rejections + self._merge(layout, list(valid.values()))
        actions = [
            bulk_action(
                "index",
                document.record,
                to_source(document) | {"vector": dialects.encode_vector(server, document.vector)},
            )
            for document in valid.values()
        ]
        return rejections + self._bulk.write(actions)

    def _merge(self, layout: Layout, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Write documents into an adopted index, whose other programs' fields they keep."""
        keys = document_keys(self._client, layout, [document.record.id for document in documents])
        clashing = [document.record for document in documents if document.record.id not in keys]
        absent = {
            "page": None,
            "content_fingerprint": None,
            **{one.name: None for one in layout.schema.fields},
        }
        actions = [
            bulk_action(
                "update",
                document.record,
                {"doc": layout.to_fields(absent | to_source(document)), "doc_as_upsert": True},
                keys[document.record.id],
            )
            for document in documents
            if document.record.id in keys
        ]
        return [validation.write_rejection(one, CLASHING) for one in clashing] + self._bulk.write(actions)

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Bulk-update all but vectors and contents; missing values become null."""
        layout = self._require_layout()
        valid, rejections = validation.validate_records(records, layout.schema)
        keys = document_keys(self._client, layout, list(valid))
        actions = [
            bulk_action(
                "update",
                record,
                {"doc": layout.to_fields(to_partial_source(record, layout.schema))},
                keys.get(record.id),
            )
            for record in valid.values()
        ]
        return rejections + self._bulk.write(actions)

    def delete(self, ids: Sequence[str]) -> None:
        """Bulk-delete."""
        mapping = self._filled_mapping()
        if mapping is not None:
            take_back_rename(self._client, mapping)
        delete_documents(self._client, self._read_layout(mapping), validation.valid_keys(ids))

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """By a search for the contents, one document each."""
        return read_vectors(self._client, self._require_layout(), validation.valid_keys(contents))

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """By searches, each for the next ids."""
        return scan_locations(self._client, self._require_layout())

    def scan_vectors(self, where: Sequence[Condition] = ()) -> Iterator[tuple[list[str], Vectors]]:
        """By searches, each for the next ids, of which only vectors are read."""
        return scan_vectors(self._client, self._require_layout(), tuple(where))

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """Without refreshes. Of overlapping bulk loads, the last to exit restores the refresh interval."""
        with self._client.write_timeouts():
            standard = refresh_interval(self._recent_layout().schema.settings)
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
        return search_many(self._client, self._recent_layout(), searches) if searches else []

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """By aggregations, of 16 fields at once."""
        return count_facets(self._client, self._require_layout().names, fields, where, limit, spans)

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """By `_mget`, vectors included."""
        layout, keys = self._require_layout(), validation.valid_keys(ids)
        # since 9.2, Elasticsearch leaves out vectors that are not requested
        return find_documents(self._client, layout, keys, partial(_documents, layout), ["*"])

    def open_other(self, index: str) -> EngineStore:
        """Another index of the same cluster, with connections of its own."""
        return EngineStore(self.address, index, self._client.timeouts, self._client.auth)

    def alias_target(self) -> str | None:
        """From the mapping, which names its index; of none, one with a schema is not read again at once."""
        target, mapping = find_target(self._client)
        is_kept = target is None and has_schema(mapping or {})  # else it may be adopted or written meanwhile
        self._just_read = mapping if is_kept else None, time.monotonic() + RECENT_S
        return target

    def aliases(self) -> tuple[str, ...]:
        """Those that the user may read."""
        return find_aliases(self._client)

    def point_alias(self, index: str) -> None:
        """In one request."""
        previous = pointed_to(self)
        with self.open_other(index) as other:
            other._require_layout()
        if index != previous:
            point_alias(self._client, index, previous)

    def rename(self, index: str, beside: Mapping[str, str]) -> None:
        """By clones, which need no further room on disk; the index can't be written meanwhile."""
        if self._require_layout().names.is_adopted:
            raise StoreError(
                f"index {self.index!r} at {self.address} was made by another program, which needs its name; "
                "take another name as the alias"
            )
        present = {old: new for old, new in beside.items() if self._exists(old)}
        rename(self._client, {self.index: index} | present)

    def _exists(self, index: str) -> bool:
        with self.open_other(index) as other:
            return other.schema() is not None

    def drop(self) -> None:
        """Delete the index, if it is one of esclip's."""
        if self._require_layout().names.is_adopted:
            raise StoreError(
                f"index {self.index!r} at {self.address} was made by another program, and esclip does not "
                "remove it",
                Hint.UNDO_ADOPTION,
            )
        self._client.request_change(self._raw.indices.delete, index=self.index)
        self._recent = None, 0.0

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _layout_conflict(
        self, layout: Layout, properties: Mapping[str, Any], wanted: IndexSchema
    ) -> str | None:
        """Why the index's fields can't take documents of a schema; None when they can."""
        if not layout.names.is_adopted:  # else its vectors were checked then
            property = properties.get(layout.names.vector, {})
            return vector_conflict(self._client.server().engine, property, wanted.space.dim)
        known = {field.name for field in layout.schema.fields}
        foreign = next((one.name for one in wanted.fields if one.name in properties.keys() - known), None)
        return foreign and f"its field {foreign} is another program's, which esclip has not taken"

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

    def _filled_mapping(self) -> Any:
        """The same; None also for an index made from esclip's mapping, with nothing in it yet."""
        mapping = self._mapping()
        return None if mapping is not None and self._is_prepared(mapping) else mapping

    def _is_prepared(self, mapping: Any) -> bool:
        """Whether an index was made from esclip's mapping by hand, and has nothing in it yet."""
        if not is_prepared(mapping):
            return False
        self._client.request(self._raw.indices.refresh, index=self.index, ignore=403)
        return not self._client.count()

    def _recent_layout(self) -> Layout:
        """The layout as it was within the last second."""
        layout, until = self._recent
        return layout if layout is not None and time.monotonic() < until else self._require_layout()

    def _require_layout(self) -> Layout:
        return self._read_layout(self._filled_mapping())

    def _read_layout(self, mapping: Any) -> Layout:
        self._recent = None, 0.0
        if mapping is None:
            raise index_missing(self.address, self.index)
        try:
            layout = read_layout(mapping)
            self._recent = layout, time.monotonic() + RECENT_S
            return layout
        except MALFORMED:
            raise IndexExists(
                f"index {self.index!r} at {self.address} is not one that esclip made",
                Hint.ADOPT,
            ) from None


class _Sizes(NamedTuple):
    """Bytes on disk and number of shards, None where the user may not read them."""

    bytes: int | None
    primary_bytes: int | None
    shards: int | None


def _sizes(answer: Any) -> _Sizes:
    if "_all" not in get_object(answer):
        return _Sizes(None, None, None)
    primaries = "primaries" in get_object(answer, "_all")
    return _Sizes(
        get_count(answer, "_all", "total", "store", "size_in_bytes"),
        get_count(answer, "_all", "primaries", "store", "size_in_bytes") if primaries else None,
        get_count(answer, "_shards", "total") if "_shards" in answer else None,
    )


def _documents(layout: Layout, found: Sequence[Any]) -> dict[str, StoredDocument]:
    schema, name = layout.schema, layout.names.vector
    if layout.names.is_adopted:
        found = [doc for doc in found if value_at(doc["_source"], name) is not None]
    vectors = dialects.decode_vectors([value_at(doc["_source"], name) for doc in found], schema.space.dim)
    documents = [
        document_from_source(layout.id_of(doc), vector, layout.source_of(doc), schema.fields)
        for doc, vector in zip(found, vectors, strict=True)
    ]
    return {document.record.id: document for document in documents}
