"""The ledger: the rejected records of an index, until the index has them.

    Rejection ──────────────────────► add ─────► one row for each record ─► entries ─► `esclip rejections`
    ids that are in the index now ──► resolve ─► removed                       └─────► `esclip retry`
    end of a complete ingest ───────► forget ──► those that have left the source: removed

It is an SQLite file in WAL mode. Each call is a transaction: after a `kill -9` all completed calls are kept,
and any number of threads and processes may use one file. Credentials in URLs are masked.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from esclip._concurrency.forks import leave_behind, renew_in_children
from esclip._concurrency.retry import LEDGER, retry
from esclip._core.record_json import dump_record, escape_surrogates, load_record, to_read_again
from esclip._core.rejections import LedgerEntry, Rejection, Stage
from esclip._core.settings import ledger_folder
from esclip._errors import StoreError
from esclip._errors.reasons import Reason
from esclip._errors.secrets import mask
from esclip._files.atomic import open_atomically
from esclip.stores import is_server

VERSION = 1

_TABLE = """
CREATE TABLE rejections (
    number   INTEGER PRIMARY KEY AUTOINCREMENT, -- a higher one with each try, never one that was used before
    id       TEXT NOT NULL,
    place    TEXT NOT NULL, -- empty, but for what has no id that can be used: its location
    origin   TEXT,          -- what was being ingested
    stage    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    location TEXT NOT NULL,
    detail   TEXT NOT NULL,
    record   TEXT,          -- as JSON; null where the source could not make one
    tries    INTEGER NOT NULL,
    tried    TEXT NOT NULL,
    UNIQUE (id, place)
)"""

_ALL = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"

PAGE = 1000
"""Entries read at once."""

_ADD = """
INSERT OR REPLACE INTO rejections (id, place, origin, stage, reason, location, detail, record, tries, tried)
SELECT :id, :place, coalesce(:origin, old.origin), :stage, :reason, :location, :detail, :record,
       coalesce(old.tries, 0) + 1, :tried
