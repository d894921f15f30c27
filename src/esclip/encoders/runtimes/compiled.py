"""Compiled towers on disk, shared by processes that may start at the same time.

    compiled/<id>-<hash>.blob ─► those with that hash, linked into a private folder ─► OpenVINO
                          ▲                                                              │
                          └──────────── renamed ◄─── what it had to compile anew ◄───────┘

OpenVINO writes what it compiles in place, and maps what it finds into memory: a process that maps a file is
killed (SIGBUS) when another one cuts and writes it. So it never sees the shared folder. The hash in the name
is checked before use: what a file says is run as it stands.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from esclip._files.atomic import UNFINISHED
from esclip.encoders.checkpoints.hashes import file_sha256

__all__ = ["private_cache"]

_NAME = re.compile(r"(?P<id>[0-9]+)-(?P<digest>[0-9a-f]{64})\.blob")


@contextmanager
def private_cache(kept: Path) -> Iterator[Path | None]:
    """Context manager: within it, a folder that OpenVINO may use as its `CACHE_DIR`; None: there is no room.

    It begins with what the folder `kept` holds; what is new in it at the end is moved to `kept`.
    """
    private = _new_folder(kept)
    try:
        if private is not None:
            _link_stored(kept, private)
        yield private
        if private is not None:
            _store_new(kept, private)
    finally:
        if private is not None:
            shutil.rmtree(private, ignore_errors=True)


def _new_folder(kept: Path) -> Path | None:
    """A folder beside what is kept, so that a rename moves files; a temporary one where nothing can be."""
    with suppress(OSError):
        kept.mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=kept))
    with suppress(OSError):
        return Path(tempfile.mkdtemp(prefix="esclip-")) if kept.is_dir() else None
    return None


def _link_stored(kept: Path, private: Path) -> None:
    with suppress(OSError):
        for file in kept.iterdir():
            named = _NAME.fullmatch(file.name)
            if named and not file.is_symlink() and file_sha256(file) == named["digest"]:
                link = private / f"{named['id']}.blob"
                with suppress(OSError):  # Windows lets not everybody make links
                    link.symlink_to(file.resolve())


def _store_new(kept: Path, private: Path) -> None:
    """Move what OpenVINO wrote, in place of what it had found unfit."""
    with suppress(OSError):
        for file in private.glob("*.blob"):
            if file.is_symlink():
                continue
            place = kept / f"{file.stem}-{file_sha256(file)}.blob"
            file.replace(place)
            for other in kept.glob(f"{file.stem}-*.blob"):
                if other != place:
                    other.unlink()
            file_sha256(place)  # noted for the next process
