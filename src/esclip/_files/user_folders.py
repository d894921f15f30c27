"""The user's own folders for data and caches, also where the user has no home directory that can be used.

    data   <home>/.local/share/esclip ─┐ no home, or one that can't be written, as in containers
    cache  <home>/.cache/esclip ───────┴► <temporary folder>/esclip-<user's number>, with one warning

(or as the system has it: platformdirs knows). Indexes are never put into a temporary folder.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from functools import cache
from pathlib import Path

import platformdirs

from esclip._errors import ConfigError, Hint

__all__ = ["cache_folder", "check_writable", "data_folder", "state_folder", "usable_folder"]

_log = logging.getLogger("esclip")


def data_folder() -> Path:
    """Where data is kept that would be missed; it isn't made.

    Raises `ConfigError` where the user has no home.
    """
    folder = _of_platform("data")
    if folder is None:
        raise ConfigError("This user has no home directory", Hint.STORE)
    return folder


def state_folder() -> Path:
    """Where data is kept that can be done without. Raises `ConfigError` as `usable_folder`."""
    return usable_folder(_of_platform("data"), "data")


def cache_folder() -> Path:
    """Where is kept what can be computed or fetched again. Raises `ConfigError` as `usable_folder`."""
    return usable_folder(_of_platform("cache"), "cache")


def usable_folder(folder: Path | None, name: str) -> Path:
    """The folder, made if need be; where there is none and it can't be made, one of this `name` for a while.

    Raises `ConfigError` when there is no temporary folder either.
    """
    if folder is not None and folder.is_absolute():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        except OSError:  # such a home is as good as none
            pass
    return _temporary() / name


def check_writable(folder: Path) -> None:
    """Make the folder if it isn't there. Raises `OSError` where no files can be made in it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _of_platform(kind: str) -> Path | None:
    find = platformdirs.user_data_dir if kind == "data" else platformdirs.user_cache_dir
    try:
        folder = Path(find("esclip", appauthor=False))
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # an earlier platformdirs leaves the ~ in it


@cache
def _temporary() -> Path:
    """The user's own folder among those of others, which nobody else can write to. Warns, once."""
    try:
        folder = Path(tempfile.gettempdir()) / f"esclip-{_user()}"
        if not _is_private(folder):  # another user was there first
            folder = Path(tempfile.mkdtemp(prefix="esclip-"))
    except OSError as error:
        raise ConfigError(
            f"Neither the user's home nor a temporary folder can be written ({error.strerror}); set HOME"
        ) from error
    _log.warning(
        "this user has no home directory that can be written: caches are in %s; "
        "set HOME, or XDG_CACHE_HOME and XDG_DATA_HOME",
        folder,
    )
    return folder


def _is_private(folder: Path) -> bool:
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    return stat.S_ISDIR(about.st_mode) and about.st_uid == _user() and not about.st_mode & 0o077


def _user() -> int:
    return getattr(os, "getuid", lambda: 0)()  # Windows has none, nor any folder that counts as private
