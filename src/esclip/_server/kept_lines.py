"""What people decide about an index, in a file beside its ledger: a JSON object a line, added at the end.

A line is written by one call: a kill leaves it out, or cut off at the end. What can't be read is skipped: the
folder of an index may come from a stranger.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from esclip._errors import StoreError, error_text
from esclip._files.regular import open_regular

MAX_BYTES = 256 << 20
"""Of a file that is read."""

_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Without following a link."""


class KeptLines:
    """The lines of a file, which other processes may add to, too. Not thread-safe.

    Methods raise `StoreError` when the file can't be used.
    """

    def __init__(self, path: Path | None, what: str) -> None:
        """`what` the lines are, for errors; without a path nothing is written."""
        self._path = path
        self._what = what
        self._read_bytes = 0
        """Of the file, when it was read."""

    def read(self) -> list[Any] | None:
        """All lines as values; None where nothing was written since they were read."""
        if self._path is None:
            return None
        try:
            size = self._path.stat().st_size if self._path.exists() else 0
            if size == self._read_bytes:
                return None
            values = _values_of(self._path) if size else []
            self._read_bytes = size
        except OSError as error:
            raise self._failed(error) from error
        return values

    def append(self, value: Mapping[str, Any]) -> None:
        """Write one more line."""
        if self._path is None:
            return
        line = orjson.dumps(value) + b"\n"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(self._path, _APPEND, 0o666), "a+b", buffering=0) as file:
                end = file.seek(0, 2)
                file.seek(max(end - 1, 0))
                is_cut_off = end > 0 and file.read(1) != b"\n"
                written = (b"\n" if is_cut_off else b"") + line
                if file.write(written) != len(written):
                    raise OSError("the disk is full")
        except OSError as error:
            raise self._failed(error) from error
        if self._read_bytes == end:
            self._read_bytes += len(written)

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self._what}, {self._path}, can't be used ({error_text(error)}); make sure that there is room "
            "for them and that they can be written"
        )


def _values_of(path: Path) -> list[Any]:
    values = []
    with open_regular(path) as file:
        for line in file.read(MAX_BYTES).split(b"\n"):
            with suppress(orjson.JSONDecodeError):
                values.append(orjson.loads(line))
    return values
