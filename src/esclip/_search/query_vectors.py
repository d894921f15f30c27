"""Query vectors: a vector for each clause of a query, and their weighted sum.

texts ──────────────────┐
images ─────────────────┼─► a vector for each clause ─► sum of weight x vector ─► unit length ─► QueryVector
stored images · vectors ┘
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from esclip._core.types import ScoreDetail, Vector, Vectors, cosines, unit_rows
from esclip._errors import DocumentNotFound, EncoderError
from esclip._protocols import Encoder, Store
from esclip._search.query import ImageQuery, SimilarTo, Text, VectorClause, VectorQuery
from esclip._search.query_image import open_image


class NoDirection(EncoderError):
    """The clauses of a query have no common direction: another query has one."""


@dataclass(frozen=True, slots=True, eq=False)
class QueryVector:
    """The weighted sum of the vectors of a query's clauses."""

    vector: Vector
    """Of unit length, shape (dim,)."""
    clauses: tuple[VectorClause, ...]
    clause_vectors: Vectors
    """Shape (clauses, dim)."""
    length: float
    """Of the sum, before scaling."""

    @property
    def name(self) -> str:
        """The clauses in words."""
        return " + ".join(str(c) if c.weight == 1 else f"{c.weight:g} {c}" for c in self.clauses)

    def explain(self, vector: Vector) -> tuple[ScoreDetail, ...]:
        """What each clause adds to the cosine of the query vector with a vector."""
        scores = cosines(self.clause_vectors, vector).tolist()
        return tuple(
            ScoreDetail(str(clause), clause.weight, score, None, clause.weight * score / self.length)
            for clause, score in zip(self.clauses, scores, strict=True)
        )


def embed_queries(
    queries: Sequence[Sequence[VectorClause]], dim: int, encoder: Callable[[], Encoder], store: Store
) -> list[QueryVector | None]:
    """The vector of each query's clauses, None without clauses; all texts and images are encoded together.

    `encoder` is called only where there is something to encode. Raises `DocumentNotFound` for an id that the
    store lacks, `FetchError` or `DecodeError` for an image that can't be read, `NoDirection` for a sum that
    has none, `ValueError` for a vector of another shape.
    """
    vectors = _embed_clauses([clause for clauses in queries for clause in clauses], dim, encoder, store)
    return [_sum(clauses, list(islice(vectors, len(clauses)))) if clauses else None for clauses in queries]


def _embed_clauses(
    clauses: Sequence[VectorClause], dim: int, encoder: Callable[[], Encoder], store: Store
) -> Iterator[Vector]:
    """A vector for each clause, in order."""
    text_vectors = _embed_texts([clause.text for clause in clauses if isinstance(clause, Text)], encoder)
    image_vectors = _embed_images([c for c in clauses if isinstance(c, ImageQuery)], encoder)
    stored_vectors = _read_vectors([clause.id for clause in clauses if isinstance(clause, SimilarTo)], store)
    for clause in clauses:
        match clause:
            case Text(text):
                yield text_vectors[text]
            case ImageQuery():
                yield next(image_vectors)
            case SimilarTo(id):
                yield stored_vectors[id]
            case VectorQuery():
                yield _given_vector(clause, dim)


def _embed_texts(texts: Sequence[str], encoder: Callable[[], Encoder]) -> dict[str, Vector]:
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, encoder().encode_texts(distinct), strict=True)) if distinct else {}


def _embed_images(clauses: Sequence[ImageQuery], encoder: Callable[[], Encoder]) -> Iterator[Vector]:
    images = [encoder().preprocess(open_image(clause.image)) for clause in clauses]
    return iter(encoder().encode_images(images) if images else ())


def _read_vectors(ids: Sequence[str], store: Store) -> Mapping[str, Vector]:
    distinct = list(dict.fromkeys(ids))
    documents = store.documents(distinct) if distinct else {}
    if missing := [id for id in distinct if id not in documents]:
        raise DocumentNotFound(
            f"index {store.index!r} in {store.address} has no document with the id {missing[0]!r}; "
            "an id is as searches print it",
            id=missing[0],
        )
    return {id: document.vector for id, document in documents.items()}


def _given_vector(clause: VectorQuery, dim: int) -> Vector:
    vector = np.asarray(clause.vector, dtype=np.float64)
    if vector.shape != (dim,):
        raise ValueError(f"the vector's shape is {vector.shape}, not ({dim},)")
    row: Vector = unit_rows([vector])[0]
    return row


def _sum(clauses: Sequence[VectorClause], vectors: Sequence[Vector]) -> QueryVector:
    rows = np.stack(vectors)
    weights = np.array([clause.weight for clause in clauses])
    total = weights @ rows.astype(np.float64)
    length = float(np.linalg.norm(total))
    # vectors that cancel out leave rounding errors, whose direction is random
    if not length > 1e-6 * np.abs(weights).sum():
        raise NoDirection("the query has no direction: its parts cancel out, or its vector is not finite")
    return QueryVector(unit_rows([total])[0], tuple(clauses), rows, length)
