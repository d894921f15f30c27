"""Documents for the store tests: one field of every type, small vectors, nothing random unless asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from esclip._core.filters import Condition, OneOf
from esclip._core.schema import Field, FieldType, IndexSchema, Space
from esclip._core.searches import KnnSearch
from esclip._core.types import (
    GeoPoint,
    Hit,
    ImageRecord,
    Metadata,
    MetadataValue,
    StoredDocument,
    Vector,
    Vectors,
    unit_rows,
)
from esclip._protocols import Store

DIM = 16

SPACE = Space(model="tests", text_model="tests", weights="sha256:1", preprocessing="none", dim=DIM)

FIELDS = (
    Field("country", FieldType.KEYWORD),
    Field("colors", FieldType.KEYWORDS),
    Field("caption", FieldType.TEXT),
    Field("likes", FieldType.INTEGER),
    Field("aperture", FieldType.FLOAT),
    Field("featured", FieldType.BOOLEAN),
    Field("taken_at", FieldType.DATE),
    Field("place", FieldType.GEO_POINT),
)

SCHEMA = IndexSchema(SPACE, FIELDS)

EVERYTHING: Metadata = {
    "country": "Côte d'Ivoire",
    "colors": ("red", "dark green", 'a "quoted" one'),
    "caption": "two dogs,\na 'cat'\tand \\ an 🐘",
    "likes": 2**62 + 1,
    "aperture": 2.8,
    "featured": False,
    "taken_at": datetime(2021, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC),
    "place": GeoPoint(-33.8567844, 151.2152967),
}
"""A value for every field, of the kinds that get lost on the way."""


def axis(i: int, dim: int = DIM) -> Vector:
    """The unit vector along axis i."""
    vector = np.zeros(dim, dtype=np.float32)
    vector[i] = 1
    return vector


def random_vectors(n: int, seed: int, dim: int = DIM) -> Vectors:
    """Unit rows that point everywhere."""
    return unit_rows(np.random.default_rng(seed).standard_normal((n, dim)))


def record(id: str, metadata: Metadata | None = None, **changes: Any) -> ImageRecord:
    """A record that has all but metadata."""
    location = f"https://images.example.org/{id}"
    values: dict[str, Any] = {
        "location": location,
        "picture": location,
        "image_version": "1",
        "page": f"https://example.org/photos/{id}",
        "description": f"picture {id}",
    }
    return ImageRecord(id, **(values | changes), metadata=metadata or {})


def document(id: str, vector: Vector | None = None, metadata: Metadata | None = None) -> StoredDocument:
    """A document; its vector is the first axis unless given."""
    return StoredDocument(record(id, metadata), axis(0) if vector is None else vector)


def where(name: str, value: str | int | float | bool | datetime) -> Condition:
    """A condition on one of `FIELDS`."""
    return OneOf(next(field for field in FIELDS if field.name == name), (value,))


def nearest(
    store: Store, vector: Vector, k: int, where: Sequence[Condition] = (), *, exact: bool = False
) -> list[Hit]:
    """One search of the store."""
    (hits,) = store.search(KnnSearch(vector, k, tuple(where), exact))
    return hits


def random_documents(n: int, seed: int, dim: int = DIM) -> list[StoredDocument]:
    """Documents `d0000`, `d0001`, ... with random vectors and some of the metadata."""
    rng = np.random.default_rng(seed)
    vectors = random_vectors(n, seed + 1, dim)
    return [StoredDocument(record(f"d{i:04}", _random_metadata(rng)), vectors[i]) for i in range(n)]


def _random_metadata(rng: np.random.Generator) -> Metadata:
    colors = ("red", "green", "blue", "black")
    values: dict[str, MetadataValue] = {
        "country": str(rng.choice(["Norway", "Chile", "O'Land"])),
        "colors": tuple(color for color in colors if rng.random() < 0.4) or ("white",),
        "caption": "some words",
        "likes": int(rng.integers(0, 5)),
        "aperture": float(rng.choice([1.4, 2.8, 4.0])),
        "featured": bool(rng.random() < 0.5),
        "taken_at": datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=int(rng.integers(0, 4))),
    }
    return {name: value for name, value in values.items() if rng.random() < 0.8}
