"""The hash of a file's bytes, noted down where the file is large.

Which weights a model has is asked by every search, and reading half a gigabyte takes as long as the search.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

from esclip._settings import hash_notes

__all__ = ["file_sha256"]

_WORTH_A_NOTE = 1 << 22
_SHA256 = re.compile(r"[0-9a-f]{64}")


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes; of a large one noted down, until its size or time changes."""
    file = path.resolve()
    if file.parent.name == "blobs" and _SHA256.fullmatch(file.name):
        return file.name  # the Hugging Face cache names large files by their hash
    about = file.stat()
    note = hash_notes() / hashlib.sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    seen = f"{about.st_size} {about.st_mtime_ns} {about.st_ino}"
    if about.st_size < _WORTH_A_NOTE:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    with suppress(OSError, ValueError):
        known, _, digest = note.read_text("ascii").rpartition(" ")
        if known == seen and _SHA256.fullmatch(digest):
            return digest
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        written = note.with_suffix(f".{os.getpid()}")
        written.write_text(f"{seen} {digest}", "ascii")
        written.replace(note)
    return digest