FROM (SELECT 1) LEFT JOIN rejections AS old ON old.id = :id AND old.place = :place"""

_RESOLVE = "DELETE FROM rejections WHERE place = '' AND id IN (SELECT value FROM json_each(?))"

_FORGET = "DELETE FROM rejections WHERE origin = ? AND number <= ?"

_COUNTS = """
SELECT reason, count(*) AS all_of_it, count(record) AS with_record FROM rejections
WHERE reason IN (SELECT value FROM json_each(?)) GROUP BY reason ORDER BY all_of_it DESC, reason"""

_PAGE = f"""
SELECT * FROM rejections
WHERE number > ? AND number <= ? AND reason IN (SELECT value FROM json_each(?))
ORDER BY number LIMIT {PAGE}"""

_LOCATIONS = f"""
SELECT number, id, location FROM rejections WHERE number > ? AND number <= ? ORDER BY number LIMIT {PAGE}"""

_COUNT_IDS = (
    "SELECT count(*) AS number FROM rejections WHERE place = '' AND id IN (SELECT value FROM json_each(?))"
)

_DISCARD = "DELETE FROM rejections WHERE number IN (SELECT value FROM json_each(?))"

_LAST_NUMBER = "SELECT coalesce(max(seq), 0) AS number FROM sqlite_sequence WHERE name = 'rejections'"


def ledger_path(address: str, index: str) -> Path | None:
    """The path of the ledger of a store's index; None for a store that is neither a folder nor a server.

    A folder's is in it, a server's in the user's data directory: `address` holds no credentials.
    """
    name = f"{index}.rejections.sqlite"
    if is_server(address):
        server = re.sub(r"[^a-z0-9.-]+", "_", address.partition("://")[2].lower())[:80]
        return ledger_folder() / f"{server}-{hashlib.sha256(address.encode()).hexdigest()[:8]}" / name
    folder = Path(address)
    return folder / name if folder.is_absolute() else None


class Ledger:
    """The rejections of one index. Safe from several threads and processes.

    All methods raise `StoreError` when the file can't be used.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` is its file, which may not exist yet; None: it is in memory, until it is closed."""
        self._path = path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        renew_in_children(self)

    def renew(self) -> None:
        """After a fork: a file gets a connection of the child's own; a ledger in memory is a copy already."""
        self._lock = RLock()
        if self._connection is not None and self._path is not None:
            self._closed.detach()
            leave_behind(self._connection)
            self._connection = None

    def exists(self) -> bool:
        """Whether its file exists."""
        with self._faults():
            return self._connection is not None or (self._path is not None and self._path.exists())

    def open(self) -> None:
        """Make the file if it doesn't exist, and check that it is writable. Writing methods do so first."""
        with self._lock, self._faults():
            if self._connection is None:
                if self._path is not None:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = _connect(self._path)
                self._closed = weakref.finalize(self, self._connection.close)

    def add(self, rejection: Rejection, origin: str | None = None) -> None:
        """Add a rejection, or replace that of the same record, whose `origin` stays if None."""
        has_id = rejection.id and rejection.reason is not Reason.BAD_ID
        location = mask(escape_surrogates(rejection.location))
        record = rejection.record and to_read_again(rejection.record)
        row = {
            "id": escape_surrogates(rejection.id),
            "place": "" if has_id else location,
            "origin": origin and escape_surrogates(origin),
            "stage": rejection.stage.value,
            "reason": rejection.reason.value,
            "location": location,
            "detail": mask(escape_surrogates(rejection.detail)),
            "record": dump_record(record) if record else None,
            "tried": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._run(_ADD, row)

    def resolve(self, ids: Collection[str]) -> None:
        """Remove the rejections of these ids: the index has their current records."""
        if ids:
            self._run(_RESOLVE, [json.dumps(list(ids))])

    def last_number(self) -> int:
        """The number of the last rejection that was added, even if it is removed by now."""
        return sum(row["number"] for row in self._read(_LAST_NUMBER))

    def forget(self, origin: str, until: int) -> None:
        """Remove the rejections of `origin` that were not added again after the number `until`."""
        self._run(_FORGET, [escape_surrogates(origin), until])

    def locations(self, until: int | None = None) -> Iterator[tuple[int, str, str]]:
        """Number, id and location of each rejection up to the number `until`, the oldest first."""
        last, end = 0, self.last_number() if until is None else until
        while rows := self._read(_LOCATIONS, [last, end]):
            yield from ((row["number"], row["id"], row["location"]) for row in rows)
            last = rows[-1]["number"]

    def count_ids(self, ids: Collection[str]) -> int:
        """The number of rejections that `resolve` would remove."""
        return sum(row["number"] for row in self._read(_COUNT_IDS, [json.dumps(list(ids))]))

    def discard(self, numbers: Collection[int]) -> None:
        """Remove the rejections with these numbers; one added again has another number, and stays."""
        if numbers:
            self._run(_DISCARD, [json.dumps(list(numbers))])

    def counts(self, reasons: Collection[Reason] = ()) -> dict[Reason, int]:
        """The number of rejections for each of these reasons, or all, most frequent first."""
        return {Reason(row["reason"]): row["all_of_it"] for row in self._read(_COUNTS, [_names_of(reasons)])}

    def count_retryable(self, reasons: Collection[Reason] = ()) -> int:
        """The number of rejections that have a record, and can be tried again."""
        return sum(row["with_record"] for row in self._read(_COUNTS, [_names_of(reasons)]))

    def entries(self, reasons: Collection[Reason] = ()) -> Iterator[LedgerEntry]:
        """The rejections with one of these reasons, or all, the oldest first, except any added meanwhile."""
        last, end, names = 0, self.last_number(), _names_of(reasons)
        while rows := self._read(_PAGE, [last, end, names]):
            with self._faults():
                entries = [_entry(row) for row in rows]
            yield from entries
            last = rows[-1]["number"]

    def remove(self) -> None:
        """Close it, and remove its file."""
        self.close()
        if self._path is not None:
            with self._faults():
                for suffix in ("-wal", "-shm", ""):  # the file last: a new one must not have an old log
                    Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def move(self, path: Path) -> None:
        """Copy it to another path, where it appears whole or not at all; then remove it here."""
        with self._lock, self._faults():
            self.open()
            assert self._connection is not None
            with open_atomically(path) as file:
                copy = sqlite3.connect(file.name)
                self._connection.backup(copy)
                copy.close()
        self.remove()

    def close(self) -> None:
        """Close the file, as garbage collection does, too; a later call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._closed()
                self._connection = None

    def _read(self, statement: str, values: Any = ()) -> list[sqlite3.Row]:
        return self._run(statement, values) if self.exists() else []

    def _run(self, statement: str, values: Any = ()) -> list[sqlite3.Row]:
        with self._lock, self._faults():
            self.open()
            assert self._connection is not None
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Context manager: maps SQLite's errors to `StoreError`, which ends a run."""
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, OSError) as error:
            raise StoreError(
                f"the ledger of rejections, {self._path}, can't be used ({error}); make sure that there is "
                "room for it and that it can be written, then run the same command again"
            ) from error
        except (sqlite3.Error, _OddRowError) as error:
            raise StoreError(
                f"the ledger of rejections, {self._path}, is damaged or none ({error}); remove it, and "
                "ingest again to make a new one"
            ) from error


