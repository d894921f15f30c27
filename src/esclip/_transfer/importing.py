"""Writes documents that have vectors into an index, without encoding.

VectorTables ─► usable rows ─► unchanged in the index? ─► joined ─► Store.upsert_table
                 │ vectors checked, of unit length     │     as many as      in its own threads
                 ├ rejected, repeated                  │     the store likes
                 │                                     └ skipped
                 └──────────── IngestProgress: counts, ledger, failure budget, progress

What is unchanged is told by fingerprints: an import that was ended goes on where it was. Reading, looking up
and writing overlap; a page stays a table all the way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from esclip._concurrency.stop import CancelToken
from esclip._concurrency.streams import batches, owned, parallel_map, prefetch, until
from esclip._core.document_tables import read_vectors, vector_column, vector_lengths
from esclip._core.index_settings import IndexSettings
from esclip._core.parts import holds_parts
from esclip._core.progress import Phase
from esclip._core.rejections import IngestReport, Rejection, Stage
from esclip._core.schema import IndexSchema
from esclip._core.texts import holds_texts
from esclip._core.types import MAX_ID_BYTES, Vectors, id_problem, unit_rows
from esclip._errors import ConfigError, Hint, IndexExists, IndexMismatch
from esclip._errors.counts import pluralize
from esclip._errors.reasons import Reason
from esclip._ingest.id_set import IdSet
from esclip._ingest.ledger import Ledger
from esclip._ingest.progress import IngestProgress
from esclip._ingest.run_ledger import RunLedger
from esclip._protocols import Store
from esclip._transfer.exporting import PARTS, TEXTS
from esclip._transfer.options import ImportOptions
from esclip.stores.validation import check_field_names
from esclip.stores.vector_cache.parts import SUMMARY, part_files
from esclip.stores.vector_cache.reading import is_part, open_cache

log = logging.getLogger("esclip")

UNIT = 2e-6
"""How far a vector's length may be from 1 to be taken as it is: float32 computes it so exactly."""

TABLE_BYTES = 1 << 27
"""Of vectors that are written together: three such tables are in memory."""

MAX_PAGES = 256
"""Of which they are made, where pages are small: of one that has changed little, few rows are left."""


@dataclass(frozen=True, slots=True)
class VectorTables:
    """Documents with vectors, to be imported."""

    schema: IndexSchema
    rows: int
    tables: Callable[[], Iterator[pa.Table | Rejection]]
    """Gives pages of them, with the columns of `table_schema`; and rejections of rows that are none."""


@dataclass(frozen=True, slots=True)
class Target:
    """The index that is written to, with those beside it: there or not, opened on first use."""

    pictures: Store
    texts: Callable[[], Store]
    parts: Callable[[], Store]


def is_cache(path: Path) -> bool:
    """Whether a path is a vector cache of esclip's, finished or not, and no other program's vectors."""
    if not path.is_dir():
        return False
    return (path / SUMMARY).exists() or any(map(is_part, part_files(path)[:1]))


def read_cache(folder: Path) -> Mapping[str, VectorTables]:
    """The documents of a cache: pictures by the key "", others by their folders. Raises `SourceError`."""
    found = {"": open_cache(folder)}
    for name, present in ((TEXTS, found[""].schema.texts), (PARTS, bool(found[""].schema.parts))):
        if present:
            found[name] = open_cache(folder / name)
    return {name: VectorTables(one.schema, one.rows, one.tables) for name, one in found.items()}


def import_documents(
    given: Mapping[str, VectorTables], target: Target, ledger: Ledger, options: ImportOptions, origin: str
) -> IngestReport:
    """Write the documents that `read_cache` gives, or others in its form. Raises as an ingest does.

    The ledger keeps rejections as those of `origin`.
    """
    stop = options["stop"] or CancelToken()
    stores = _prepare(given, target, IndexSettings.of(options), origin)
    run_ledger = RunLedger(ledger, origin)
    progress = IngestProgress(target.pictures, given[""].schema.space.model, options, run_ledger)
    progress.total = sum(one.rows for name, one in given.items() if name != PARTS)
    cancelled = Event()
    with ExitStack() as loads, stop.active():
        for store in stores.values():
            loads.enter_context(store.bulk_load(cancelled))
        for name, store in stores.items():
            counts = progress if name != PARTS else _uncounted(store)
            _Copy(given[name], store, _other_kind(name, target), counts).run(stop)
            if name == PARTS and (refused := counts.report(stopped=True).rejected):
                log.warning("%s of pictures can't be used", pluralize(refused, "part"))
        progress.enter(Phase.INDEXING)
        if stop.requested:
            cancelled.set()
    report = progress.report(stopped=stop.requested)
    if not report.stopped:
        run_ledger.forget_earlier()
    return replace(report, seconds=progress.seconds)


