"""Queries as a search service takes them: parts with weights, a filter, options other than the defaults.

Query ─► its pictures read here, never by the service ─► {"parts": [...], "where": ..., "k": ...}
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, TypeVar, assert_never

import numpy as np

from esclip._client.connection import can_be_id
from esclip._core.filters import Prefix
from esclip._core.options import resolve
from esclip._errors import DocumentNotFound, EncoderError, one_line
from esclip._search.filter_text import value_text
from esclip._search.options import QueryOptions, Where
from esclip._search.query import Clause, ImageQuery, Keywords, Query, SimilarTo, Text, VectorQuery
from esclip._search.query_image import image_bytes, open_image
from esclip._search.where import normalize_where

T = TypeVar("T")

_PICTURE_NAME = re.compile(r"\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|heic)$", re.IGNORECASE)

log = logging.getLogger("esclip")


def render_query(query: Query) -> dict[str, Any]:
    """A query as the body of a search. Raises as `open_image` for a picture that can't be read."""
    defaults: Mapping[str, Any] = {**resolve(QueryOptions, {}), "where": ()}
    options = {name: value for name, value in query.options.items() if value != defaults[name]}
    if "where" in options:
        options["where"] = _render_where(options["where"])
    return {"parts": [_render_clause(clause) for clause in query.clauses], **options}


def where_expressions(where: Where | None) -> list[str]:
    """A filter as expressions, all of which must hold: for parameters of a URL."""
    normalized = normalize_where(where)
    if isinstance(normalized, str):
        return [normalized]
    if not isinstance(normalized, Mapping):
        return list(normalized)
    return [f"{name}={','.join(_as_expression(values))}" for name, values in normalized.items()]


def warn_of_paths(inputs: Iterable[T]) -> Iterator[T]:
    """The inputs; logs the first text that CLIP-as-service would have read as a picture's place."""
    is_told = False
    for one in inputs:
        if not is_told and isinstance(one, str) and _PICTURE_NAME.search(one):
            is_told = True
            given = one_line(one, 80)
            log.warning("%r is taken as a text; a picture is Path(%r), or Document(uri=%r)", *[given] * 3)
        yield one


def check_pictures(queries: Iterable[Query]) -> None:
    """Decode the pictures of queries of which a service can't decode one. Raises an error that names it."""
    for query in queries:
        for clause in query.clauses:
            if isinstance(clause, ImageQuery):
                open_image(clause.image)


def render_picture(data: bytes) -> str:
    """A picture's bytes in base64."""
    return base64.b64encode(data).decode()


def _render_clause(clause: Clause) -> dict[str, Any]:
    match clause:
        case Text(text, weight):
            return {"text": text, "weight": weight}
        case Keywords(text, weight):
            return {"words": text, "weight": weight}
        case SimilarTo(id, weight):
            if not can_be_id(id):
                raise DocumentNotFound(f"no document has the id {id!r}", id=id)
            return {"id": id, "weight": weight}
        case VectorQuery(vector, weight):
            return {"vector": _render_vector(vector), "weight": weight}
        case ImageQuery(image, weight):
            return {"image": render_picture(image_bytes(image)), "weight": weight}
        case _:
            assert_never(clause)


def _render_vector(vector: Any) -> list[float]:
    numbers = np.asarray(vector, dtype=np.float64)
    if numbers.ndim != 1:
        raise ValueError(f"the vector's shape is {numbers.shape}, not (dimensions of the index,)")
    if not np.isfinite(numbers).all():
        raise EncoderError("the query has no direction: its vector is not finite")
    values: list[float] = numbers.tolist()
    return values


def _render_where(where: Any) -> Any:
    """A filter as JSON has it: expressions, or values by field name."""
    if isinstance(where, str):
        return where
    if not isinstance(where, Mapping):
        return list(where)
    if any(isinstance(value, Prefix) for values in where.values() for value in values):
        return where_expressions(where)
    return {
        name: [value.isoformat() if isinstance(value, date) else value for value in values]
        for name, values in where.items()
    }


def _as_expression(values: Iterable[Any]) -> Iterator[str]:
    """Values of a filter in an expression; a text in quotes, in which no character has a meaning."""
    for value in values:
        if isinstance(value, Prefix):
            yield f"{_quote(value.text)}*"
        else:
            yield _quote(value) if isinstance(value, str) else value_text(value)


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