def _names_of(reasons: Collection[Reason]) -> str:
    return json.dumps([reason.value for reason in reasons or Reason])


class _OddRowError(Exception):
    """A row that `add` has not written."""


def _entry(row: sqlite3.Row) -> LedgerEntry:
    """The entry of a row. Raises `_OddRowError` for a row that `add` has not written."""
    try:
        texts = [row[name] for name in ("id", "location", "detail", "tried")]
        if not all(isinstance(text, str) for text in texts) or type(row["tries"]) is not int:
            raise TypeError("a value has another type")
        return LedgerEntry(
            id=row["id"],
            location=row["location"],
            stage=Stage(row["stage"]),
            reason=Reason(row["reason"]),
            detail=row["detail"],
            record=load_record(row["record"]) if row["record"] else None,
            attempts=row["tries"],
            last_attempt=datetime.fromisoformat(row["tried"]),
        )
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _OddRowError(f"row {row['number']} is odd: {type(error).__name__}") from error


def _connect(path: Path | None) -> sqlite3.Connection:
    """Open the file, or a database in memory, with each statement as its own transaction."""
    connection = sqlite3.connect(
        path or ":memory:", timeout=LEDGER.timeout, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        _version(connection)  # before another program's file is changed
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last few
        with connection:
            connection.execute("BEGIN IMMEDIATE")  # fails at once where nothing can be written
            _make_table(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Retried, since SQLite waits for other processes except here, when several open a new file at once."""
    retry(lambda _: connection.execute("PRAGMA journal_mode = WAL"), LEDGER)


def _make_table(connection: sqlite3.Connection, path: Path | None) -> None:
    version = _version(connection)
    if version not in (0, VERSION):
        raise StoreError(
            f"the ledger of rejections, {path}, was made by another esclip; update, or remove it"
        )
    if version == 0:
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    """The version of the file, 0 for a new one. Raises `sqlite3.DatabaseError` for one that is no ledger.

    An index folder may come from a stranger, with a ledger whose table is a view that computes for ever.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    tables = [_plain(row["sql"] or "") for row in connection.execute(_ALL)]
    if version in (0, VERSION) and tables not in ([], [_plain(_TABLE)]):
        raise sqlite3.DatabaseError("it holds something else")
    return int(version)


def _plain(statement: str) -> str:
    """SQL without comments and spaces."""
    return re.sub(r"--[^\n]*|\s", "", statement)
