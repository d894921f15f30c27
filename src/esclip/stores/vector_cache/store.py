"""A vector cache that is being written: a store for encoding, which can't be searched.

upsert ─► documents of the open part, in memory ─► PartWriter ─► finished part
fingerprints, documents ◄─ ids and fingerprints of all parts, in memory: 100 bytes a document
bulk_load ─► finished parts compared with their digests
exit of bulk_load ─► the last part finished ─► summary, unless the run was ended before

A part is finished when it is full, or ten minutes old. What was in an unfinished one is encoded again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, RLock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from esclip._core.document_tables import document_table, table_documents
from esclip._core.index_settings import NO_SETTINGS
from esclip._core.rejections import Rejection
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.types import Fingerprint, Hit, StoredDocument, Vector
from esclip._errors import ConfigError, IndexMismatch, IndexNotFound, StoreError, map_errors
from esclip._protocols import Store
from esclip.stores import validation
from esclip.stores.vector_cache import parts
from esclip.stores.vector_cache.errors import DISK_ERRORS
from esclip.stores.vector_cache.reading import DAMAGE, check_parts, open_cache, part_schema, summarize

INDEX = "_cache"
"""The index's name: files that are named by it are passed over by readers of the folder."""

FINISH_AFTER_S = 600.0
"""Seconds after which a part is finished, however small: what a kill can cost."""

_KNOWN = ("id", "pixels_fingerprint", "record_fingerprint")