def _prepare(
    given: Mapping[str, VectorTables], target: Target, settings: IndexSettings, origin: str
) -> dict[str, Store]:
    """Prepare the indexes; the stores by the keys of `given`, pictures last."""
    present = target.pictures.schema()
    _check_schemas(given, present, target.pictures.index, origin)
    openers = {PARTS: (target.parts, holds_parts), TEXTS: (target.texts, holds_texts)}
    stores = {name: _open_beside(*openers[name], present) for name in openers if name in given}
    for name, store in stores.items():
        store.ensure_index(replace(given[name].schema, settings=settings))
    wanted = replace(given[""].schema, settings=settings)
    if present is not None:  # what it has learned of its own pictures stays
        wanted = replace(wanted, label_set=None, calibration=None)
    target.pictures.ensure_index(wanted)
    return stores | {"": target.pictures}


def _check_schemas(
    given: Mapping[str, VectorTables], present: IndexSchema | None, index: str, origin: str
) -> None:
    """Raise `IndexMismatch` for another space than the index's, `ConfigError` for impossible fields."""
    space = given[""].schema.space
    if present is not None and not present.space.same_as(space):
        raise IndexMismatch(
            f"index {index!r} has vectors of {present.space.describe()}, and {origin} those of "
            f"{space.describe()}, which can't be compared",
            Hint.OTHER_INDEX,
        )
    for one in given.values():
        try:
            check_field_names(one.schema.fields)
        except ValueError as error:
            raise ConfigError(f"{origin}: {error}") from None


def _open_beside(
    open_store: Callable[[], Store],
    holds_ours: Callable[[IndexSchema | None], bool],
    present: IndexSchema | None,
) -> Store:
    """An index beside that of pictures. Raises `IndexExists` when its name is taken."""
    store = open_store()
    schema = store.schema()
    if schema is not None and not holds_ours(schema):
        raise IndexExists(
            f"index {store.index!r} in {store.address} is where what stands beside pictures would be kept, "
            "and holds pictures of its own",
            Hint.OTHER_INDEX,
        )
    if schema is not None and present is None:
        store.drop()  # left over from an index of this name that is gone
    return store


def _other_kind(name: str, target: Target) -> Store | None:
    """The documents of which none may have the ids of these: pictures and texts share theirs."""
    if name == TEXTS:
        return target.pictures
    schema = target.pictures.schema() if name == "" else None
    return target.texts() if schema and schema.texts else None


def _uncounted(store: Store) -> IngestProgress:
    """Counts of what is no document by itself."""
    return IngestProgress(store, "", {"max_rejection_rate": 1})


