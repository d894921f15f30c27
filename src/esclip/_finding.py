"""Queries become vectors, vectors hits: all texts of all queries are encoded together, and searched at once.

Query ... ─► parts ─► vectors, each once ─► weighted sums ─► Store.search ─► Hits ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from esclip._errors import DocumentNotFound, EncoderError
from esclip._filters import conditions
from esclip._hits import Hits
from esclip._looking import Looker, check_looks
from esclip._protocols import Encoder, Store
from esclip._queries import Part, Picture, Query, Raw, Stored, Text
from esclip._query_image import open_image
from esclip._schema import IndexSchema
from esclip._searches import Nearest
from esclip._types import Hit, Vector, Vectors, unit_rows

__all__ = ["find"]


def find(
    queries: Sequence[Query],
    schema: IndexSchema,
    encoder: Callable[[], Encoder],
    store: Store,
    parts_store: Callable[[], Store],
) -> list[Hits]:
    """The hits of each query. `encoder` is asked for only where there is something to encode.

    Raises `ConfigError` for a filter that doesn't fit and for parts that the index lacks, `DocumentNotFound`
    for an id that isn't held, `FetchError` or `DecodeError` for a picture that can't be had, `EncoderError`
    for a sum without direction.
    """
    looks = [query.look for query in queries]
    check_looks(looks, schema, store.index)
    wheres = [conditions(query.where, schema.fields) for query in queries]  # before anything is encoded
    parts = [part for query in queries for part in query.parts]
    vectors = _encoded(parts, encoder) | _held(parts, store, schema.space.dim)
    searches = [
        Nearest(_direction(query, vectors), _depth(query), where)
        for query, where in zip(queries, wheres, strict=True)
    ]
    found = Looker(store, parts_store).search(searches, looks) if searches else []
    return [_page(query, hits) for query, hits in zip(queries, found, strict=True)]


def _encoded(parts: Sequence[Part], encoder: Callable[[], Encoder]) -> dict[int, Vector]:
    """The vectors of texts and pictures, by the part's identity; equal texts are encoded once."""
    texts = list(dict.fromkeys(part.text for part in parts if isinstance(part, Text)))
    pictures = [part for part in parts if isinstance(part, Picture)]
    known = dict(zip(texts, encoder().encode_texts(texts), strict=True)) if texts else {}
    vectors = {id(part): known[part.text] for part in parts if isinstance(part, Text)}
    if pictures:
        images = [encoder().preprocess(open_image(part.image)) for part in pictures]
        rows: Vectors = encoder().encode_images(images)
        vectors |= {id(part): row for part, row in zip(pictures, rows, strict=True)}
    return vectors


def _held(parts: Sequence[Part], store: Store, dim: int) -> dict[int, Vector]:
    """The vectors of stored pictures, and those that were given."""
    asked = list(dict.fromkeys(part.id for part in parts if isinstance(part, Stored)))
    held = store.documents(asked) if asked else {}
    if missing := [id for id in asked if id not in held]:
        raise DocumentNotFound(f"Index {store.index} in {store.address} has no document {missing[0]!r}")
    vectors = {id(part): held[part.id].vector for part in parts if isinstance(part, Stored)}
    for part in parts:
        if isinstance(part, Raw):
            given = np.asarray(part.vector, dtype=np.float64)
            if given.shape != (dim,):
                raise ValueError(f"the vector's shape is {given.shape}, not ({dim},)")
            (vectors[id(part)],) = unit_rows([given])
    return vectors


def _direction(query: Query, vectors: Mapping[int, Vector]) -> Vector:
    """The sum of the parts' vectors times their weights, at unit length."""
    summed = sum(part.weight * vectors[id(part)].astype(np.float64) for part in query.parts)
    # what cancels out leaves rounding errors, which point anywhere
    lengthy = float(np.linalg.norm(summed)) > 1e-6 * sum(abs(part.weight) for part in query.parts)
    if not lengthy:
        raise EncoderError("the query has no direction: its parts cancel out, or its vector is not finite")
    return unit_rows([np.asarray(summed)])[0]  # type: ignore[no-any-return]  # an item of an array is Any


def _depth(query: Query) -> int:
    """How many hits to ask for, so that enough are left."""
    return query.offset + query.k + len({part.id for part in query.parts if isinstance(part, Stored)})


def _page(query: Query, hits: Sequence[Hit]) -> Hits:
    """The hits that were asked for, ranked among all that there are."""
    asked = {part.id for part in query.parts if isinstance(part, Stored)}
    kept = [hit for hit in hits if hit.id not in asked and hit.score >= query.min_score]
    hits = [replace(hit, rank=rank) for rank, hit in enumerate(kept, start=1)]
    return Hits(hits[query.offset : query.offset + query.k])
