"""A kNN index in OpenSearch or Elasticsearch.

    Document ─► _bulk, chunk by chunk ─► index ─► kNN search, filter inside ─► Hit
                                           └► _mget, sees every write at once ─► Fingerprint, Document

What an index is made with stands in its mapping, `_meta.esclip`: it is read again for each call, because
another process may have changed it, and an index that lacks it is none of ours. An engine makes an index that
isn't there at the first write to it; one that is removed between that reading (5 ms of a page's 900) and the
write is refused at the next call.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event
from typing import Any

from esclip._concurrency.retry import StoreTimeouts
from esclip._core.rejections import Rejection
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.types import Document, Fingerprint, Hit, ImageRecord, Vector
from esclip._errors import IndexExists, IndexMismatch, IndexNotFound, StoreError
from esclip._net.access import StoreAuth
from esclip._protocols import Store
from esclip.stores.engine.answers import MALFORMED, error_of, integer_of, object_of
from esclip.stores.engine.bulk import BulkWriter, bulk_action
from esclip.stores.engine.bulk_errors import kind_of, reason_text
from esclip.stores.engine.client import EngineClient
from esclip.stores.engine.dialects import (
    OWN,
    index_body,
    mapping_body,
    schema_of,
    vector_fault,
)
from esclip.stores.engine.errors import index_missing
from esclip.stores.engine.reads import delete_documents, documents_of, every_location, vectors_of
from esclip.stores.engine.refresh import data_nodes, disable_refresh, restore_refresh
from esclip.stores.engine.search import searched
from esclip.stores.engine.vectors import decode_vectors, encode_vector
from esclip.stores.serialization import (
    document_from_source,
    fingerprint_from_source,
    to_partial_source,
    to_source,
)
from esclip.stores.validation import (
    check_field_names,
    merge_schemas,
    schema_conflict,
    valid_keys,
    validate_documents,
    validate_records,
)

__all__ = ["EngineStore"]

log = logging.getLogger("esclip")

FINGERPRINTS = "pixels_fingerprint,record_fingerprint"


class EngineStore(Store):
    """Keeps an index in OpenSearch 2.19 or later, or in Elasticsearch 8 or 9."""

    write_concurrency = 4

    def __init__(
        self,
        address: str,
        index: str,
        timeouts: StoreTimeouts | None = None,
        access: StoreAuth | None = None,
    ) -> None:
        """`address` may hold a user and a password; they are never shown. Nothing is connected to yet."""
        self._client = EngineClient(address, index, timeouts or StoreTimeouts(), access or StoreAuth())
        super().__init__(self._client.address, index)
        target = f"Index {self.index} at {self.address}"
        policy = self._client.policy(self._client.timeouts.write)
        self._bulk = BulkWriter(self._client.bulk, target, policy, self.write_concurrency)

    def __repr__(self) -> str:
        return f"EngineStore({self.address!r}, {self.index!r})"

    @property
    def _raw(self) -> Any:
        return self._client.raw

    def schema(self) -> IndexSchema | None:
        """What stands in the index's mapping."""
        mapping = self._mapping()
        return None if mapping is None else self._read_schema(mapping)

    def info(self) -> IndexInfo | None:
        """The documents of a refreshed index, its mapping's schema, and what the server is."""
        ask, raw, access = self._client.ask, self._raw.indices, self._client.access
        try:
            schema = self._existing()
            # a count sees only what a refresh has made visible; who may only read has neither that nor sizes
            ask(raw.refresh, index=self.index, ignore=403)
            count = self._client.count()
            size = ask(raw.stats, read=_size, index=self.index, metric="store", ignore=403)
        except IndexNotFound:
            return None
        return IndexInfo(schema, count, str(self._client.server()), size, access.describe())

    def ensure_index(self, schema: IndexSchema) -> None:
        """Make the index with its settings and mapping, or put what its mapping lacks."""
        check_field_names(schema.fields)
        if self._mapping() is None:
            self._create(schema)
        mapping = self._mapping()
        present = self._read_schema(mapping)
        conflict = schema_conflict(present, schema) or vector_fault(
            self._client.server().engine, mapping["properties"].get("vector", {}), schema.space.dim
        )
        if conflict:
            raise IndexMismatch(
                f"Index {self.index} at {self.address} can't take this data: {conflict}; use another index."
            )
        merged = merge_schemas(present, schema)
        if merged != present or not OWN.keys() <= mapping["properties"].keys():
            body = mapping_body(merged, mapping["_meta"])
            self._client.change(self._raw.indices.put_mapping, index=self.index, body=body)

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """What `_mget` finds, which sees writes before any refresh."""
        self._existing()
        return documents_of(
            self._client,
            valid_keys(ids),
            lambda found: {one["_id"]: fingerprint_from_source(one["_source"]) for one in found},
            _source_includes=FINGERPRINTS,
        )

    def upsert(self, documents: Sequence[Document]) -> list[Rejection]:
        """Bulk-index whole documents; of several with one id, the last."""
        schema, server = self._existing(), self._client.server()
        valid, rejections = validate_documents(documents, schema)
        actions = [
            bulk_action(
                "index",
                document.record,
                to_source(document) | {"vector": encode_vector(server, document.vector)},
            )
            for document in valid.values()
        ]
        return rejections + self._bulk.write(actions)

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Bulk-update all but vectors and contents; missing values become null."""
        schema = self._existing()
        valid, rejections = validate_records(records, schema)
        actions = [
            bulk_action("update", record, {"doc": to_partial_source(record, schema)})
            for record in valid.values()
        ]
        return rejections + self._bulk.write(actions)

    def delete(self, ids: Sequence[str]) -> None:
        """Bulk-delete."""
        self._existing()
        delete_documents(self._client, valid_keys(ids))

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """A search for the fingerprints, one document of each."""
        schema = self._existing()
        return vectors_of(self._client, valid_keys(contents), schema.space.dim)

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Searches, each for the next ids."""
        self._existing()
        return every_location(self._client)

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """Without refreshes. Of overlapping bulk loads, the last to exit restores the refresh interval."""
        with self._client.write_timeouts():
            previous = disable_refresh(self._client)
        try:
            with self._client.write_timeouts():
                yield
        except BaseException:
            self._restore_quickly(previous)
            raise
        if cancelled is not None and cancelled.is_set():
            self._restore_quickly(previous)
        else:
            with self._client.write_timeouts():
                restore_refresh(self._client, previous)

    def _restore_quickly(self, previous: str | None) -> None:
        """Restore the refresh interval, or log that the next bulk load does."""
        try:
            with suppress(IndexNotFound):  # nothing to restore
                restore_refresh(self._client, previous)
        except StoreError as error:
            log.warning("%s; its settings are restored by the next ingest", error)

    def search(self, *searches: Search) -> list[list[Hit]]:
        """All in one request, but those that are exact or go deeper than 10,000."""
        return searched(self._client, self._existing(), searches) if searches else []

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """What `_mget` finds, vectors included."""
        schema = self._existing()
        # Elasticsearch leaves vectors out since 9.2, unless they are asked for
        return documents_of(self._client, valid_keys(ids), partial(_documents, schema), _source_includes="*")

    def open_other(self, index: str) -> EngineStore:
        """Another index of the same cluster, by connections of its own."""
        return EngineStore(self.address, index, self._client.timeouts, self._client.access)

    def drop(self) -> None:
        """Delete the index, if it is one of esclip's."""
        self._existing()
        self._client.change(self._raw.indices.delete, index=self.index)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _create(self, schema: IndexSchema) -> None:
        nodes = data_nodes(self._client)  # first: who may not ask for it is told which right is missing
        body = index_body(self._client.server().engine, schema, nodes)
        # 400: another process was faster, and what it made is read and compared next
        error = self._client.ask(
            self._raw.indices.create, read=error_of, index=self.index, body=body, ignore=400
        )
        if error and kind_of(error[1]) != "resource_already_exists_exception":
            raise StoreError(f"{self.address} refused to make index {self.index}: {reason_text(error[1])}")

    def _mapping(self) -> Any:
        """The index's mapping as the engine has it; None when there is no such index."""
        try:
            self._client.server()
            return self._client.mapping()
        except IndexNotFound:
            return None

    def _existing(self) -> IndexSchema:
        return self._read_schema(self._mapping())

    def _read_schema(self, mapping: Any) -> IndexSchema:
        if mapping is None:
            raise index_missing(self.address, self.index)
        try:
            return schema_of(mapping)
        except MALFORMED:
            raise IndexExists(
                f"Index {self.index} at {self.address} is not one that esclip made; use another name."
            ) from None


def _size(answer: Any) -> int | None:
    """Bytes on disk, or None where they may not be asked for."""
    if "_all" not in object_of(answer):
        return None
    return integer_of(answer, "_all", "total", "store", "size_in_bytes")


def _documents(schema: IndexSchema, found: Sequence[Any]) -> dict[str, Document]:
    vectors = decode_vectors([one["_source"]["vector"] for one in found], schema.space.dim)
    return {
        one["_id"]: document_from_source(one["_id"], vector, one["_source"], schema.fields)
        for one, vector in zip(found, vectors, strict=True)
    }
