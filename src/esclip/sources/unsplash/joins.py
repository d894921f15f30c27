"""Joins the dataset's other tables to the photos, in the photos' order.

    photo ids, numbered ─┐
    keywords ────────────┼─► rows sorted by photo number ─► Joins.details(first, last) ─► PhotoDetails
    collections, colors ─┘        in DuckDB, in a folder of its own

The tables are in no order and may be many times larger than memory, so DuckDB sorts them on disk, once;
after that a range of photos is a few neighbouring blocks. The folder is removed on exit.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

from esclip._concurrency.cancellation import POLL_INTERVAL_S
from esclip._concurrency.streams import batches
from esclip._errors import ErrorTable, SourceError, map_errors
from esclip._errors.counts import pluralize
from esclip.sources.unsplash.child_tables import CHILD_TABLES, ChildTable
from esclip.sources.unsplash.rows import Row
from esclip.sources.unsplash.tables import TablePart

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "256MB"
MAX_THREADS = 2
INSERT_BATCH = 50_000

INTERRUPTED = "Query interrupted"
"""The message of the RuntimeError that DuckDB raises for a SIGINT in the middle of a query."""

log = logging.getLogger("esclip")


class PhotoDetails(NamedTuple):
    """The values of the other tables for one photo, most important first."""

    keywords: tuple[str, ...] = ()
    keywords_from: str = ""
    colors: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()


@contextmanager
def open_joins(
    ids: Iterable[tuple[int, str]],
    children: Mapping[str, Sequence[TablePart]],
    threshold: float,
    cancelled: Event,
) -> Iterator[Joins]:
    """Context manager: the child tables' rows of these photos (number, id); a repeated id is ignored.

    Raises `SourceError` when a table can't be read, or memory or disk is too small, and `CancelledError`
    once `cancelled` is set.
    """
    import duckdb

    with (
        TemporaryDirectory(prefix="esclip-", ignore_cleanup_errors=True) as folder,
        map_errors(duckdb_errors()),
    ):
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "threads": min(MAX_THREADS, os.cpu_count() or 1),
            "temp_directory": str(Path(folder) / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        with duckdb.connect(str(Path(folder) / "joins.duckdb"), config=config) as database:
            _hide_progress(database)
            joins = Joins(database, Path(folder), threshold)
            with interrupt_on(cancelled, database):
                joins.number_photos(ids)
                for name, parts in children.items():
                    joins.load(name, parts)
            yield joins


def _hide_progress(database: duckdb.DuckDBPyConnection) -> None:
    """In a notebook queries would print progress; without ipywidgets they don't, and refuse the setting."""
    if database.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (True,):
        database.execute("SET enable_progress_bar = false")


