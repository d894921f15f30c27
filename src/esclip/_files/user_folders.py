"""The user's folders for data and caches, also for users without a usable home directory.

    data   <home>/.local/share/esclip ─┐ no home, or one that isn't writable, as in containers
    cache  <home>/.cache/esclip ───────┴► <temporary folder>/esclip-<user id>, with one warning

On other systems the folders are those of platformdirs. Indexes are never put into a temporary folder.
"""

from __future__ import annotations

import logging
import os
import stat
from functools import cache
from pathlib import Path

import platformdirs

from esclip._errors import ConfigError, Hint

_log = logging.getLogger("esclip")


def data_folder() -> Path:
    """The folder for indexes, which may not exist yet.

    Raises `ConfigError` where the user has no home.
    """
    folder = _of_platform("data")
    if folder is None:
        raise ConfigError("this user has no home directory", Hint.STORE)
    return folder


def state_folder() -> Path:
    """The folder for data that an index works without. Raises `ConfigError` as `usable_folder`."""
    return usable_folder(_of_platform("data"), "data")


def cache_folder() -> Path:
    """The folder for data that can be made again. Raises `ConfigError` as `usable_folder`."""
    return usable_folder(_of_platform("cache"), "cache")


def config_folder() -> Path | None:
    """The folder for what a user configures, which may not exist; None where the user has no home."""
    return _of_platform("config")


def usable_folder(folder: Path | None, name: str) -> Path:
    """The folder, made if it is missing; where that fails, a temporary one of this `name`.

    Raises `ConfigError` when there is no temporary folder either.
    """
    if folder is not None and folder.is_absolute():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        except OSError:  # treated as no home
            pass
    return _temporary() / name


def check_writable(folder: Path) -> None:
    """Make the folder if it is missing. Raises `OSError` when no files can be made in it."""
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _of_platform(kind: str) -> Path | None:
    find = getattr(platformdirs, f"user_{kind}_dir")
    try:
        folder = Path(find("esclip", appauthor=False))
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # an earlier platformdirs leaves the ~ in it


@cache
def _temporary() -> Path:
    """A temporary folder of the user, not writable by others. Warns once."""
    import tempfile

    try:
        folder = Path(tempfile.gettempdir()) / f"esclip-{_user()}"
        if not _is_private(folder):  # another user was there first
            folder = Path(tempfile.mkdtemp(prefix="esclip-"))
    except OSError as error:
        raise ConfigError(
            f"neither the user's home nor a temporary folder can be written ({error.strerror}); set HOME"
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
