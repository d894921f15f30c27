"""Files of a model: configs read within bounds, and hashes of their bytes.

Every search needs the hash of the model's weights, and reading half a gigabyte takes as long as the search.
So the hash of a large file is cached in a note, valid for one size, inode, time of modification and time of
inode change. Programs can't set that last one, so a file that was changed and dated back is hashed anew.
Windows doesn't keep it; there the time of modification has to do.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from esclip._core.settings import hash_notes
from esclip._errors import map_errors
from esclip._files.atomic import write_atomically
from esclip._files.regular import open_regular
from esclip.encoders.loading import MODEL_ERRORS

MAX_CONFIG_BYTES = 1 << 24
"""Configs have a few thousand."""

_MIN_NOTED_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_json(path: Path, kind: type[Any] = dict) -> Any:
    """Read a config file; an empty `kind` where there is none. Raises `EncoderError` for a broken one."""
    if not path.exists():
        return kind()
    with map_errors(MODEL_ERRORS, f"file {path}", "can't be read"):
        with open_regular(path) as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
        if len(content) > MAX_CONFIG_BYTES:
            raise ValueError(f"more than {MAX_CONFIG_BYTES} bytes")
        data = orjson.loads(content)
        if not isinstance(data, kind):
            raise TypeError(f"no {kind.__name__}")
    return data


def file_sha256(path: Path) -> str:
    """Hash a file's bytes, or read the cached hash of a large file. Raises `OSError`."""
    file = path.resolve()
    if _is_hub_blob(file):
        return file.name
    status = file.stat()
    if status.st_size < _MIN_NOTED_BYTES:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    note = hash_notes() / hashlib.sha256(str(file).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    state = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
    with suppress(OSError, ValueError):
        noted_state, _, digest = note.read_text("ascii").rpartition(" ")
        if noted_state == state and _SHA256.fullmatch(digest):
            return digest
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    with suppress(OSError):
        write_atomically(note, f"{state} {digest}".encode())
    return digest


def _is_hub_blob(file: Path) -> bool:
    """Whether it is a large file of the Hugging Face cache, named by its hash."""
    if file.parent.name != "blobs" or not _SHA256.fullmatch(file.name):
        return False
    from huggingface_hub import constants

    return file.is_relative_to(Path(constants.HF_HUB_CACHE).resolve())