class VectorCacheStore(Store):
    """Writes documents as a vector cache. Of several with one id, the one written last counts."""

    def __init__(self, folder: Path, index: str = INDEX) -> None:
        """Open nothing yet. `index` is `INDEX`, or the name of one beside it, which is in a folder below."""
        super().__init__(str(folder), index)
        self.folder = folder if index == INDEX else folder / index.removeprefix(INDEX)
        self._beside: list[VectorCacheStore] = []
        self._lock = RLock()
        self._schema: IndexSchema | None = None
        self._written_schema: IndexSchema | None = None
        self._open: dict[str, StoredDocument] = {}
        self._opened_at = 0.0
        self._known: dict[str, pa.Table] | None = None
        self._finished: dict[str, parts.Part] = {}

    def schema(self) -> IndexSchema | None:
        """Of this run, else of the newest part."""
        with self._lock, map_errors(DISK_ERRORS, self.folder):
            files = parts.part_files(self.folder) if self.folder.is_dir() else ()
            if self._schema is None and files:
                self._schema = self._written_schema = part_schema(files[-1], DAMAGE)
            return self._schema

    def info(self) -> IndexInfo | None:
        """Rows of the parts, and those of the open one."""
        if (schema := self.schema()) is None:
            return None
        with self._lock, map_errors(DISK_ERRORS, self.folder):
            files = parts.part_files(self.folder)
            rows = sum(pq.read_metadata(path).num_rows for path in files) + len(self._open)
            size = sum(path.stat().st_size for path in files)
        return IndexInfo(schema, rows, "vector cache", size)

    def ensure_index(self, schema: IndexSchema) -> None:
        """Keep the schema for the next part. Raises `ConfigError` for settings, which a cache has none of."""
        validation.check_field_names(schema.fields)
        if schema.settings != NO_SETTINGS:
            named = ", ".join(schema.settings.given())
            raise ConfigError(f"{named}: a vector cache has no such setting; give it to the import")
        with self._lock:
            present = self.schema() or schema
            if conflict := validation.schema_conflict(present, schema):
                raise IndexMismatch(f"{self.folder} can't take this data: {conflict}; take another folder")
            merged = validation.merge_schemas(present, schema)
            if merged != self._schema:
                self._finish_part()
            self._schema = merged

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """Of the open part, else of the newest part that has the id."""
        with self._lock:
            self._require_schema()
            wanted = validation.valid_keys(ids)
            found = {id: self._open[id].fingerprint for id in wanted if id in self._open}
            for table in reversed(self._known_rows().values()):
                for row in _rows_of(table, [id for id in wanted if id not in found]):
                    found[row["id"]] = Fingerprint(row["pixels_fingerprint"], row["record_fingerprint"])
            return found

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """Read from the newest parts that have them."""
        with self._lock, map_errors(DISK_ERRORS, self.folder):
            self._require_schema()
            wanted = validation.valid_keys(ids)
            found = {id: self._open[id] for id in wanted if id in self._open}
            for name, table in reversed(self._known_rows().items()):
                here = [row["id"] for row in _rows_of(table, [id for id in wanted if id not in found])]
                if here:
                    schema = part_schema(self.folder / name)
                    rows = pq.read_table(self.folder / name, filters=[("id", "in", here)])
                    documents = table_documents(rows, schema)
                    found |= {
                        one.record.id: replace(one, record=replace(one.record, stored_as=None))
                        for one in documents
                    }
            return found

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Keep them for the open part, and finish it where it is full or old."""
        with self._lock:
            valid, rejections = validation.validate_documents(documents, self._require_schema())
            if not self._open:
                self._opened_at = time.monotonic()
            for id, document in valid.items():
                self._open.pop(id, None)  # at its end: of several with one id, the last
                self._open[id] = replace(document, crops=())
            is_old = time.monotonic() - self._opened_at > FINISH_AFTER_S
            if is_old or len(self._open) >= parts.PART_ROWS:
                self._finish_part()
            return rejections

    def delete(self, ids: Sequence[str]) -> None:
        """Remove documents of the open part. Raises `StoreError` for those of finished ones."""
        with self._lock:
            for id in ids:
                self._open.pop(id, None)
            if left := list(self.fingerprints(ids)):
                raise StoreError(
                    f"{self.folder} has {left[0]!r:.80} in a finished part, and nothing can be removed from "
                    "a vector cache; encode into a new folder"
                )

    def search(self, *searches: Search) -> list[list[Hit]]:
        """Raises `StoreError`."""
        raise StoreError(f"{self.folder} is a vector cache, which can't be searched; import it into an index")

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """Those of the open part; a copy of a picture of another one is encoded again."""
        with self._lock:
            wanted = set(contents)
            return {one.content: one.vector for one in self._open.values() if one.content in wanted}

    def scan_tables(self) -> Iterator[Any]:
        """Of a finished cache."""
        return open_cache(self.folder).tables()

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """On exit, finish the open part; without an error, and not ended before, write the summary."""
        with map_errors(DISK_ERRORS, self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._finished = check_parts(self.folder)
            self._note_finished()
            (self.folder / parts.SUMMARY).unlink(missing_ok=True)
            parts.remove_files([*parts.unfinished_files(self.folder)])
        try:
            yield
        finally:
            with self._lock:
                self._finish_part()
        if not (cancelled and cancelled.is_set()):
            with self._lock, map_errors(DISK_ERRORS, self.folder):
                if self._written_schema != self._schema:
                    self._write_part([])  # what the parts before don't say
                parts.write_summary(self.folder, summarize(self.folder, self._finished))
                (self.folder / parts.UNFINISHED_SUMMARY).unlink(missing_ok=True)

    def open_other(self, index: str) -> VectorCacheStore:
        """A cache in a folder below."""
        other = VectorCacheStore(Path(self.address), index)
        self._beside.append(other)
        return other

    def drop(self) -> None:
        """Remove the parts."""
        with self._lock, map_errors(DISK_ERRORS, self.folder):
            self._require_schema()
            summaries = [self.folder / name for name in (parts.SUMMARY, parts.UNFINISHED_SUMMARY)]
            parts.remove_files([*parts.part_files(self.folder), *summaries])
            self._schema = self._written_schema = self._known = None
            self._open, self._finished = {}, {}

    def _require_schema(self) -> IndexSchema:
        if (schema := self.schema()) is None:
            raise IndexNotFound(f"there is no vector cache in {self.folder}")
        return schema

    def _known_rows(self) -> dict[str, pa.Table]:
        """Ids and fingerprints of the finished parts, by their names."""
        if self._known is None:
            with map_errors(DISK_ERRORS, self.folder):
                files = parts.part_files(self.folder) if self.folder.is_dir() else ()
                self._known = {path.name: pq.read_table(path, columns=list(_KNOWN)) for path in files}
        return self._known

    def _finish_part(self) -> None:
        """Write the documents of the open part; before, what stands beside them: none is without its own."""
        for other in self._beside:
            with other._lock:
                other._finish_part()
        if self._open:
            self._write_part(list(self._open.values()))
            self._open = {}

    def _write_part(self, documents: Sequence[StoredDocument]) -> None:
        schema, known = self._require_schema(), self._known_rows()
        with map_errors(DISK_ERRORS, self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            writer = parts.PartWriter(self.folder, schema)
            try:
                table = document_table(documents, schema)
                writer.write(table)
                for part in writer.finish().parts:
                    self._finished[part.name] = part
                    known[part.name] = table.select(list(_KNOWN)).slice(0, part.rows)
                    table = table.slice(part.rows)
            finally:
                writer.close()
            self._note_finished()
        self._written_schema = schema

    def _note_finished(self) -> None:
        """Keep by which digests the finished parts are known in a run that goes on after a kill."""
        if self._finished:
            finished = parts.Summary(tuple(self._finished.values()))
            parts.write_summary(self.folder, finished, parts.UNFINISHED_SUMMARY)


def _rows_of(table: pa.Table, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows with these ids."""
    if not ids or not len(table):
        return []
    rows: list[dict[str, Any]] = table.filter(pc.is_in(table["id"], pa.array(ids, pa.string()))).to_pylist()
    return rows
