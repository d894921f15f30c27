"""A cache of compiled towers on disk, safe for processes that run at the same time.

    compiled/<id>-<hash>.blob ─► hash matches? ─► symlink in a private folder ─► OpenVINO
                          ▲                                                         │
                          └──────────── renamed ◄──── newly compiled ◄──────────────┘

OpenVINO writes its cache in place and maps its files into memory: a process is killed (SIGBUS) when another
one truncates a mapped file. So it gets a private folder. The hash in a file's name is checked before use, as
OpenVINO runs the file's code unchecked.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esclip._files.atomic import UNFINISHED
from esclip.encoders.checkpoints.files import file_sha256

_NAME = re.compile(r"(?P<id>[0-9]+)-(?P<digest>[0-9a-f]{64})\.blob")


@contextmanager
def private_cache(shared: Path) -> Iterator[Path | None]:
    """Context manager: a private folder for OpenVINO's `CACHE_DIR`; None if no folder is writable.

    It starts with the files of the folder `shared`; on exit, its new files are moved there.
    """
    private = _make_folder(shared)
    try:
        if private is not None:
            _link_stored(shared, private)
        yield private
        if private is not None:
            _store_new(shared, private)
    finally:
        if private is not None:
            shutil.rmtree(private, ignore_errors=True)


def _make_folder(shared: Path) -> Path | None:
    """Make a folder in `shared`, so that a rename moves files; a temporary one if that is read-only."""
    with suppress(OSError):
        shared.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=shared))
    with suppress(OSError):
        return Path(tempfile.mkdtemp(prefix="esclip-")) if shared.is_dir() else None
    return None


def _link_stored(shared: Path, private: Path) -> None:
    with suppress(OSError):
        for file in shared.iterdir():
            name = _NAME.fullmatch(file.name)
            if name and not file.is_symlink() and file_sha256(file) == name["digest"]:
                link = private / f"{name['id']}.blob"
                with suppress(OSError):  # on Windows, links need a privilege
                    link.symlink_to(file.resolve())


def _store_new(shared: Path, private: Path) -> None:
    """Move the files that OpenVINO wrote, replacing those that it rejected."""
    with suppress(OSError):
        for file in private.glob("*.blob"):
            if file.is_symlink():
                continue
            target = shared / f"{file.stem}-{file_sha256(file)}.blob"
            file.replace(target)
            for old in shared.glob(f"{file.stem}-*.blob"):
                if old != target:
                    old.unlink()
            file_sha256(target)  # caches the hash for the next process
