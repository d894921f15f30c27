"""The ledger: every record that is not in the index for a reason of its own, kept beside it until it is.

    Rejection ─────────────────────► add ────► one row for each record ─► rejections ─► `esclip rejections`
    ids that the index holds now ──► settle ─► forgotten                      └──────► `esclip retry`
    end of an ingest of all of it ─► forget ─► what has left the source: forgotten

It is an SQLite file in WAL mode. Each call is a transaction: a `kill -9` loses nothing that a call has
returned from, and any number of threads and processes may use one file. Credentials in URLs are masked.
"""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any

from esclip._concurrency.forks import leave_behind, renew_in_children
from esclip._core.rejections import LedgerEntry, Reason, Rejection, Stage
from esclip._errors import StoreError
from esclip._ingest.ledger_file import connect
from esclip._ingest.ledger_records import read_record, record_text, storable
from esclip._text.secrets import mask

__all__ = ["Ledger"]

PAGE = 1000
"""Rejections read at once."""

_ADD = """
INSERT OR REPLACE INTO rejections (id, place, origin, stage, reason, location, detail, record, tries, tried)
SELECT :id, :place, coalesce(:origin, old.origin), :stage, :reason, :location, :detail, :record,
       coalesce(old.tries, 0) + 1, :tried
FROM (SELECT 1) LEFT JOIN rejections AS old ON old.id = :id AND old.place = :place"""

_SETTLE = "DELETE FROM rejections WHERE place = '' AND id IN (SELECT value FROM json_each(?))"

_FORGET = "DELETE FROM rejections WHERE origin = ? AND number <= ?"

_COUNTS = """
SELECT reason, count(*) AS all_of_it, count(record) AS with_record FROM rejections
WHERE reason IN (SELECT value FROM json_each(?)) GROUP BY reason ORDER BY all_of_it DESC, reason"""

_PAGE = f"""
SELECT * FROM rejections
WHERE number > ? AND number <= ? AND reason IN (SELECT value FROM json_each(?))
ORDER BY number LIMIT {PAGE}"""

_PLACES = f"""
SELECT number, id, location FROM rejections WHERE number > ? AND number <= ? ORDER BY number LIMIT {PAGE}"""

_OF_IDS = (
    "SELECT count(*) AS number FROM rejections WHERE place = '' AND id IN (SELECT value FROM json_each(?))"
)

_DISCARD = "DELETE FROM rejections WHERE number IN (SELECT value FROM json_each(?))"

_NEWEST = "SELECT coalesce(max(seq), 0) AS number FROM sqlite_sequence WHERE name = 'rejections'"


