"""Opens files of untrusted folders: regular files only, without blocking.

path ─► open_regular ─► a picture, through any symbolic links
     └► open_beside  ─► a text, through links to files of the same folder only

A folder of pictures may come from anywhere. A link in it to a text of this machine, such as a password file
or a process's environment, would bring that into the index; a named pipe would block the reader for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

MAX_LINKS = 8
"""Links from one to the next within a folder."""

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a named pipe would wait for a writer
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_IS_LINK = (errno.ELOOP, errno.EMLINK)
"""Errors of opening a link without following it; the second on BSD."""


def open_regular(path: Path) -> BufferedReader:
    """The file at `path`, for reading bytes. Raises `OSError` unless it is a regular file."""
    return _require_regular(os.open(path, _FLAGS), path)


def open_beside(path: Path) -> BufferedReader:
    """Like `open_regular`, but a link may lead to another file of its folder only.

    The folder is opened once and the file by its name in there: exchanging the folder has no effect.
    """
    if os.open not in os.supports_dir_fd:  # Windows, where links are rare: none is followed
        if path.is_symlink():
            raise _outside_error(path)
        return open_regular(path)
    folder = os.open(path.parent, _FOLDER)
    try:
        return _require_regular(_open_in(folder, path), path)
    finally:
        os.close(folder)


def _open_in(folder: int, path: Path) -> int:
    name = path.name
    for _ in range(MAX_LINKS):
        try:
            return os.open(name, _FLAGS | _NO_LINK, dir_fd=folder)
        except OSError as error:
            if error.errno not in _IS_LINK:
                raise
        head, name = os.path.split(os.readlink(name, dir_fd=folder))
        if not name or (head and not os.path.samestat(os.stat(head, dir_fd=folder), os.fstat(folder))):
            raise _outside_error(path)
    raise OSError(errno.ELOOP, "too many links from one to the next", str(path))


def _outside_error(path: Path) -> OSError:
    message = "it is a link out of its folder, which is not followed; put the file itself there"
    return OSError(errno.EPERM, message, str(path))


def _require_regular(descriptor: int, path: Path) -> BufferedReader:
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
