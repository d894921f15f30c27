"""A store in Milvus: a server, or a folder of Milvus Lite. An index is a collection.

    StoredDocument ─► upsert, in chunks ─► collection ─► search with a filter ─► true cosines ─► Hit

The collection's reads are `Strong`: they see every write. Its schema is in its properties; every call reads
it, because another process may have changed it, and a collection without it is foreign.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

from esclip._concurrency.retry import StoreTimeouts
from esclip._concurrency.streams import batches
from esclip._core.facet_counting import NO_SPANS, Column, Spans, columns_of, count_facets
from esclip._core.facets import Facets
from esclip._core.filters import Condition
from esclip._core.index_settings import FLOAT
from esclip._core.rejections import Rejection
from esclip._core.schema import Field, IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.types import Fingerprint, Hit, StoredDocument, Vector, Vectors
from esclip._errors import IndexExists, IndexMismatch, IndexNotFound, StoreError
from esclip._net.access import StoreAuth
from esclip._protocols import Store
from esclip.stores import validation
from esclip.stores.aliases import is_alias, name_taken, pointed_to
from esclip.stores.milvus import aliases
from esclip.stores.milvus.client import MilvusConnection, import_pymilvus
from esclip.stores.milvus.filters import in_expression
from esclip.stores.milvus.names import index_name
from esclip.stores.milvus.reads import (
    IDS_AT_ONCE,
    VECTOR_ROWS,
    count_rows,
    iter_matching,
    iter_rows,
    read_by_id,
)
from esclip.stores.milvus.rows import (
    CONTENT,
    FINGERPRINTS,
    SCHEMA_KEY,
    collection_schema,
    document_row,
    hit_columns,
    read_document,
    read_hit,
    read_schema,
    read_vectors,
    row_problem,
    row_size,
    schema_text,
)
from esclip.stores.milvus.search import search_many
from esclip.stores.serialization import fingerprint_from_source

log = logging.getLogger("esclip")

CHUNK_ROWS = 1_000
CHUNK_BYTES = 16 << 20
"""Of a request that writes: servers take 64 MB."""


class MilvusStore(Store):
    """Keeps an index in Milvus 2.5 or later, or in a folder of Milvus Lite 3."""

    def __init__(
        self,
        address: str | Path,
        index: str,
        timeouts: StoreTimeouts | None = None,
        auth: StoreAuth | None = None,
    ) -> None:
        """Connect to nothing yet. A user and password in `address` are never shown."""
        self._connection = MilvusConnection(address, index, timeouts or StoreTimeouts(), auth or StoreAuth())
        super().__init__(self._connection.address, index)

    def schema(self) -> IndexSchema | None:
        """From the collection's properties."""
        if not self._connection.exists:
            return None
        try:
            return self._require_schema()
        except IndexNotFound:
            return None

    def info(self) -> IndexInfo | None:
        """From the collection's properties, and a count."""
        if (schema := self.schema()) is None:
            return None
        return IndexInfo(
            schema,
            count_rows(self._connection),
            self._connection.version(),
            bytes=None,
            access=self._connection.auth.describe(),
        )

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        """From all collections; warns of one that can't be read."""
        if not self._connection.exists:
            return {}
        infos: dict[str, IndexInfo] = {}
        for name in sorted(filter(None, map(index_name, self._connection.call("list_collections")))):
            with self.open_other(name) as other:
                try:
                    info = other.info()
                    names = other.aliases() if info else ()
                except IndexExists:  # not esclip's
                    continue
                except StoreError as error:
                    log.warning("%s", error)
                    continue
            if info is not None:
                infos[name] = replace(info, aliases=names)
        return infos

    def ensure_index(self, schema: IndexSchema) -> None:
        """Create the collection with its index of vectors, or extend the schema in its properties."""
        validation.check_field_names(schema.fields)
        validation.check_settings(schema.settings, "an index in Milvus", (FLOAT,))
        present = self.schema()
        if present is None:
            present = self._create(schema)
        conflict = validation.schema_conflict(present, schema)
        conflict = conflict or validation.settings_conflict(present.settings, schema.settings)
        if conflict:
            raise IndexMismatch(
                f"index {self.index!r} in {self.address} can't take this data: {conflict}; use another index"
            )
        merged = validation.merge_schemas(present, schema)
        if merged != present:
            self._connection.request("alter_collection_properties", {SCHEMA_KEY: schema_text(merged)})

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """By queries for ids."""
        self._require_schema()
        rows = read_by_id(self._connection, validation.valid_keys(ids), FINGERPRINTS)
        return {row["id"]: fingerprint_from_source(row) for row in rows}

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """By queries for ids."""
        fields = self._require_schema().fields
        rows = read_by_id(self._connection, validation.valid_keys(ids), [*hit_columns(fields), "vector"])
        return {row["id"]: read_document(row, fields) for row in rows}

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Upsert whole documents; of several with one id, the last."""
        schema = self._require_schema()
        valid, rejections = validation.validate_documents(documents, schema)
        rows: list[dict[str, Any]] = []
        for document in valid.values():
            row = document_row(document, schema)
            if problem := row_problem(row):
                rejections.append(validation.write_rejection(document.record, problem))
            else:
                rows.append(row)
        for chunk in batches(rows, CHUNK_ROWS, weigh=row_size, max_weight=CHUNK_BYTES):
            self._connection.request("upsert", data=chunk)
        return rejections

    def delete(self, ids: Sequence[str]) -> None:
        """Delete by ids."""
        self._require_schema()
        for batch in batches(validation.valid_keys(ids), IDS_AT_ONCE):
            self._connection.request("delete", filter=in_expression("id", batch))

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """By a query for the contents, and one for a document of each."""
        schema, contents = self._require_schema(), validation.valid_keys(contents)
        ids: dict[str, str] = {}
        for batch in batches([content for content in contents if content], IDS_AT_ONCE):
            for rows in iter_rows(self._connection, in_expression(CONTENT, batch), [CONTENT]):
                ids |= {row[CONTENT]: row["id"] for row in rows}
        rows = read_by_id(self._connection, list(ids.values()), [CONTENT, "vector"])
        vectors = read_vectors(rows, schema.space.dim)
        return {row[CONTENT]: vector for row, vector in zip(rows, vectors, strict=True)}

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """By queries, each for the next ids."""
        self._require_schema()
        for rows in iter_matching(self._connection, (), (), ["location"]):
            yield from ((row["id"], row["location"]) for row in rows)

    def scan_vectors(self, where: Sequence[Condition] = ()) -> Iterator[tuple[list[str], Vectors]]:
        """By queries, each for the next ids."""
        schema = self._require_schema()
        for rows in iter_matching(self._connection, where, schema.fields, ["vector"], VECTOR_ROWS):
            if rows:
                yield [row["id"] for row in rows], read_vectors(rows, schema.space.dim)

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """Requests may take as long as writes, which are found at once.

        At the end Milvus Lite writes its memory to disk, where it searches twelve times as fast.
        """
        self._require_schema()
        self._connection.bulk_loads += 1
        try:
            yield
        finally:
            self._connection.bulk_loads -= 1
        if self._connection.folder is not None and not (cancelled and cancelled.is_set()):
            with suppress(IndexNotFound):  # removed meanwhile
                self._connection.request("flush")

    def search(self, *searches: Search) -> list[list[Hit]]:
        """All kNN searches that differ only in their vectors in one request."""
        hits = search_many(self._connection, self._require_schema(), searches)
        self._describe()  # Milvus does not tell of which collection hits are: its name may be an alias by now
        return hits

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """By reading the fields of all documents, at most twice."""
        known = self._require_schema().fields

        def read(some: Sequence[Field]) -> Iterator[tuple[int, list[Column]]]:
            for rows in iter_matching(self._connection, where, known, hit_columns(some)):
                yield len(rows), columns_of([read_hit(row, 1.0, some).metadata for row in rows], some)

        return count_facets(read, fields, limit, spans)

    def open_other(self, index: str) -> MilvusStore:
        """Another collection, with a connection of its own."""
        connection = self._connection
        return MilvusStore(connection.address, index, connection.timeouts, connection.auth)

    def alias_target(self) -> str | None:
        """From the description of the collection, which has its own name."""
        return aliases.find_target(self._connection)

    def aliases(self) -> tuple[str, ...]:
        """Those of the collection."""
        self._require_schema()
        return aliases.find_aliases(self._connection)

    def point_alias(self, index: str) -> None:
        """In one request."""
        previous = pointed_to(self)
        with self.open_other(index) as other:
            other._require_schema()
        if index != previous:
            aliases.point_alias(self._connection, index, previous)

    def rename(self, index: str, beside: Mapping[str, str]) -> None:
        """Rename the collections, and point an alias to the first."""
        names = {self.index: index} | dict(beside)
        there = {old: new for old, new in names.items() if self._is_taken(old)}
        if self.index not in there and not self._is_taken(index):
            raise self._connection.missing()
        for name in there.values():
            if self._is_taken(name):
                raise name_taken(self.address, name)
        aliases.rename(self._connection, index, beside)
        self._connection.forget()

    def _is_taken(self, index: str) -> bool:
        """Whether an index has the name. Raises `IndexExists` where an alias has it."""
        with self.open_other(index) as other:
            return other.schema() is not None

    def drop(self) -> None:
        """Drop the collection, if it is one of esclip's, and before it its aliases."""
        self._require_schema()
        aliases.drop_aliases(self._connection)
        self._connection.request("drop_collection")
        self._connection.forget()

    def close(self) -> None:
        """Close the connection. The last one to a folder of Milvus Lite lets other processes open it."""
        self._connection.close()

    def _create(self, schema: IndexSchema) -> IndexSchema:
        """Make the collection, if no other process does, and what a killed one has left out."""
        self._connection.forget()
        try:
            self._connection.request(
                "create_collection",
                schema=collection_schema(import_pymilvus(), schema.space.dim),
                properties={SCHEMA_KEY: schema_text(schema)},
                consistency_level="Strong",
            )
        except StoreError:
            if self.schema() is None:  # else another process was faster
                raise
        return self._require_schema()

    def _describe(self) -> Any:
        """The collection's description. Raises `IndexExists` where its name is an alias."""
        found = self._connection.request("describe_collection")
        if (target := aliases.target_of(self._connection, found)) is not None:
            raise is_alias(self.address, self.index, target)
        return found

    def _require_schema(self) -> IndexSchema:
        if not self._connection.exists:
            raise self._connection.missing()
        try:
            schema = read_schema(self._describe()["properties"])
        except (KeyError, ValueError):
            raise IndexExists(
                f"collection {self._connection.collection!r} in {self.address} is not one that esclip made; "
                "use another name for the index"
            ) from None
        self._connection.prepare()
        return schema
