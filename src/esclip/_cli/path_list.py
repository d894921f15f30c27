"""Paths and URLs on standard input, for `ingest -`: one a line, or with NUL between, as by `find -print0`."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from esclip._errors import ConfigError, error_text
from esclip._files.text import CHUNK, NotText, detect_encoding, text_lines

STDIN = "-"

MAX_NAME_BYTES = 1 << 16
"""Of a name that a NUL ends; no system has longer ones."""


def read_path_list() -> Iterator[str]:
    """The names on standard input as they arrive; empty ones are left out.

    Raises `ConfigError` for what can't be read, or is no text where a line holds a name.
    """
    try:
        raw: Any = sys.stdin.buffer
        stream: Any = io.BufferedReader(raw, CHUNK)  # which can be looked into, whatever it reads from
        beginning = stream.peek(CHUNK)
        is_marked = detect_encoding(beginning[:4]) != "utf-8"  # UTF-16 has NULs of its own
        names = _between_nuls(stream) if b"\0" in beginning and not is_marked else text_lines(stream)
        yield from (name for name in names if name.strip())
    except NotText as error:
        raise ConfigError(
            f"paths on standard input: {error}; names of any bytes may have NUL between, as from find -print0"
        ) from error
    except OSError as error:
        raise ConfigError(f"paths on standard input can't be read: {error_text(error)}") from error


def _between_nuls(stream: io.BufferedIOBase) -> Iterator[str]:
    rest, more = b"", True
    while more:
        chunk = stream.read1(CHUNK)
        more = bool(chunk)
        *names, rest = (rest + chunk).split(b"\0")
        yield from map(os.fsdecode, names)
        if len(rest) > MAX_NAME_BYTES:
            raise NotText(f"a name is longer than {MAX_NAME_BYTES:,} bytes")
    if rest:
        yield os.fsdecode(rest)
