"""Paths as locations name them: absolute, as text that can be shown, one below another."""

from __future__ import annotations

import os
from pathlib import Path

from esclip._errors import ConfigError
from esclip._files.locations import user_path

__all__ = ["is_below", "location_of", "path_text"]


def path_text(path: str | Path) -> str:
    """A path that can be shown and stored, even one that isn't UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def location_of(path: str | Path) -> str:
    """What documents at this path have as their location, or begin with; a URL is one already.

    Raises `ConfigError` for an empty path, which is not meant to be the current directory, for the home
    directory of nobody, and for what no file is called.
    """
    if not str(path).strip():
        raise ConfigError("a path is empty; for the current directory give .")
    if isinstance(path, str) and "://" in path:
        return path.strip()
    try:
        return path_text(os.path.normpath(Path.cwd() / user_path(path, "path")))
    except UnicodeEncodeError as error:
        raise ConfigError(
            f"path {str(path)!a:.200}: no file is called so, it is not valid Unicode"
        ) from error


def is_below(location: str, root: str) -> bool:
    """Whether a location is `root`, or lies in that folder, however deep."""
    root = root.rstrip("/") if "://" in root else root.rstrip(os.sep)
    return location == root or location.startswith((f"{root}/", f"{root}{os.sep}"))