class Ledger:
    """The rejections of one index. Safe from several threads and processes.

    All methods raise `StoreError` when the file can't be used.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` is its file, which need not be there; None: it is in memory, until it is closed."""
        self._path = path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None
        renew_in_children(self)

    def renew(self) -> None:
        """A connection of a forked child's own, where there is a file; one in memory is a copy already."""
        self._lock = RLock()
        if self._connection is not None and self._path is not None:
            self._closed.detach()
            leave_behind(self._connection)
            self._connection = None

    def exists(self) -> bool:
        """Whether it was ever written to."""
        with self._faults():
            return self._connection is not None or (self._path is not None and self._path.exists())

    def open(self) -> None:
        """Make the file if it isn't there, and see that it can be written. All that writes does so first."""
        with self._lock, self._faults():
            if self._connection is None:
                if self._path is not None:
                    self._path.parent.mkdir(parents=True, exist_ok=True)
                self._connection = connect(self._path)
                self._closed = weakref.finalize(self, self._connection.close)

    def add(self, rejection: Rejection, origin: str | None = None) -> None:
        """Keep a rejection in place of an earlier one of the same record, whose `origin` stays if None."""
        usable = rejection.id and rejection.reason is not Reason.BAD_ID
        location = mask(storable(rejection.location))
        row = {
            "id": storable(rejection.id),
            "place": "" if usable else location,
            "origin": origin and storable(origin),
            "stage": rejection.stage.value,
            "reason": rejection.reason.value,
            "location": location,
            "detail": mask(storable(rejection.detail)),
            "record": rejection.record and record_text(rejection.record),
            "tried": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._run(_ADD, row)

    def settle(self, ids: Collection[str]) -> None:
        """Forget the rejections of these ids: the index holds their records as they are now."""
        if ids:
            self._run(_SETTLE, [json.dumps(list(ids))])

    def newest(self) -> int:
        """The number of the last rejection that was added, also if it is forgotten by now."""
        return sum(row["number"] for row in self._read(_NEWEST))

    def forget(self, origin: str, until: int) -> None:
        """Forget the rejections of `origin` that nobody has added again since `newest` was `until`."""
        self._run(_FORGET, [storable(origin), until])

    def places(self, until: int | None = None) -> Iterator[tuple[int, str, str]]:
        """Number, id and location of each up to the number `until`, the oldest first."""
        last, end = 0, self.newest() if until is None else until
        while rows := self._read(_PLACES, [last, end]):
            yield from ((row["number"], row["id"], row["location"]) for row in rows)
            last = rows[-1]["number"]

    def of_ids(self, ids: Collection[str]) -> int:
        """How many `settle` would forget."""
        return sum(row["number"] for row in self._read(_OF_IDS, [json.dumps(list(ids))]))

    def discard(self, numbers: Collection[int]) -> None:
        """Forget those with these numbers; one that was added again meanwhile has another, and stays."""
        if numbers:
            self._run(_DISCARD, [json.dumps(list(numbers))])

    def counts(self, reasons: Collection[Reason] = ()) -> dict[Reason, int]:
        """How many there are for each of these reasons, or of all, most frequent first."""
        return {Reason(row["reason"]): row["all_of_it"] for row in self._read(_COUNTS, [_names(reasons)])}

    def records(self, reasons: Collection[Reason] = ()) -> int:
        """How many of them have a record, so that they can be tried again."""
        return sum(row["with_record"] for row in self._read(_COUNTS, [_names(reasons)]))

    def rejections(self, reasons: Collection[Reason] = ()) -> Iterator[LedgerEntry]:
        """Those with one of these reasons, or all, the oldest first; what is added meanwhile is not given."""
        last, end, names = 0, self.newest(), _names(reasons)
        while rows := self._read(_PAGE, [last, end, names]):
            with self._faults():
                kept = [_kept(row) for row in rows]
            yield from kept
            last = rows[-1]["number"]

    def remove(self) -> None:
        """Close it, and remove its file."""
        self.close()
        if self._path is not None:
            with self._faults():
                for suffix in ("-wal", "-shm", ""):  # the file last: a new one must not meet an old log
                    Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    def close(self) -> None:
        """Free the file, which is also done when the object is gone; a later call opens it again."""
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
        """What SQLite raises, as our own: a reason that can't be kept ends the run, or it would be lost."""
        try:
            yield
        except (sqlite3.OperationalError, sqlite3.ProgrammingError, OSError) as error:
            raise StoreError(
                f"The ledger of rejections, {self._path}, can't be used ({error}); make sure that there is "
                "room for it and that it can be written, then run the same command again."
            ) from error
        except (sqlite3.Error, _OddRowError) as error:
            raise StoreError(
                f"The ledger of rejections, {self._path}, is damaged or none ({error}); remove it, and "
                "ingest again to make a new one."
            ) from error


def _names(reasons: Collection[Reason]) -> str:
    return json.dumps([reason.value for reason in reasons or Reason])


class _OddRowError(Exception):
    """A row that `add` didn't write."""


def _kept(row: sqlite3.Row) -> LedgerEntry:
    """The rejection of a row. Raises `_OddRowError` on one that somebody else has written or changed."""
    try:
        texts = [row[name] for name in ("id", "location", "detail", "tried")]
        if not all(isinstance(text, str) for text in texts) or type(row["tries"]) is not int:
            raise TypeError("a text or a number is none")
        return LedgerEntry(
            id=row["id"],
            location=row["location"],
            stage=Stage(row["stage"]),
            reason=Reason(row["reason"]),
            detail=row["detail"],
            record=read_record(row["record"]) if row["record"] else None,
            attempts=row["tries"],
            last_attempt=datetime.fromisoformat(row["tried"]),
        )
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _OddRowError(f"row {row['number']} is odd: {type(error).__name__}") from error
