"""How an index is made: how it compares vectors, and how a cluster keeps it. What is None was not asked for.

options of an ingest ─► IndexSettings ─► Store.ensure_index ─► kept in the schema, beside the documents
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

FLOAT, INT8, BIT = "float", "int8", "bit"
VECTOR_LEVELS = (FLOAT, INT8, BIT)
"""How vectors are compared first, by what a number takes there; in an embedded index that is a byte for
`FLOAT` too, and five bits for `BIT`. Every store keeps the float32 vectors, and scores hits by them."""

BOUNDS: Mapping[str, tuple[int, int]] = {
    "shards": (1, 1024),
    "replicas": (0, 100),
    "refresh": (1, 86_400),
    "m": (2, 512),
    "ef_construction": (2, 3200),
}
"""What the whole numbers may be, both included: what engines take."""


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What an index is made with, beside its schema."""

    vectors: str | None = None
    """One of `VECTOR_LEVELS`."""
    shards: int | None = None
    """Primary shards, of a cluster."""
    replicas: int | None = None
    """Copies of each shard beside the primary."""
    refresh: int | None = None
    """Seconds until what is written is found."""
    m: int | None = None
    """Edges of a node in HNSW's graph."""
    ef_construction: int | None = None
    """Candidates for these edges."""

    @property
    def level(self) -> str:
        """How vectors are compared first."""
        return self.vectors or FLOAT

    def given(self) -> dict[str, Any]:
        """Those that were asked for, by name."""
        values = {name: getattr(self, name) for name in IndexSettings.__dataclass_fields__}
        return {name: value for name, value in values.items() if value is not None}

    def extended_by(self, later: IndexSettings) -> IndexSettings:
        """These, and what was asked for later in their place."""
        return replace(self, **later.given())

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> IndexSettings:
        """Those among some options. Raises `TypeError` or `ValueError` for values that none can have."""
        settings = cls(**{name: values.get(name) for name in cls.__dataclass_fields__})
        if settings.level not in VECTOR_LEVELS:
            raise ValueError(f"vectors is {settings.level!r:.80}, not one of {', '.join(VECTOR_LEVELS)}")
        for name, (least, most) in BOUNDS.items():
            value = getattr(settings, name)
            if value is not None and (type(value) is not int or not least <= value <= most):
                raise ValueError(f"{name} is {value!r:.80}, not a whole number from {least} to {most:,}")
        return settings


NO_SETTINGS = IndexSettings()
DEFAULTS = IndexSettings(FLOAT, shards=3, refresh=60, m=16, ef_construction=100)
"""Of an index in a cluster; it gets a replica where there is a second data node."""
