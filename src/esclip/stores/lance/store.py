"""The embedded store: an index is a folder, `<folder>/<index>.lance`, and no server runs.

    upsert ─► merge by id ─► a small fragment each time      search ─► vectors in the index: a byte a number
    leaving loading() ─► fragments joined, vectors indexed             all others: as they are
                                                                       the nearest of both: true cosines

It is a Lance dataset, which a LanceDB client opens as the table `<index>`. Every call opens its latest
version (20 microseconds), so that readers see what other processes write.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

import lance
import numpy as np

from esclip._concurrency.forks import Unforkable, leave_behind, renew_in_children
from esclip._core.rejections import Rejection
from esclip._core.schema import IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.types import Document, Fingerprint, Hit, ImageRecord, Vector
from esclip._errors import (
    ConfigError,
    IndexExists,
    IndexMismatch,
    IndexNotFound,
    StoreError,
    StoreUnavailable,
    map_errors,
    one_line,
)
from esclip.stores.lance.errors import LANCE_ERRORS
from esclip.stores.lance.filters import in_sql
from esclip.stores.lance.keyword_search import read_rows
from esclip.stores.lance.maintenance import (
    IndexThresholds,
    add_columns,
    index_contents,
    index_vectors,
    index_words,
    join_fragments,
    remove_old_versions,
    size_on_disk,
)
from esclip.stores.lance.rows import (
    CONTENT,
    arrow_schema,
    document_table,
    read_documents,
    read_fingerprint,
    record_table,
)
from esclip.stores.lance.schema import SCHEMA_KEY, fitting, schema_metadata, schema_of
from esclip.stores.lance.vector_search import found
from esclip.stores.validation import (
    check_field_names,
    merge_schemas,
    possible,
    schema_conflict,
    validation_error,
    write_rejection,
)

__all__ = ["IndexThresholds", "LanceStore"]

logger = logging.getLogger("esclip")

MAINTENANCE = (join_fragments, index_vectors, index_contents, index_words, remove_old_versions)

_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""What Lance takes in no path: control characters, and bytes of a name that aren't UTF-8."""

LANCE = Unforkable("Lance, which keeps embedded indexes,", StoreError, "keep the index in an engine")

RETRIES = 50
"""How often a write starts anew because another process was faster."""


