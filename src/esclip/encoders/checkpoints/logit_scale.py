"""The logit scale, a model's factor for cosines before a softmax, read from its weights without loading them.

CLIP learns its logarithm as a scalar tensor (arXiv:2103.00020, section 2.5 and figure 3); later models do so
under the same name.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

LOGIT_SCALE = 100.0
"""CLIP's: its training clipped the scale there, and all of its models reached it."""

_NAME = "logit_scale"
_MAX_HEADER_BYTES = 100 << 20
"""The limit of safetensors itself."""
_MAX_SCALAR_BYTES = 8
_FORMATS = {"F64": "<d", "F32": "<f", "F16": "<e"}
MAX_LOGIT_SCALE = 1e4
"""No training reaches more: a higher number is another tensor's, or of a broken file."""


def read_logit_scale(files: Iterable[Path]) -> float:
    """Read the scale from the first file that has one; CLIP's where none has, or none is readable."""
    scales = (_read_scale(file) for file in files if file.suffix == ".safetensors")
    return next((scale for scale in scales if scale is not None), LOGIT_SCALE)


def _read_scale(path: Path) -> float | None:
    """Read a safetensors file: 8 bytes length, a JSON header, the tensors' bytes (safetensors, "Format")."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _MAX_HEADER_BYTES:
                return None
            header: dict[str, Any] = orjson.loads(file.read(length))
            entry = next((header[name] for name in header if name.rpartition(".")[2] == _NAME), None)
            if entry is None:
                return None
            start, end = entry["data_offsets"]
            if not 0 < end - start <= _MAX_SCALAR_BYTES:
                return None
            file.seek(8 + length + start)
            scale = math.exp(_read_number(entry["dtype"], file.read(end - start)))
    except (OSError, OverflowError, LookupError, TypeError, ValueError, struct.error):
        return None
    return scale if 0 < scale <= MAX_LOGIT_SCALE else None


def _read_number(kind: str, data: bytes) -> float:
    if kind == "BF16":  # the upper half of a float32
        kind, data = "F32", b"\0\0" + data
    (number,) = struct.unpack(_FORMATS[kind], data)
    return float(number)