@contextmanager
def interrupt_on(event: Event, database: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Context manager: within it, setting `event` interrupts a query, which may take minutes."""
    import duckdb

    over = Event()

    def watch() -> None:
        while not over.wait(POLL_INTERVAL_S):
            if event.is_set():
                database.interrupt()  # again, should it have come between two queries

    watcher = Thread(target=watch, name="esclip-joins", daemon=True)
    watcher.start()
    try:
        yield
        if event.is_set():
            raise CancelledError
    except duckdb.InterruptException:
        raise CancelledError from None
    finally:
        over.set()
        watcher.join()


def duckdb_errors() -> ErrorTable:
    """The errors that DuckDB raises, and a SIGINT during a query."""
    import duckdb

    def failure(error: Exception) -> SourceError:
        reason = str(error).partition("\n")[0][:300]
        return SourceError(f"the dataset's tables can't be joined: {reason}")

    def interrupt(error: Exception) -> BaseException | None:
        return KeyboardInterrupt() if str(error) == INTERRUPTED else None

    return (duckdb.Error, failure), (RuntimeError, interrupt)


class Joins:
    """An open join: the child tables' rows in the order of the photos."""

    def __init__(self, database: duckdb.DuckDBPyConnection, folder: Path, threshold: float) -> None:
        self._database = database
        self._folder = folder
        self._threshold = threshold
        self._loaded: list[str] = []

    def details(self, first: int, last: int) -> dict[int, PhotoDetails]:
        """The details of the photos numbered `first` to `last`, by number, of those that have some."""
        details: dict[int, PhotoDetails] = {}
        for name in self._loaded:
            result = self._run(CHILD_TABLES[name].details, first=first, last=last)
            fields = [column[0] for column in result.description][1:]
            for n, *values in result.fetchall():
                by_field: dict[str, Any] = {
                    field: tuple(value) if isinstance(value, list) else value
                    for field, value in zip(fields, values, strict=True)
                }
                details[n] = details.get(n, PhotoDetails())._replace(**by_field)
        return details

    def number_photos(self, ids: Iterable[tuple[int, str]]) -> None:
        """Store the number of each photo."""
        self._run("CREATE TABLE numbered (n BIGINT, photo_id VARCHAR)")
        for batch in batches(ids, INSERT_BATCH):
            self._insert("INSERT INTO numbered SELECT * FROM given", ["n", "photo_id"], batch)
        self._run("CREATE TABLE photos AS SELECT photo_id, min(n) AS n FROM numbered GROUP BY photo_id")
        self._run("DROP TABLE numbered")

    def load(self, name: str, parts: Sequence[TablePart]) -> None:
        """Read a child table and sort it by the photos' numbers."""
        table = CHILD_TABLES[name]
        self._run(f"CREATE TABLE {name}_read (n BIGINT, {table.stored_columns})")
        for part in parts:
            if part.position(*table.columns[0]) is None:
                log.warning("%s is not used: it has no column %s", part.path, table.columns[0][0])
            else:
                self._load_part(name, part)
        self._run(f"CREATE TABLE {name} AS SELECT * FROM {name}_read ORDER BY n")
        self._run(f"DROP TABLE {name}_read")
        if table.after_load:
            self._run(table.after_load)
        self._loaded.append(name)

    def _load_part(self, name: str, part: TablePart) -> None:
        """By DuckDB, which is fast and strict; row by row where it refuses a row or the path."""
        import duckdb

        table = CHILD_TABLES[name]
        positions = [part.position("photo_id"), *(part.position(*names) for names in table.columns)]
        sources = ["NULL" if position is None else f"column{position}" for position in positions]
        raw = ", ".join(
            f"{source} AS {alias}" for source, alias in zip(sources, _aliases(table), strict=True)
        )
        try:
            # Unpacked here, since DuckDB may read a truncated packed file without an error.
            with part.unpacked(self._folder) as path:
                self._run(_insertion(name, f"(SELECT {raw} FROM {_csv_scan(part)})"), path=_escaped(path))
        except (duckdb.InvalidInputException, duckdb.NotImplementedException, UnicodeEncodeError):
            self._load_rows(name, part, positions)

    def _load_rows(self, name: str, part: TablePart, positions: Sequence[int | None]) -> None:
        broken = 0

        def usable() -> Iterator[tuple[str | None, ...]]:
            nonlocal broken
            for row in part.rows():
                if isinstance(row, Row):
                    yield tuple(None if p is None else row.values[p] or None for p in positions)
                else:
                    broken += 1

        for batch in batches(usable(), INSERT_BATCH):
            self._insert(_insertion(name, "given"), _aliases(CHILD_TABLES[name]), batch)
        log.warning("%s: left out %s", part.path, pluralize(broken, "broken row"))

    def _insert(self, sql: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Run an insertion from the table `given`, which has these rows."""
        import pyarrow

        given = [[row[i] for row in rows] for i in range(len(columns))]
        types = [pyarrow.int64() if name == "n" else pyarrow.string() for name in columns]
        arrays = [pyarrow.array(values, type) for values, type in zip(given, types, strict=True)]
        self._database.register("given", pyarrow.table(arrays, names=list(columns)))
        self._run(sql)
        self._database.unregister("given")

    def _run(self, sql: str, **parameters: object) -> duckdb.DuckDBPyConnection:
        parameters["threshold"] = self._threshold
        # DuckDB refuses parameters that a statement doesn't have.
        used = {name: value for name, value in parameters.items() if f"${name}" in sql}
        return self._database.execute(sql, used or None)


def _aliases(table: ChildTable) -> list[str]:
    return ["photo_id", *(f"c{i}" for i in range(len(table.columns)))]


def _insertion(name: str, relation: str) -> str:
    """Inserts the raw rows of `relation` that are of a photo and fulfil the table's `where`."""
    table = CHILD_TABLES[name]
    return (
        f"INSERT INTO {name}_read SELECT photos.n, {table.stored_values} FROM {relation} AS raw "
        f"JOIN photos ON raw.photo_id = photos.photo_id WHERE c0 IS NOT NULL AND ({table.where})"
    )


def _csv_scan(part: TablePart) -> str:
    """The file $path with all columns as text, without type detection: the columns may be in any order."""
    columns = ", ".join(f"'column{i}': 'VARCHAR'" for i in range(len(part.columns)))
    return (
        f"read_csv($path, columns = {{{columns}}}, auto_detect = false, header = true, delim = '\t', "
        f"""quote = '"', escape = '"', nullstr = '', compression = 'none', hive_partitioning = false)"""
    )


def _escaped(path: Path) -> str:
    """A path in which DuckDB finds no wildcards."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