class _Copy:
    """Documents on their way into one store."""

    def __init__(
        self, given: VectorTables, store: Store, other: Store | None, progress: IngestProgress
    ) -> None:
        """`other` has the documents of the other kind: an id is of one."""
        info = store.info()
        self._given, self._store, self._other, self._progress = given, store, other, progress
        self._is_empty = info is None or info.documents == 0
        self._seen = IdSet()

    def run(self, stop: CancelToken) -> None:
        """Write them, until the end is requested."""
        workers = self._store.write_concurrency
        pages = until(stop.event, self._usable())
        if not self._is_empty:
            pages = parallel_map(
                self._without_unchanged, prefetch(pages, ahead=2), workers=workers, window=workers
            )
        tables = prefetch(batches(pages, MAX_PAGES, weigh=len, max_weight=self._table_rows()), ahead=1)
        with owned(parallel_map(self._write, tables, workers=workers, window=workers)) as written:
            for _ in written:
                pass

    def _table_rows(self) -> int:
        """Documents that are written together."""
        return min(self._store.table_rows, max(1, TABLE_BYTES // (4 * self._given.schema.space.dim)))

    def _usable(self) -> Iterator[pa.Table]:
        """Pages of the rows that can be written, with vectors of unit length."""
        with owned(self._given.tables()) as tables:
            for table in tables:
                if isinstance(table, Rejection):
                    self._progress.count_read()
                    self._progress.count_rejected(table)
                    continue
                self._progress.count_read(len(table))
                table = self._without_problems(table)
                if len(table):
                    yield table

    def _without_problems(self, table: pa.Table) -> pa.Table:
        vectors = read_vectors(table)
        lengths = vector_lengths(vectors)
        usable = np.isfinite(lengths) & (lengths > 0)
        problems = _id_problems(table["id"])
        for n in np.flatnonzero(~usable).tolist():
            problems.setdefault(n, (Reason.BAD_VECTOR, "the vector is zero or not finite"))
        ids, locations = table["id"].to_pylist(), table["location"]
        for n, (reason, detail) in problems.items():
            location = locations[n].as_py() or ""
            self._progress.count_rejected(Rejection(ids[n] or "", location, Stage.READ, reason, detail))
        kept = np.ones(len(ids), dtype=bool)
        kept[list(problems)] = False
        rows = np.flatnonzero(kept)
        new = self._seen.add_all([ids[n] for n in rows])
        for n in rows[~new]:
            self._progress.count_repeated(ids[n])
        rows = rows[new]
        if len(rows) < len(table):
            table, vectors, lengths = table.take(rows), vectors[rows], lengths[rows]
        return self._of_unit_length(table, vectors, lengths)

    def _of_unit_length(self, table: pa.Table, vectors: Vectors, lengths: Any) -> pa.Table:
        """The table with its vectors scaled to 1, as float32."""
        others = np.abs(lengths - 1) > UNIT
        is_whole = table["vector"].type.value_type == pa.float32()
        if is_whole and not others.any():
            return table
        scaled = vectors.copy()
        scaled[others] = unit_rows(vectors[others])
        number = table.schema.get_field_index("vector")
        return table.set_column(number, "vector", vector_column(scaled, self._given.schema.space.dim))

    def _without_unchanged(self, table: pa.Table) -> pa.Table:
        ids = table["id"].to_pylist()
        stored: Mapping[str, Any] = self._store.fingerprints(ids)
        if not stored:
            return table
        fingerprints = zip(
            table["pixels_fingerprint"].to_pylist(), table["record_fingerprint"].to_pylist(), strict=True
        )
        new = [stored.get(id) != given for id, given in zip(ids, fingerprints, strict=True)]
        self._progress.count_unchanged([id for id, is_new in zip(ids, new, strict=True) if not is_new])
        return table.filter(pa.array(new))

    def _write(self, pages: Sequence[pa.Table]) -> None:
        table = pa.concat_tables(pages)
        if not len(table):
            return
        refused, ids = self._store.upsert_table(table), table["id"].to_pylist()
        self._progress.count_written(ids, refused, encoded=False)
        if self._other is not None:
            lost = {rejection.id for rejection in refused}
            if replaced := [id for id in self._other.fingerprints(ids) if id not in lost]:
                self._other.delete(replaced)


def _id_problems(ids: Any) -> dict[int, tuple[Reason, str]]:
    """Why no document can have some of the ids, by their rows."""
    plain = pc.and_(
        pc.match_substring_regex(ids, "^[!-~]+$"), pc.less_equal(pc.binary_length(ids), MAX_ID_BYTES)
    )
    problems: dict[int, tuple[Reason, str]] = {}
    for n in np.flatnonzero(~pc.fill_null(plain, False).to_numpy(zero_copy_only=False)).tolist():
        id = ids[n].as_py()
        if id is None:
            problems[n] = (Reason.BAD_ID, "it has no id")
        elif problem := id_problem(id):
            problems[n] = (Reason.BAD_ID, f"its id {problem}")
    return problems
