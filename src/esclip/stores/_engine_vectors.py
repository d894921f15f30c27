"""A vector in an engine's JSON: as numbers, or packed where that is faster.

Vector ─► sent_vector ─► numbers | base64 ─► _source ─► kept_vector ─► numbers
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from esclip._types import Vector
from esclip.stores._dialects import Server

__all__ = ["kept_vector", "sent_vector"]

PACKED = np.dtype(">f4")
"""What is inside the base64."""


def sent_vector(server: Server, vector: Vector) -> Vector | str:
    """A document's vector as its engine reads it fastest."""
    return base64.b64encode(vector.astype(PACKED).tobytes()).decode() if server.unpacks_vectors else vector


def kept_vector(found: Sequence[float] | str) -> npt.NDArray[Any]:
    """A vector of a `_source`; an index made before Elasticsearch 9.2 gives back what it was sent."""
    return np.frombuffer(base64.b64decode(found), PACKED) if isinstance(found, str) else np.array(found)
