"""The SQLite file of a ledger: its path, its table, and how several processes open it."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from pathlib import Path

from esclip._concurrency.retry import LEDGER, retry
from esclip._core.settings import ledger_folder
from esclip._errors import StoreError
from esclip.stores import is_server

__all__ = ["connect", "ledger_path"]

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


def connect(path: Path | None) -> sqlite3.Connection:
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
            f"The ledger of rejections, {path}, was made by another esclip; update, or remove it."
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
