"""The embedded store: an index is a folder, `<folder>/<index>.lance`, without a server.

    upsert ─► a small fragment per call               search ─► vectors in the index: a byte, or five
    exit of bulk_load ─► fragments joined, vectors indexed             bits, per number; others: unquantized
                                                                       the nearest of both: true cosines

The folder is a Lance dataset, which a LanceDB client opens as the table `<index>`. Every call opens the
latest version (20 microseconds), so that readers see what other processes write.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event, RLock
from typing import Any

import lance
import numpy as np
import pyarrow as pa

from esclip._concurrency.forks import Unforkable, leave_behind, renew_in_children
from esclip._core.document_tables import row_problems
from esclip._core.facet_counting import NO_SPANS, Spans, count_facets
from esclip._core.facets import Facets
from esclip._core.filter_limits import simplify
from esclip._core.filters import Condition
from esclip._core.index_settings import BIT, INT8, VECTOR_LEVELS
from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field, IndexInfo, IndexSchema
from esclip._core.searches import Search
from esclip._core.settings import is_index_name
from esclip._core.types import Fingerprint, Hit, ImageRecord, StoredDocument, Vector, Vectors
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
from esclip._errors.reasons import Reason
from esclip._protocols import Store
from esclip.stores import validation
from esclip.stores.aliases import is_alias, name_taken
from esclip.stores.lance import aliases, maintenance
from esclip.stores.lance.columns import read_columns
from esclip.stores.lance.errors import LANCE_ERRORS
from esclip.stores.lance.filters import filter_columns, filter_sql, in_sql
from esclip.stores.lance.keyword_search import read_rows
from esclip.stores.lance.rows import (
    CONTENT,
    SCHEMA_KEY,
    arrow_schema,
    document_table,
    exchange_table,
    merge_table,
    read_documents,
    read_fingerprint,
    read_schema,
    read_vectors,
    record_table,
    schema_metadata,
    whole_columns,
)
from esclip.stores.lance.upserts import update_rows, upsert_rows
from esclip.stores.lance.vector_search import search_many

logger = logging.getLogger("esclip")

LOOKED_UP = (maintenance.index_ids, maintenance.index_contents)
"""What an ingest looks up in, before it writes."""

MAINTENANCE = (
    maintenance.join_fragments,
    maintenance.index_vectors,
    *LOOKED_UP,
    maintenance.index_words,
    maintenance.remove_old_versions,
)

_INVALID_IN_PATH = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""What Lance accepts in no path: control characters, and bytes of a name that aren't UTF-8."""

LANCE = Unforkable("Lance, which keeps embedded indexes,", StoreError, "keep the index in an engine")

VECTOR_ROWS = 4096
"""Rows of a page of vectors: 8 MB with 512 dimensions."""


