"""Milvus Lite: a folder, `photos.db`, that one process at a time has open.

Its server is a thread of this process, which answers on a loopback port. All stores of this process that have
the same folder share it; the last one that is closed ends it.
"""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from threading import Lock, RLock

from esclip._concurrency.forks import run_in_children
from esclip._errors import ConfigError, IndexExists, StoreError, StoreUnavailable, error_text

SUFFIX = ".db"
"""Of a folder's name, by which pymilvus knows one."""

FORMER = b"SQLite format 3\0"
"""How a file of Milvus Lite 2 begins."""

LOCK_FILE = "LOCK"
"""In each folder of Milvus Lite 3."""

# it logs each failure with its traceback, which Python prints where logging is not set up
logging.getLogger("milvus_lite").addHandler(logging.NullHandler())

_guard = Lock()
_users: Counter[Path] = Counter()
_locks: dict[Path, RLock] = {}


def _forget() -> None:
    """A forked child has no server."""
    global _guard
    _guard = Lock()
    _users.clear()
    _locks.clear()


run_in_children(_forget)


def is_lite_folder(path: Path) -> bool:
    """Whether a user's path is one of Milvus Lite. One that holds embedded indexes isn't."""
    return path.suffix == SUFFIX and not any(path.glob("*.lance"))


def lock_of(path: Path) -> RLock:
    """What each request has to hold: while Milvus Lite writes its memory to disk, reads miss documents."""
    with _guard:
        return _locks.setdefault(path, RLock())


def check(path: Path) -> None:
    """Raise `StoreError` for something that is not a folder of Milvus Lite, nor may become one."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(FORMER)) == FORMER:
                raise StoreError(
                    f"{path} is a file of SQLite, as Milvus Lite 2 kept its data; version 3 can't read it: "
                    "take another name, and ingest again"
                )
        raise IndexExists(f"{path} is a file, not a folder of Milvus Lite; take another name")
    if path.is_dir() and not (path / LOCK_FILE).exists() and any(path.iterdir()):
        raise IndexExists(f"{path} is a folder, but not one of Milvus Lite; take another name")


def acquire(path: Path) -> None:
    """Open the folder, or count one more user of it. `release` has to follow.

    Raises `StoreUnavailable` where another process has it open.
    """
    import pymilvus  # noqa: F401 - milvus_lite takes its messages
    from milvus_lite.server_manager import server_manager_instance

    with _guard:
        if not _users[path]:
            path.parent.mkdir(parents=True, exist_ok=True)
            if server_manager_instance.start_and_get_uri(str(path)) is None:
                raise _explain(path)
        _users[path] += 1


def release(path: Path) -> None:
    """End the folder's server with its last user."""
    from milvus_lite.server_manager import server_manager_instance

    with _guard:
        _users[path] -= 1
        if _users[path] <= 0:
            del _users[path]
            server_manager_instance.release_server(str(path))


def _explain(path: Path) -> StoreError:
    """Why the folder can't be opened, which pymilvus only logs."""
    from milvus_lite import MilvusLite
    from milvus_lite.exceptions import DataDirLockedError

    try:
        MilvusLite(str(path)).close()
    except DataDirLockedError:
        return StoreUnavailable(
            f"another process has {path} open, and Milvus Lite lets in one at a time: wait until it has "
            "finished, or keep the index in a Milvus server"
        )
    except Exception as error:
        return StoreError(
            f"{path} can't be opened by Milvus Lite ({error_text(error, 200)}); check who may write it"
        )
    return StoreUnavailable(f"{path} was not opened by Milvus Lite; try again")


def require_lite() -> None:
    """Raise `ConfigError` where pymilvus or Milvus Lite isn't installed."""
    try:
        import milvus_lite  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "a folder of Milvus Lite needs milvus-lite: pip install 'esclip[milvus]'"
        ) from error
