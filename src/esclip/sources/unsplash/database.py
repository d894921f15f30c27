"""A DuckDB database of a while: reads tables of the dataset, and sorts and groups their rows on disk.

    part ─┬─► read by DuckDB, which is fast and strict ──┬─► raw (photo_id, c0, c1 ...) ─► an insertion in SQL
          └─► row by row where it refuses a row, a path ─┘

Memory is bounded; what doesn't fit is in a folder of its own, which is removed on exit.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from esclip._concurrency.cancellation import POLL_INTERVAL_S
from esclip._concurrency.streams import batches
from esclip._errors import ErrorTable, SourceError, map_errors
from esclip._errors.counts import pluralize
from esclip.sources.tables.csv_rows import Row
from esclip.sources.unsplash.tables import TablePart

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "256MB"
MAX_THREADS = 2
INSERT_BATCH = 50_000

INTERRUPTED = "Query interrupted"
"""The message of the RuntimeError that DuckDB raises for a SIGINT in the middle of a query."""

log = logging.getLogger("esclip")


@contextmanager
def open_database() -> Iterator[Database]:
    """Context manager: an empty database.

    Raises `SourceError` within it when memory or disk is too small.
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
        with duckdb.connect(str(Path(folder) / "joins.duckdb"), config=config) as connection:
            _hide_progress(connection)
            yield Database(connection, Path(folder))


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


class Database:
    """An open database."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def interrupt_on(self, event: Event) -> AbstractContextManager[None]:
        """Context manager: within it, setting `event` interrupts a query, which may take minutes."""
        return interrupt_on(event, self._connection)

    def load(
        self,
        parts: Sequence[TablePart],
        columns: Sequence[Sequence[str]],
        insertion: str,
        **parameters: object,
    ) -> int:
        """Run the `insertion` for the rows of each part, as the relation `raw`. Returns the parts used.

        `columns` are those beside `photo_id`, each with its names in all releases: in `raw` they are c0, c1
        ..., texts or null. A part without the first is left out, with a warning.
        """
        used = 0
        for part in parts:
            if part.position(*columns[0]) is None:
                log.warning("%s is not used: it has no column %s", part.path, columns[0][0])
            else:
                self._load_part(part, columns, insertion, parameters)
                used += 1
        return used

    def _load_part(
        self,
        part: TablePart,
        columns: Sequence[Sequence[str]],
        insertion: str,
        parameters: dict[str, object],
    ) -> None:
        """By DuckDB, which is fast and strict; row by row where it refuses a row or the path."""
        import duckdb

        positions = [part.position("photo_id"), *(part.position(*names) for names in columns)]
        sources = ["NULL" if position is None else f"column{position}" for position in positions]
        names = _aliases(columns)
        raw = ", ".join(f"{source} AS {name}" for source, name in zip(sources, names, strict=True))
        relation = f"SELECT {raw} FROM {_csv_scan(part)}"
        try:
            # Unpacked here, since DuckDB may read a truncated packed file without an error.
            with part.unpacked(self._folder) as path:
                self.run(f"WITH raw AS ({relation}) {insertion}", path=_escape(path), **parameters)
        except (duckdb.InvalidInputException, duckdb.NotImplementedException, UnicodeEncodeError):
            self._load_rows(part, positions, f"WITH raw AS (FROM given) {insertion}", parameters)

    def _load_rows(
        self,
        part: TablePart,
        positions: Sequence[int | None],
        insertion: str,
        parameters: dict[str, object],
    ) -> None:
        broken = 0

        def usable() -> Iterator[tuple[str | None, ...]]:
            nonlocal broken
            for row in part.rows():
                if isinstance(row, Row):
                    yield tuple(None if p is None else row.values[p] or None for p in positions)
                else:
                    broken += 1

        for batch in batches(usable(), INSERT_BATCH):
            self.insert(insertion, _aliases(positions[1:]), batch, **parameters)
        log.warning("%s: left out %s", part.path, pluralize(broken, "broken row"))

    def insert(
        self, sql: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], **parameters: object
    ) -> None:
        """Run an insertion from the table `given`, which has these rows."""
        import pyarrow

        given = [[row[i] for row in rows] for i in range(len(columns))]
        types = [pyarrow.int64() if name == "n" else pyarrow.string() for name in columns]
        arrays = [pyarrow.array(values, type) for values, type in zip(given, types, strict=True)]
        self._connection.register("given", pyarrow.table(arrays, names=list(columns)))
        self.run(sql, **parameters)
        self._connection.unregister("given")

    def run(self, sql: str, **parameters: object) -> duckdb.DuckDBPyConnection:
        """Run a statement with those of the `parameters` that it has, as `$name`."""
        # DuckDB refuses parameters that a statement doesn't have.
        used = {name: value for name, value in parameters.items() if f"${name}" in sql}
        return self._connection.execute(sql, used or None)


def _aliases(columns: Sequence[object]) -> list[str]:
    return ["photo_id", *(f"c{i}" for i in range(len(columns)))]


def _csv_scan(part: TablePart) -> str:
    """The file $path with all columns as text, without type detection: the columns may be in any order."""
    columns = ", ".join(f"'column{i}': 'VARCHAR'" for i in range(len(part.columns)))
    return (
        f"read_csv($path, columns = {{{columns}}}, auto_detect = false, header = true, delim = '\t', "
        f"""quote = '"', escape = '"', nullstr = '', compression = 'none', hive_partitioning = false)"""
    )


def _escape(path: Path) -> str:
    """A path in which DuckDB finds no wildcards."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