class LanceStore:
    """A `Store` in a folder. Writes of this object go one after another, searches side by side."""

    write_concurrency = 1

    def __init__(self, folder: Path | str, index: str, scale: IndexThresholds | None = None) -> None:
        """Open nothing yet. Raises `ConfigError` for a folder whose name can't be used."""
        self.index = index
        self._folder = Path(folder).absolute()
        if _UNUSABLE.search(str(self._folder)):
            raise ConfigError(
                f"The store's folder {one_line(str(self._folder))} has a control character in its name, or a "
                "byte that isn't UTF-8, which Lance can't open; give another"
            )
        self._path = self._folder / f"{index}.lance"
        self._scale = scale or IndexThresholds()
        self._session: Any = None
        self._lock = RLock()
        renew_in_children(self)

    @property
    def address(self) -> str:
        """The folder."""
        return str(self._folder)

    def schema(self) -> IndexSchema | None:
        """What the latest version's metadata says."""
        with map_errors(LANCE_ERRORS, self._path):
            return None if (dataset := self._open()) is None else schema_of(dataset)

    def info(self) -> IndexInfo | None:
        """What the latest version holds, and what all files of the index take."""
        with map_errors(LANCE_ERRORS, self._path):
            if (dataset := self._open()) is None:
                return None
            engine = f"Lance {lance.__version__}"
            return IndexInfo(schema_of(dataset), dataset.count_rows(), engine, size_on_disk(self._path))

    def ensure_index(self, schema: IndexSchema) -> None:
        """Make the dataset, or add columns, which costs nothing: old rows have nulls in them."""
        check_field_names(schema.fields)
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset = self._open() or self._create(schema)
            held = schema_of(dataset)
            if why := schema_conflict(held, schema):
                raise IndexMismatch(f"Index {self.index} in {self._folder} can't take this data: {why}.")
            wider = merge_schemas(held, schema)
            # Columns first: should this end between the two, the next call finds what is missing.
            add_columns(dataset, (wider or held).fields)
            if wider:
                dataset.update_schema_metadata(schema_metadata(wider))

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """Scan the column of ids, which takes 10 ms among 100,000."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset, ids = self._existing(), possible(ids)
            columns = ["id", "pixels_fingerprint", "record_fingerprint"]
            rows = dataset.to_table(columns=columns, filter=in_sql("id", ids)).to_pylist() if ids else []
        return {row["id"]: read_fingerprint(row) for row in rows}

    def upsert(self, documents: Sequence[Document]) -> list[Rejection]:
        """Merge by id; of documents with one id the last counts."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            schema = schema_of(dataset)
            faults = [validation_error(document.record, document.vector, schema) for document in documents]
            good = {d.record.id: d for d, found in zip(documents, faults, strict=True) if not found}
            if good:
                merge = dataset.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                table = fitting(document_table(list(good.values()), schema), dataset)
                merge.conflict_retries(RETRIES).execute(table)
        return [write_rejection(d.record, found) for d, found in zip(documents, faults, strict=True) if found]

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Merge all columns but the vector into rows that are there."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            schema, held = schema_of(dataset), self.fingerprints([record.id for record in records])
            faults = [
                validation_error(r, None, schema) if r.id in held else "no document has this id"
                for r in records
            ]
            good = {r.id: r for r, found in zip(records, faults, strict=True) if not found}
            if good:
                merge = dataset.merge_insert("id").when_matched_update_all()
                table = fitting(record_table(list(good.values()), schema), dataset)
                merge.conflict_retries(RETRIES).execute(table)
        return [write_rejection(r, found) for r, found in zip(records, faults, strict=True) if found]

    def delete(self, ids: Sequence[str]) -> None:
        """Mark the rows as deleted; the next compaction removes them."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset, ids = self._existing(), possible(ids)
            if ids:
                dataset.delete(in_sql("id", ids))

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """Scan the column of content fingerprints."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset, contents = self._existing(), possible(contents)
            if not contents or CONTENT not in dataset.schema.names:
                return {}
            held = dataset.to_table(columns=[CONTENT], filter=in_sql(CONTENT, contents), with_row_id=True)
            # one row of each: thousands of copies may have the same content
            rows = dict(zip(held[CONTENT].to_pylist(), held["_rowid"].to_pylist(), strict=True))
            read = read_rows(dataset, [CONTENT, "vector"], list(rows.values()))
            return {row[CONTENT]: np.array(row["vector"], dtype=np.float32) for row in read}

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Scan two columns of the latest version."""
        with map_errors(LANCE_ERRORS, self._path):
            for batch in self._existing().to_batches(columns=["id", "location"]):
                yield from zip(batch["id"].to_pylist(), batch["location"].to_pylist(), strict=True)

    @contextmanager
    def bulk_load(self) -> Iterator[None]:
        """Tidy up on leaving. Without it all is found too, only slower: so an interrupt doesn't wait."""
        self._tidy(index_contents)  # one that was killed left what it wrote outside
        try:
            yield
        except Exception:
            with suppress(StoreError):
                self._tidy(*MAINTENANCE)
            raise
        self._tidy(*MAINTENANCE)

    def search(self, *searches: Search) -> list[list[Hit]]:
        """Filter first, then look; all kNN searches at once."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            return found(dataset, schema_of(dataset), searches, self._scale)

    def documents(self, ids: Sequence[str]) -> dict[str, Document]:
        """Scan the column of ids."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset, ids = self._existing(), possible(ids)
            table = dataset.to_table(filter=in_sql("id", ids)) if ids else None
            return read_documents(table, schema_of(dataset)) if table else {}

    def open_other(self, index: str) -> LanceStore:
        """Another dataset in the folder."""
        return LanceStore(self._folder, index, self._scale)

    def drop(self) -> None:
        """Remove the index's folder."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            self._existing()
            lance.LanceDataset.drop(self._path)

    def renew(self) -> None:
        """A lock of a forked child's own."""
        leave_behind(self._session)
        self._session, self._lock = None, RLock()

    def close(self) -> None:
        """Forget what was cached; a later call begins anew."""
        self._session = None

    def _used_session(self) -> Any:
        LANCE.use()
        if self._session is None:
            self._session = lance.Session()
        return self._session

    def _open(self) -> Any:
        """The dataset at its latest version; None when nothing is at its path."""
        if not self._path.exists():
            return None
        if not (self._path / "_versions").is_dir():
            raise IndexExists(f"{self._path} is not an index; remove it, or take another index name.")
        dataset = lance.dataset(self._path, session=self._used_session())
        if SCHEMA_KEY not in dataset.schema_metadata:
            raise IndexExists(f"{self._path} was not made by esclip; take another index name.")
        return dataset

    def _existing(self) -> Any:
        if (dataset := self._open()) is None:
            raise IndexNotFound(
                f"There is no index {self.index} in {self._folder}; ingest pictures to make it."
            )
        return dataset

    def _create(self, schema: IndexSchema) -> Any:
        columns = arrow_schema(schema).with_metadata(schema_metadata(schema))
        try:
            lance.write_dataset(columns.empty_table(), self._path, session=self._used_session())
        except OSError:
            if self._open() is None:  # else another process made it just now
                raise
        return self._existing()

    def _tidy(self, *steps: Callable[[Any, IndexThresholds], None]) -> None:
        for step in steps:
            try:
                with self._lock, map_errors(LANCE_ERRORS, self._path):
                    if (dataset := self._open()) is not None:
                        step(dataset, self._scale)
            except StoreUnavailable as error:
                # Another process is writing; it will do the same when it is through.
                logger.info("Index %s was not tidied up: %s", self.index, error)
