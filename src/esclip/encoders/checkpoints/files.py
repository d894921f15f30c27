"""The small files of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from esclip._errors import map_errors
from esclip._files.regular import open_regular
from esclip.encoders.loading import MODEL_ERRORS

__all__ = ["read_json"]

MAX_CONFIG_BYTES = 1 << 24
"""Bytes of a config file; they have a few thousand."""


def read_json(path: Path, kind: type[Any] = dict) -> Any:
    """A config file, or an empty one where it isn't there. Raises `EncoderError` when it is broken."""
    if not path.exists():
        return kind()
    with map_errors(MODEL_ERRORS, f"file {path}", "can't be read"):
        with open_regular(path) as file:
            read = file.read(MAX_CONFIG_BYTES + 1)
        if len(read) > MAX_CONFIG_BYTES:
            raise ValueError(f"more than {MAX_CONFIG_BYTES} bytes")
        data = orjson.loads(read)
        if not isinstance(data, kind):
            raise TypeError(f"no {kind.__name__}")
    return data
