"""Writes files that several processes share: each appears whole under its name, or not at all.

data ─► temporary file in the same folder ─► renamed
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".new-"
"""Prefix of the names of temporary files and folders."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file, and make its folder if it is missing. Raises `OSError`; then nothing is left behind.

    A reader that has an earlier version open keeps it: that file is replaced, not overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomically(path) as file:
        file.write(data)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Context manager: a file for writing and reading, which gets its name on leaving without an error."""
    new = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        with new.open("x+b") as file:
            yield file
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
