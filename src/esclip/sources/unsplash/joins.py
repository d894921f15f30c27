"""What the dataset's other tables say about each photo, brought into the order of the photos.

    photo ids, numbered ─┐
    keywords ────────────┼─► rows of known photos, sorted by number ─► Joins.of(first, last) ─► PhotoDetails
    collections, colors ─┘        in DuckDB, in a folder of its own

The tables lie in any order and may be many times larger than memory, so DuckDB sorts them on disk, once;
after that a range of photos is a few neighbouring blocks. The folder is removed when the join is left.
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

from esclip._concurrency.streams import batches
from esclip._errors import ErrorTable, SourceError, map_errors
from esclip.sources.unsplash.child_tables import CHILD_TABLES, ChildTable
from esclip.sources.unsplash.rows import Row
from esclip.sources.unsplash.tables import TablePart

if TYPE_CHECKING:
    import duckdb

__all__ = ["Joins", "PhotoDetails", "duckdb_errors", "interrupted_by", "joined"]

MEMORY_LIMIT = "256MB"
MOST_THREADS = 2
INSERTED_ROWS = 50_000
WATCHED_S = 0.2
"""Between two looks at whether the join is still wanted."""

INTERRUPTED = "Query interrupted"
"""How DuckDB says that Python got a SIGINT in the middle of a query, in a plain RuntimeError."""

log = logging.getLogger("esclip")


class PhotoDetails(NamedTuple):
    """What the other tables say about one photo, most important first."""

    keywords: tuple[str, ...] = ()
    keywords_from: str = ""
    colors: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()


@contextmanager
def joined(
    ids: Iterable[tuple[int, str]],
    children: Mapping[str, Sequence[TablePart]],
    threshold: float,
    cancelled: Event,
) -> Iterator[Joins]:
    """The children's rows for these photos, given as number and id. Of an id that comes twice, the first.

    Raises `SourceError` when a table can't be read, or memory or disk do not suffice, and `CancelledError`
    once `cancelled` is set.
    """
    import duckdb

    with (
        TemporaryDirectory(prefix="esclip-", ignore_cleanup_errors=True) as folder,
        map_errors(duckdb_errors()),
    ):
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "threads": min(MOST_THREADS, os.cpu_count() or 1),
            "temp_directory": str(Path(folder) / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        with duckdb.connect(str(Path(folder) / "joins.duckdb"), config=config) as database:
            database.execute("SET enable_progress_bar = false")  # in a notebook it would print
            joins = Joins(database, Path(folder), threshold)
            with interrupted_by(cancelled, database):
                joins.number_photos(ids)
                for name, parts in children.items():
                    joins.load(name, parts)
            yield joins


@contextmanager
def interrupted_by(event: Event, database: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A time in which the event ends a query, which may take minutes."""
    import duckdb

    over = Event()

    def watch() -> None:
        while not over.wait(WATCHED_S):
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
    """What DuckDB raises."""
    import duckdb

    def failure(error: Exception) -> SourceError:
        reason = str(error).partition("\n")[0][:300]
        return SourceError(f"The dataset's tables can't be joined: {reason}")

    def interrupt(error: Exception) -> BaseException | None:
        return KeyboardInterrupt() if str(error) == INTERRUPTED else None

    return (duckdb.Error, failure), (RuntimeError, interrupt)


class Joins:
    """An open join: the children's rows in the order of the photos."""

    def __init__(self, database: duckdb.DuckDBPyConnection, folder: Path, threshold: float) -> None:
        self._database = database
        self._folder = folder
        self._threshold = threshold
        self._loaded: list[str] = []

    def of(self, first: int, last: int) -> dict[int, PhotoDetails]:
        """What is known of the photos numbered `first` to `last`, by number; who is missing is unknown."""
        found: dict[int, PhotoDetails] = {}
        for name in self._loaded:
            told = self._run(CHILD_TABLES[name].told, first=first, last=last)
            fields = [column[0] for column in told.description][1:]
            for n, *values in told.fetchall():
                known: dict[str, Any] = {
                    field: tuple(value) if isinstance(value, list) else value
                    for field, value in zip(fields, values, strict=True)
                }
                found[n] = found.get(n, PhotoDetails())._replace(**known)
        return found

    def number_photos(self, ids: Iterable[tuple[int, str]]) -> None:
        """Remember which number each photo has."""
        self._run("CREATE TABLE numbered (n BIGINT, photo_id VARCHAR)")
        for batch in batches(ids, INSERTED_ROWS):
            self._insert("INSERT INTO numbered SELECT * FROM given", ["n", "photo_id"], batch)
        self._run("CREATE TABLE photos AS SELECT photo_id, min(n) AS n FROM numbered GROUP BY photo_id")
        self._run("DROP TABLE numbered")

    def load(self, name: str, parts: Sequence[TablePart]) -> None:
        """Take in a child table and sort it by the photos' numbers."""
        table = CHILD_TABLES[name]
        self._run(f"CREATE TABLE {name}_read (n BIGINT, {table.kept})")
        for part in parts:
            if part.position(*table.columns[0]) is None:
                log.warning("%s is not used: it has no column %s", part.path, table.columns[0][0])
            else:
                self._load_part(name, part)
        self._run(f"CREATE TABLE {name} AS SELECT * FROM {name}_read ORDER BY n")
        self._run(f"DROP TABLE {name}_read")
        if table.loaded:
            self._run(table.loaded)
        self._loaded.append(name)

    def _load_part(self, name: str, part: TablePart) -> None:
        """By DuckDB, which is fast and strict; row by row where it refuses a row, or can't say the path."""
        import duckdb

        table = CHILD_TABLES[name]
        positions = [part.position("photo_id"), *(part.position(*names) for names in table.columns)]
        sources = ["NULL" if position is None else f"column{position}" for position in positions]
        raw = ", ".join(
            f"{source} AS {alias}" for source, alias in zip(sources, _aliases(table), strict=True)
        )
        try:
            # Unpacked here, since of a packed file that was cut DuckDB may read the rest and say nothing.
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

        for batch in batches(usable(), INSERTED_ROWS):
            self._insert(_insertion(name, "given"), _aliases(CHILD_TABLES[name]), batch)
        log.warning("%s: %d broken rows are left out", part.path, broken)

    def _insert(self, sql: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Run an insertion from `given`, which has these rows."""
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
    """From raw rows to the kept ones: of known photos, and worth it."""
    table = CHILD_TABLES[name]
    return (
        f"INSERT INTO {name}_read SELECT photos.n, {table.read} FROM {relation} AS raw "
        f"JOIN photos ON raw.photo_id = photos.photo_id WHERE c0 IS NOT NULL AND ({table.where})"
    )


def _csv_scan(part: TablePart) -> str:
    """The file $path with all columns as text, nothing guessed: the header may be in any order."""
    columns = ", ".join(f"'column{i}': 'VARCHAR'" for i in range(len(part.columns)))
    return (
        f"read_csv($path, columns = {{{columns}}}, auto_detect = false, header = true, delim = '\t', "
        f"""quote = '"', escape = '"', nullstr = '', compression = 'none', hive_partitioning = false)"""
    )


def _escaped(path: Path) -> str:
    """A path as DuckDB takes it literally: it would search for the files that match."""
    return re.sub(r"([*?\[])", r"[\1]", str(path.absolute()))
