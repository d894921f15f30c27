"""Writes files that several processes share: each appears whole under its name, or not at all.

data ─► temporary file in the same folder ─► renamed
"""

from __future__ import annotations

import secrets
from pathlib import Path

UNFINISHED = ".new-"
"""Prefix of the names of temporary files and folders."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file, and make its folder if it is missing. Raises `OSError`; then nothing is left behind.

    A reader that has an earlier version open keeps it: that file is replaced, not overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        with new.open("xb") as file:
            file.write(data)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
