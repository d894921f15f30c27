"""The engines, their versions, and how scores and vectors are written in their JSON, as pure functions.

    score_to_cosine  ◄─ a hit's _score    of a kNN search, whose body is in `stores.engine.queries`
    encode_vector    ─► numbers | base64 ─► _source ─► decode_vectors

Both scores are `(1 + cosine) / 2`. Bodies of indexes are in `stores.engine.index_body`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from esclip._core.types import Vector, unit_rows

REFRESH_OFF = "-1"
"""The refresh interval during a bulk load."""

PACKED = np.dtype(">f4")
"""The numbers in a vector's base64."""


class Engine(Enum):
    """The two engines that speak these dialects."""

    OPENSEARCH = "OpenSearch"
    ELASTICSEARCH = "Elasticsearch"


VECTOR_TYPES = {Engine.OPENSEARCH: "knn_vector", Engine.ELASTICSEARCH: "dense_vector"}
"""The type of a field of vectors."""


@dataclass(frozen=True, slots=True)
class Server:
    """An engine with its version."""

    engine: Engine
    version: str
    """Empty where the user may not read it."""

    def __str__(self) -> str:
        return f"{self.engine.value} {self.version}".rstrip()

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version; 0.0 where unknown."""
        if not self.version:
            return 0, 0
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def supported(self) -> bool:
        """Whether requests and scores are tested: OpenSearch from 2.19, Elasticsearch from 8."""
        return self.release >= ((2, 19) if self.engine is Engine.OPENSEARCH else (8, 0))

    @property
    def unpacks_vectors(self) -> bool:
        """Whether it accepts vectors in base64: less than half as long, and faster to parse."""
        return self.engine is Engine.ELASTICSEARCH and bool(self.version) and self.release >= (9, 3)


def score_to_cosine(score: float) -> float:
    """The cosine that a hit's `_score` encodes."""
    return min(1.0, max(-1.0, 2 * score - 1))


def encode_vector(server: Server, vector: Vector) -> Vector | str:
    """A vector in the JSON that its engine parses fastest: numbers, or base64."""
    return base64.b64encode(vector.astype(PACKED).tobytes()).decode() if server.unpacks_vectors else vector


def decode_vectors(values: Sequence[Sequence[float] | str], dim: int) -> Sequence[Vector]:
    """The vectors of some `_source`s. Raises `ValueError` or `TypeError` for what isn't `dim` numbers."""
    if not values:
        return ()
    rows = [_decode_vector(value) for value in values]
    if wrong := next((row for row in rows if row.shape != (dim,)), None):
        raise ValueError(f"a vector of shape {wrong.shape}, not ({dim},)")
    with np.errstate(over="ignore"):  # a number out of range gives a row of NaN
        return list(unit_rows(rows))


def _decode_vector(value: Sequence[float] | str) -> npt.NDArray[Any]:
    """An index created before Elasticsearch 9.2 gives back what it was sent."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), PACKED)
    return np.array(value, dtype=np.float64)
