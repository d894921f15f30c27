"""The small files of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from esclip.encoders._loading import model_errors

__all__ = ["read_json"]


def read_json(path: Path, kind: type[Any] = dict) -> Any:
    """A config file, or an empty one where it isn't there. Raises `EncoderError` when it is broken."""
    if not path.is_file():
        return kind()
    with model_errors(f"file {path}", "can't be read"):
        data = orjson.loads(path.read_bytes())
        if not isinstance(data, kind):
            raise TypeError(f"no {kind.__name__}")
    return data
