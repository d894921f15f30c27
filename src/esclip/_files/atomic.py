"""Files that several processes share: each appears whole under its name, or not at all.

data ─► a private file beside its place ─► renamed
"""

from __future__ import annotations

import secrets
from pathlib import Path

__all__ = ["UNFINISHED", "write_atomically"]

UNFINISHED = ".new-"
"""What the names of private files and folders begin with."""


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file, making its folder if need be. Raises `OSError`; then nothing is left behind.

    A reader that holds an earlier version keeps it: that file is replaced and never written to.
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
