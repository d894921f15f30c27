"""Files on this machine and objects in buckets, opened and looked at alike.

Path       ─► regular.py ─┐
BucketPath ─► objects.py ─┴► an open file | its size and time | whether it is there
"""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path
from typing import TypeAlias, TypeVar

from esclip._files.buckets import BucketPath
from esclip._files.objects import BLOCK, open_object, stamp_object
from esclip._files.regular import open_regular

AnyFile: TypeAlias = Path | BucketPath

F = TypeVar("F", Path, BucketPath)

PIECE = 256 << 10
"""Bytes that are asked for at once of an object of which little is wanted, anywhere."""


def open_file(file: AnyFile, block: int = BLOCK) -> BufferedReader:
    """The file, for reading bytes; an object in blocks of so many. Raises `OSError` unless it is regular."""
    return open_object(file, block) if isinstance(file, BucketPath) else open_regular(file)


def stamp_file(file: AnyFile) -> tuple[int, int]:
    """Its size, and when it was changed, in ns. Raises `OSError`."""
    if isinstance(file, BucketPath):
        return stamp_object(file)
    status = file.stat()
    return status.st_size, status.st_mtime_ns


def is_file(file: AnyFile) -> bool:
    """Whether a file is there. An object that can't be asked for is not."""
    if isinstance(file, Path):
        return file.is_file()
    try:
        stamp_object(file)
    except OSError:
        return False
    return True


def absolute(file: AnyFile | str) -> AnyFile:
    """The path without `..`, from the root on; the address of an object is that already."""
    return file if isinstance(file, BucketPath) else Path(os.path.normpath(Path.cwd() / file))


def beside(file: AnyFile, text: str) -> AnyFile:
    """What a text names, as `file` is one: a path, or the address of an object. Raises `ValueError`."""
    return BucketPath.parse(text) if isinstance(file, BucketPath) else Path(text)
