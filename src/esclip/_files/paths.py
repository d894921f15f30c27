"""Paths as locations: absolute, as text that can be shown; and which is below which."""

from __future__ import annotations

import os
import re
from pathlib import Path

from esclip._errors import ConfigError
from esclip._files.archives import archive_of
from esclip._files.buckets import BucketPath, is_bucket_address
from esclip._files.locations import user_path


def path_text(path: str | Path | BucketPath) -> str:
    """A path as text that can be shown and stored, even if it isn't UTF-8; an object's is its address."""
    if isinstance(path, BucketPath):
        return str(path)
    return os.fsencode(path).decode("utf-8", "backslashreplace")


_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")
"""A byte that isn't UTF-8, as `path_text` writes it."""


def path_of(location: str) -> Path:
    """The path that `path_text` gave this location for, also one that isn't UTF-8, if it is on disk."""
    if "\\x" in location and not os.path.lexists(location):
        data = _ESCAPED_BYTE.sub(
            lambda byte: bytes.fromhex(byte[1].decode()), location.encode("utf-8", "replace")
        )
        if os.path.lexists(path := os.fsdecode(data)):
            return Path(path)
    return Path(location)


def location_of(path: str | Path) -> str:
    """The location of a document at this path, or the prefix of those below it; a URL stays as it is, and so
    does the address of a bucket, without a slash at its end.

    Raises `ConfigError` for an empty path, which hardly means the current directory, for the home directory
    of an unknown user, and for a text that is no file's name.
    """
    if not str(path).strip():
        raise ConfigError("a path is empty; give ./ for the current directory")
    if isinstance(path, str) and "://" in path:
        return str(BucketPath.of_user(path, "path")) if is_bucket_address(path) else path.strip()
    try:
        return path_text(os.path.normpath(Path.cwd() / user_path(path, "path")))
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"path {str(path)!a:.200}: it is not valid Unicode, so no file has this name"
        ) from error


def is_below(location: str, root: str) -> bool:
    """Whether a location is `root`, or in that folder at any depth, or in that archive."""
    if archive_of(location) == root:
        return True
    root = root.rstrip("/") if "://" in root else root.rstrip(os.sep)
    return location == root or location.startswith((f"{root}/", f"{root}{os.sep}"))
