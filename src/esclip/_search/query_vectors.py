"""Where queries point: the parts of each become vectors, and these one vector.

texts ────────────┐
pictures ─────────┼─► vectors, each once ─► sum of weight x vector ─► unit length ─► QueryVector
stored · vectors ─┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from esclip._core.types import ScoreDetail, Vector, Vectors, cosines, unit_rows
from esclip._errors import DocumentNotFound, EncoderError
from esclip._protocols import Encoder, Store
from esclip._search.query import ImageQuery, SimilarTo, Text, VectorClause, VectorQuery
from esclip._search.query_image import open_image

__all__ = ["QueryVector", "embed_queries"]


@dataclass(frozen=True, slots=True, eq=False)
class QueryVector:
    """The sum of some parts' vectors times their weights."""

    vector: Vector
    """At unit length, shape (dim,)."""
    parts: tuple[VectorClause, ...]
    vectors: Vectors
    """A row a part."""
    length: float
    """Of the sum."""

    @property
    def name(self) -> str:
        """The parts in words."""
        return " + ".join(str(part) if part.weight == 1 else f"{part.weight:g} {part}" for part in self.parts)

    def explain(self, vector: Vector) -> tuple[ScoreDetail, ...]:
        """What each part adds to the cosine with a vector; all together, they are it."""
        scores = cosines(self.vectors, vector).tolist()
        return tuple(
            ScoreDetail(str(part), part.weight, score, None, part.weight * score / self.length)
            for part, score in zip(self.parts, scores, strict=True)
        )


def embed_queries(
    queries: Sequence[Sequence[VectorClause]], dim: int, encoder: Callable[[], Encoder], store: Store
) -> list[QueryVector | None]:
    """Where the parts of each query point, None for none; all texts and pictures are encoded together.

    `encoder` is asked for only where there is something to encode. Raises `DocumentNotFound` for an id that
    isn't held, `FetchError` or `DecodeError` for a picture that can't be had, `EncoderError` for a sum
    without direction, `ValueError` for a vector of another shape.
    """
    parts = [part for query in queries for part in query]
    vectors = _encoded(parts, encoder) | _held(parts, store, dim)
    return [_direction(query, vectors) if query else None for query in queries]


def _encoded(parts: Sequence[VectorClause], encoder: Callable[[], Encoder]) -> dict[int, Vector]:
    """The vectors of texts and pictures, by the part's identity; equal texts are encoded once."""
    texts = list(dict.fromkeys(part.text for part in parts if isinstance(part, Text)))
    pictures = [part for part in parts if isinstance(part, ImageQuery)]
    known = dict(zip(texts, encoder().encode_texts(texts), strict=True)) if texts else {}
    vectors = {id(part): known[part.text] for part in parts if isinstance(part, Text)}
    if pictures:
        images = [encoder().preprocess(open_image(part.image)) for part in pictures]
        rows: Vectors = encoder().encode_images(images)
        vectors |= {id(part): row for part, row in zip(pictures, rows, strict=True)}
    return vectors


def _held(parts: Sequence[VectorClause], store: Store, dim: int) -> dict[int, Vector]:
    """The vectors of stored pictures, and those that were given."""
    asked = list(dict.fromkeys(part.id for part in parts if isinstance(part, SimilarTo)))
    held = store.documents(asked) if asked else {}
    if missing := [id for id in asked if id not in held]:
        raise DocumentNotFound(
            f"Index {store.index} in {store.address} has no document with the id {missing[0]!r}."
        )
    vectors = {id(part): held[part.id].vector for part in parts if isinstance(part, SimilarTo)}
    for part in parts:
        if isinstance(part, VectorQuery):
            given = np.asarray(part.vector, dtype=np.float64)
            if given.shape != (dim,):
                raise ValueError(f"the vector's shape is {given.shape}, not ({dim},)")
            (vectors[id(part)],) = unit_rows([given])
    return vectors


def _direction(parts: Sequence[VectorClause], vectors: Mapping[int, Vector]) -> QueryVector:
    rows = np.stack([vectors[id(part)] for part in parts])
    weights = np.array([part.weight for part in parts])
    summed = weights @ rows.astype(np.float64)
    length = float(np.linalg.norm(summed))
    # what cancels out leaves rounding errors, which point anywhere
    if not length > 1e-6 * np.abs(weights).sum():
        raise EncoderError("the query has no direction: its parts cancel out, or its vector is not finite")
    return QueryVector(unit_rows([summed])[0], tuple(parts), rows, length)
