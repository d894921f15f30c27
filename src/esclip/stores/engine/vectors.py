"""A vector in an engine's JSON: as numbers, or packed where that is faster.

Vector ─► sent_vector ─► numbers | base64 ─► _source ─► kept_vectors ─► Vector
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from esclip._core.types import Vector, unit_rows
from esclip.stores.engine.dialects import Server

__all__ = ["decode_vectors", "encode_vector"]

PACKED = np.dtype(">f4")
"""What is inside the base64."""


def encode_vector(server: Server, vector: Vector) -> Vector | str:
    """A document's vector as its engine reads it fastest."""
    return base64.b64encode(vector.astype(PACKED).tobytes()).decode() if server.unpacks_vectors else vector


def decode_vectors(found: Sequence[Sequence[float] | str], dim: int) -> Sequence[Vector]:
    """The vectors of some `_source`s. Raises `ValueError` or `TypeError` for what isn't `dim` numbers."""
    if not found:
        return ()
    rows = [_kept_vector(one) for one in found]
    if wrong := next((row for row in rows if row.shape != (dim,)), None):
        raise ValueError(f"a vector of shape {wrong.shape}, not ({dim},)")
    with np.errstate(over="ignore"):  # a number beyond all bounds gives a row of NaN
        return list(unit_rows(rows))


def _kept_vector(found: Sequence[float] | str) -> npt.NDArray[Any]:
    """An index made before Elasticsearch 9.2 gives back what it was sent."""
    if isinstance(found, str):
        return np.frombuffer(base64.b64decode(found, validate=True), PACKED)
    return np.array(found, dtype=np.float64)
