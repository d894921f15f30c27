"""Joins the dataset's other tables to the photos, in the photos' order.

    photo ids, numbered ─┐
    keywords ────────────┼─► rows sorted by photo number ─► Joins.details(first, last) ─► PhotoDetails
    collections, colors ─┘        in DuckDB, in a folder of its own

The tables are in no order and may be many times larger than memory, so DuckDB sorts them on disk, once;
after that a range of photos is a few neighbouring blocks. The folder is removed on exit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event
from typing import Any, NamedTuple

from esclip._concurrency.streams import batches
from esclip.sources.unsplash.child_tables import CHILD_TABLES, ChildTable
from esclip.sources.unsplash.database import INSERT_BATCH, Database, open_database
from esclip.sources.unsplash.tables import TablePart

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
    with open_database() as database:
        joins = Joins(database, threshold)
        with database.interrupt_on(cancelled):
            joins.number_photos(ids)
            for name, parts in children.items():
                joins.load(name, parts)
        yield joins


class Joins:
    """An open join: the child tables' rows in the order of the photos."""

    def __init__(self, database: Database, threshold: float) -> None:
        self._database = database
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
            self._database.insert("INSERT INTO numbered SELECT * FROM given", ["n", "photo_id"], batch)
        self._run("CREATE TABLE photos AS SELECT photo_id, min(n) AS n FROM numbered GROUP BY photo_id")
        self._run("DROP TABLE numbered")

    def load(self, name: str, parts: Sequence[TablePart]) -> None:
        """Read a child table and sort it by the photos' numbers."""
        table = CHILD_TABLES[name]
        self._run(f"CREATE TABLE {name}_read (n BIGINT, {table.stored_columns})")
        self._database.load(parts, table.columns, _insertion(name, table), threshold=self._threshold)
        self._run(f"CREATE TABLE {name} AS SELECT * FROM {name}_read ORDER BY n")
        self._run(f"DROP TABLE {name}_read")
        if table.after_load:
            self._run(table.after_load)
        self._loaded.append(name)

    def _run(self, sql: str, **parameters: object) -> Any:
        return self._database.run(sql, threshold=self._threshold, **parameters)


def _insertion(name: str, table: ChildTable) -> str:
    """Inserts the raw rows that are of a photo and fulfil the table's `where`."""
    return (
        f"INSERT INTO {name}_read SELECT photos.n, {table.stored_values} FROM raw "
        f"JOIN photos ON raw.photo_id = photos.photo_id WHERE c0 IS NOT NULL AND ({table.where})"
    )
