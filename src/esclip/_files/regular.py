"""Opens files that somebody else may have put there: regular ones only, and without waiting for anybody.

path ─► open_regular ─► a picture, wherever its links lead
     └► open_beside  ─► a text: through no link but to a file of the same folder

A folder of pictures may come from anywhere. A link in it that leads to a text of this machine, a password
file or a process's environment, would bring that into the index; a named pipe would hold the reader for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["open_beside", "open_regular"]

MOST_LINKS = 8
"""Links from one to the next within a folder."""

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a named pipe would wait until somebody writes to it
)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_IS_LINK = (errno.ELOOP, errno.EMLINK)
"""What opening a link without following it fails with; the second on BSD."""


def open_regular(path: Path) -> BinaryIO:
    """The file at `path`, to read bytes from. Raises `OSError` where no regular file is."""
    return _regular(os.open(path, _FLAGS), path)


def open_beside(path: Path) -> BinaryIO:
    """The same, where a link may lead to another file of its folder only.

    The folder is opened once, and the file by its name in there: nothing that is exchanged meanwhile counts.
    """
    if os.open not in os.supports_dir_fd:  # Windows, where links are rare: none is followed
        if path.is_symlink():
            raise _leads_out(path)
        return open_regular(path)
    folder = os.open(path.parent, _FOLDER)
    try:
        return _regular(_opened_in(folder, path), path)
    finally:
        os.close(folder)


def _opened_in(folder: int, path: Path) -> int:
    name = path.name
    for _ in range(MOST_LINKS):
        try:
            return os.open(name, _FLAGS | _NO_LINK, dir_fd=folder)
        except OSError as error:
            if error.errno not in _IS_LINK:
                raise
        head, name = os.path.split(os.readlink(name, dir_fd=folder))
        if not name or (head and not os.path.samestat(os.stat(head, dir_fd=folder), os.fstat(folder))):
            raise _leads_out(path)
    raise OSError(errno.ELOOP, "too many links from one to the next", str(path))


def _leads_out(path: Path) -> OSError:
    words = "it is a link out of its folder, which is not followed; put the file itself there"
    return OSError(errno.EPERM, words, str(path))


def _regular(descriptor: int, path: Path) -> BinaryIO:
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