class LanceStore(Store):
    """Keeps an index in a folder. Writes through one object run one by one, searches concurrently."""

    table_rows = maintenance.FRAGMENT_ROWS  # one fragment, which nothing is to be joined to

    def __init__(
        self, folder: Path | str, index: str, thresholds: maintenance.IndexThresholds | None = None
    ) -> None:
        """Open nothing yet. Raises `ConfigError` for a folder whose name can't be used."""
        self._folder = Path(folder).absolute()
        super().__init__(str(self._folder), index)
        if _INVALID_IN_PATH.search(str(self._folder)):
            raise ConfigError(
                f"the store's folder {one_line(str(self._folder))} has a control character in its name, or a "
                "byte that isn't UTF-8, which Lance can't open; give another"
            )
        self._path = self._folder / f"{index}.lance"
        self._thresholds = thresholds or maintenance.IndexThresholds()
        self._session: Any = None
        self._lock = RLock()
        renew_in_children(self)

    def schema(self) -> IndexSchema | None:
        """From the metadata of the latest version."""
        with map_errors(LANCE_ERRORS, self._path):
            return None if (dataset := self._open()) is None else read_schema(dataset)

    def info(self) -> IndexInfo | None:
        """From the latest version, and the size of all files of the index."""
        with map_errors(LANCE_ERRORS, self._path):
            if (dataset := self._open()) is None:
                return None
            engine = f"Lance {lance.__version__}"
            return IndexInfo(
                read_schema(dataset), dataset.count_rows(), engine, maintenance.size_on_disk(self._path)
            )

    def list_indexes(self) -> Mapping[str, IndexInfo]:
        """From the folders in the store's folder; warns of one that can't be read."""
        infos: dict[str, IndexInfo] = {}
        targets = aliases.list_aliases(self._folder)
        for name in sorted(path.stem for path in self._folder.glob("*.lance")):
            try:
                info = self.open_other(name).info() if is_index_name(name) else None
            except IndexExists:  # not esclip's
                continue
            except StoreError as error:
                logger.warning("%s", error)
                continue
            if info is not None:
                names = tuple(alias for alias, index in targets.items() if index == name)
                infos[name] = replace(info, aliases=names)
        return infos

    def ensure_index(self, schema: IndexSchema) -> None:
        """Create the dataset, or add columns, null in existing rows, which rewrites nothing.

        Another level of vectors is noted; the next maintenance makes their index anew.
        """
        validation.check_field_names(schema.fields)
        validation.check_settings(schema.settings, "an embedded index", VECTOR_LEVELS)
        if schema.settings.level == BIT and schema.space.dim % maintenance.BIT_DIM:
            raise ConfigError(
                f"vectors: an embedded index can't compare those of {schema.space.dim} dimensions as {BIT}, "
                f"which takes a multiple of {maintenance.BIT_DIM}; take {INT8}"
            )
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset = self._open() or self._create(schema)
            present = read_schema(dataset)
            conflict = validation.schema_conflict(present, schema)
            conflict = conflict or validation.settings_conflict(
                present.settings, schema.settings, changeable=("vectors",)
            )
            if conflict:
                raise IndexMismatch(
                    f"index {self.index!r} in {self._folder} can't take this data: {conflict}; "
                    "use another index"
                )
            merged = validation.merge_schemas(present, schema)
            # Columns first: after a kill between the two, the next call adds what is missing.
            maintenance.add_columns(dataset, merged.fields)
            if merged != present:
                dataset.update_schema_metadata(schema_metadata(merged))

    def fingerprints(self, ids: Sequence[str]) -> dict[str, Fingerprint]:
        """From the index of ids, and the rows outside of it."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset, ids = self._existing(), validation.valid_keys(ids)
            columns = ["id", "pixels_fingerprint", "record_fingerprint"]
            rows = dataset.to_table(columns=columns, filter=in_sql("id", ids)).to_pylist() if ids else []
        return {row["id"]: read_fingerprint(row) for row in rows}

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Merge by id; of documents with one id, the last."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            schema = read_schema(dataset)
            valid, rejections = validation.validate_documents(documents, schema)
            if valid:
                upsert_rows(dataset, document_table([*valid.values()], schema))
        return rejections

    def upsert_table(self, table: Any) -> list[Rejection]:
        """Merge the columns, without making documents of them."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            schema = read_schema(dataset)
            if problems := row_problems(table, schema):
                refused = table.select(["id", "location"]).take([*problems]).to_pylist()
                table = table.filter(pa.array([n not in problems for n in range(len(table))]))
            if len(table):
                upsert_rows(dataset, merge_table(table, schema))
        return [
            Rejection(row["id"] or "", row["location"] or "", Stage.WRITE, Reason.WRITE_REJECTED, problem)
            for row, problem in zip(refused if problems else (), problems.values(), strict=True)
        ]

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Merge all columns but vector and content into existing rows."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            schema, stored = read_schema(dataset), self.fingerprints([record.id for record in records])
            valid, rejections = validation.validate_records(records, schema, stored)
            if valid:
                update_rows(dataset, record_table([*valid.values()], schema))
        return rejections

    def delete(self, ids: Sequence[str]) -> None:
        """Mark the rows as deleted; compaction removes them."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            dataset, ids = self._existing(), validation.valid_keys(ids)
            if ids:
                dataset.delete(in_sql("id", ids))

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """From the index of content fingerprints, and the rows outside of it."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset, contents = self._existing(), validation.valid_keys(contents)
            if not contents or CONTENT not in dataset.schema.names:
                return {}
            table = dataset.to_table(columns=[CONTENT], filter=in_sql(CONTENT, contents), with_row_id=True)
            # one row per content: thousands of copies may have the same one
            row_ids = dict(zip(table[CONTENT].to_pylist(), table["_rowid"].to_pylist(), strict=True))
            rows = read_rows(dataset, [CONTENT, "vector"], list(row_ids.values()))
            return {row[CONTENT]: np.array(row["vector"], dtype=np.float32) for row in rows}

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Scan two columns of the latest version."""
        with map_errors(LANCE_ERRORS, self._path):
            for batch in self._existing().to_batches(columns=["id", "location"]):
                yield from zip(batch["id"].to_pylist(), batch["location"].to_pylist(), strict=True)

    def scan_vectors(self, where: Sequence[Condition] = ()) -> Iterator[tuple[list[str], Vectors]]:
        """Scan two columns of the latest version."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            schema = read_schema(dataset)
            test = filter_sql(simplify(where), filter_columns(dataset, schema))
            columns = ["id", "vector"]
            for batch in dataset.to_batches(
                columns=columns, filter=test, batch_size=VECTOR_ROWS, batch_readahead=2, fragment_readahead=1
            ):
                table = pa.Table.from_batches([batch])
                yield table["id"].to_pylist(), read_vectors(table, schema)

    def scan_tables(self) -> Iterator[Any]:
        """Scan the columns of the latest version."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            schema = read_schema(dataset)
            for batch in dataset.to_batches(
                columns=whole_columns(dataset.schema.names, schema),
                batch_size=VECTOR_ROWS,
                batch_readahead=2,
                fragment_readahead=1,
            ):
                yield exchange_table(pa.Table.from_batches([batch]), schema)

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """On exit, run the maintenance, which only makes searches faster: not after a Ctrl-C."""
        cancelled = cancelled or Event()
        self._maintain(cancelled, *LOOKED_UP)  # an ingest that was killed left its rows unindexed
        try:
            yield
        except Exception:
            with suppress(StoreError):
                self._maintain(cancelled, *MAINTENANCE)
            raise
        self._maintain(cancelled, *MAINTENANCE)

    def search(self, *searches: Search) -> list[list[Hit]]:
        """Prefiltered; all kNN searches together."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            return search_many(dataset, read_schema(dataset), searches, self._thresholds)

    def facets(
        self,
        fields: Sequence[Field],
        where: Sequence[Condition] = (),
        limit: int = 20,
        spans: Spans = NO_SPANS,
    ) -> Facets:
        """Scan the fields' columns, at most twice."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset = self._existing()
            test = filter_sql(simplify(where), filter_columns(dataset, read_schema(dataset)))
            return count_facets(partial(read_columns, dataset, test), fields, limit, spans)

    def documents(self, ids: Sequence[str]) -> dict[str, StoredDocument]:
        """From the index of ids, and the rows outside of it."""
        with map_errors(LANCE_ERRORS, self._path):
            dataset, ids = self._existing(), validation.valid_keys(ids)
            table = dataset.to_table(filter=in_sql("id", ids)) if ids else None
            return read_documents(table, read_schema(dataset)) if table else {}

    def open_other(self, index: str) -> LanceStore:
        """Another dataset in the same folder."""
        return LanceStore(self._folder, index, self._thresholds)

    def alias_target(self) -> str | None:
        """From the alias's file. Completes a rename that was killed."""
        with suppress(OSError):  # who may only read
            aliases.finish_rename(self._folder, self.index)
        with map_errors(LANCE_ERRORS, self._path):
            return aliases.read_target(self._folder, self.index)

    def aliases(self) -> tuple[str, ...]:
        """From the files of all aliases."""
        with map_errors(LANCE_ERRORS, self._path):
            found = aliases.list_aliases(self._folder)
        return tuple(name for name, index in found.items() if index == self.index)

    def point_alias(self, index: str) -> None:
        """Replace the alias's file."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            self.open_other(index)._existing()
            if self.alias_target() is None and self._open() is not None:
                raise name_taken(self.address, self.index)
            aliases.write_target(self._folder, self.index, index)

    def rename(self, index: str, beside: Mapping[str, str]) -> None:
        """Rename the index's folder, then those beside it. Searches under way may fail, once."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            self._existing()
            for name in (index, *beside.values()):
                if (self._folder / f"{name}.lance").exists() or self.open_other(name).alias_target():
                    raise name_taken(self.address, name)
            aliases.rename(self._folder, self.index, index, beside)

    def drop(self) -> None:
        """Remove the index's folder, and the files of its aliases."""
        with self._lock, map_errors(LANCE_ERRORS, self._path):
            self._existing()
            for name in self.aliases():
                aliases.remove(self._folder, name)
            lance.LanceDataset.drop(self._path)

    def renew(self) -> None:
        """A new lock in a forked child."""
        leave_behind(self._session)
        self._session, self._lock = None, RLock()

    def close(self) -> None:
        """Drop the cache."""
        self._session = None

    def _open_session(self) -> Any:
        LANCE.use()
        if self._session is None:
            self._session = lance.Session()
        return self._session

    def _open(self) -> Any:
        """The dataset at its latest version; None when its path does not exist."""
        if (target := aliases.read_target(self._folder, self.index)) is not None:
            raise is_alias(self.address, self.index, target)
        if not self._path.exists():
            return None
        if not (self._path / "_versions").is_dir():
            raise IndexExists(f"{self._path} is not an index; remove it, or take another index name")
        dataset = lance.dataset(self._path, session=self._open_session())
        if SCHEMA_KEY not in dataset.schema_metadata:
            raise IndexExists(f"{self._path} was not made by esclip; take another index name")
        return dataset

    def _existing(self) -> Any:
        if (dataset := self._open()) is None:
            raise IndexNotFound(
                f"there is no index {self.index!r} in {self._folder}; ingest pictures to make it"
            )
        return dataset

    def _create(self, schema: IndexSchema) -> Any:
        columns = arrow_schema(schema).with_metadata(schema_metadata(schema))
        try:
            lance.write_dataset(columns.empty_table(), self._path, session=self._open_session())
        except OSError:
            if self._open() is None:  # else another process was faster
                raise
        return self._existing()

    def _maintain(self, cancelled: Event, *steps: Callable[[Any, maintenance.IndexThresholds], None]) -> None:
        for step in steps:
            if cancelled.is_set():
                return
            try:
                with self._lock, map_errors(LANCE_ERRORS, self._path):
                    if (dataset := self._open()) is not None:
                        step(dataset, self._thresholds)
            except StoreUnavailable as error:
                # Another process is writing, and runs the same maintenance when it has finished.
                logger.info("maintenance of index %r skipped: %s", self.index, error)
