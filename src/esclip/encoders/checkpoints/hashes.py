"""The hash of a file's bytes, noted down where the file is large.

Which weights a model has is asked by every search, and reading half a gigabyte takes as long as the search.
A note holds for a file of one size, inode and times. The time of the last change of its inode can't be set by
who changes a file, only by the system's clock, so a file that was changed and dated back is read anew. Where
that time isn't kept (Windows) the time of the last write has to do.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

from esclip._core.settings import hash_notes
from esclip._files.atomic import write_atomically

__all__ = ["file_sha256"]

_MIN_NOTED_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes; of a large one noted down, until it changes. Raises `OSError`."""
    file = path.resolve()
    if _is_hub_blob(file):
        return file.name
    about = file.stat()
    note = hash_notes() / hashlib.sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    seen = f"{about.st_size} {about.st_mtime_ns} {about.st_ctime_ns} {about.st_ino}"
    if about.st_size < _MIN_NOTED_BYTES:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    with suppress(OSError, ValueError):
        known, _, digest = note.read_text("ascii").rpartition(" ")
        if known == seen and _SHA256.fullmatch(digest):
            return digest
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with suppress(OSError):
        write_atomically(note, f"{seen} {digest}".encode())
    return digest


def _is_hub_blob(file: Path) -> bool:
    """Whether it is a large file of the Hugging Face cache; elsewhere such a name says nothing."""
    if file.parent.name != "blobs" or not _SHA256.fullmatch(file.name):
        return False
    from huggingface_hub import constants

    return file.is_relative_to(Path(constants.HF_HUB_CACHE).resolve())
