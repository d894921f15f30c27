"""Queries: clauses, a filter, and options.

Query ─┬─ vector clauses   Text · ImageQuery · SimilarTo · VectorQuery, each with a weight, maybe negative
       ├─ keywords         Keywords, with a weight
       ├─ where            filter
       └─ QueryOptions     page, targets, minimum score, ... (options.py)

The weighted sum of the vectors of the vector clauses is one search. Each `Keywords` is another, and so are
captions beside other targets. The rankings of several searches are fused. Without clauses, a query lists
documents by id.
"""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, Unpack

import numpy as np
import numpy.typing as npt
from PIL import Image

from esclip._core.arguments import (
    AnyId,
    AnyImage,
    coerce_id,
    coerce_image,
    coerce_text,
    wrong_kind,
)
from esclip._core.options import WEIGHT, resolve
from esclip._core.other_names import check_names
from esclip._core.targets import PICTURES, TEXTS, is_fused
from esclip._core.text_forms import is_unicode
from esclip._core.types import Hit
from esclip._errors import ConfigError
from esclip._search.options import RELEVANCE, QueryOptions
from esclip._search.where import normalize_where


@dataclass(frozen=True, slots=True)
class Text:
    """What pictures show, in any language that the text tower knows."""

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", coerce_text("the text to search for", self.text, _ONE_TEXT))

    def __str__(self) -> str:
        return f"text: {self.text}"


@dataclass(frozen=True, slots=True, repr=False)
class ImageQuery:
    """A path, a URL, an image file's bytes, an open file, a PIL image, or an array of uint8."""

    image: AnyImage
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", coerce_image("the picture to search with", self.image))

    def __str__(self) -> str:
        return f"image: {self.image if isinstance(self.image, str | Path) else 'a picture'}"

    def __repr__(self) -> str:
        named = isinstance(self.image, str | Path)
        image = repr(self.image) if named else f"<{type(self.image).__name__}>"
        return f"ImageQuery({image}, weight={self.weight!r})"


@dataclass(frozen=True, slots=True)
class SimilarTo:
    """A picture of the index by its id, or by a hit; it is left out of the hits."""

    id: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", coerce_id("the stored picture", self.id))

    @classmethod
    def of(cls, id: AnyId, weight: float = 1.0) -> SimilarTo:
        """By an id or a hit."""
        return cls(coerce_id("the stored picture", id), weight)

    def __str__(self) -> str:
        return f"id: {self.id}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VectorQuery:
    """A vector of the index's space, of any length but zero."""

    vector: npt.ArrayLike
    weight: float = 1.0

    def __post_init__(self) -> None:
        try:
            numbers = np.asarray(self.vector, dtype=np.float64)
        except (TypeError, ValueError):
            raise wrong_kind("the vector to search with", self.vector, "numbers, such as an array") from None
        object.__setattr__(self, "vector", numbers)

    def __str__(self) -> str:
        return "vector"

    def __repr__(self) -> str:
        return f"VectorQuery(<shape {np.shape(self.vector)}>, weight={self.weight!r})"


@dataclass(frozen=True, slots=True)
class Keywords:
    """Words in any text of a document: descriptions, keywords, places, names. The more, the better."""

    text: str
    weight: float = 1.0
    """Above zero; `where` excludes words."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", coerce_text("the words to search for", self.text, _ONE_TEXT))

    def __str__(self) -> str:
        return f"words: {self.text}"


VectorClause: TypeAlias = Text | ImageQuery | SimilarTo | VectorQuery
"""A clause that has a vector."""

Clause: TypeAlias = VectorClause | Keywords

AnyClause: TypeAlias = "Clause | AnyImage | Hit"
"""A clause, or a value that stands for one: a text for a `Text`, a `Path` for an `ImageQuery`."""

AnyQuery: TypeAlias = "Query | AnyClause"

_ONE_TEXT = "one text; for several there are search_texts and search_many"


@dataclass(frozen=True, slots=True, repr=False)
class Query:
    """One search. `Query(Text("a beach"), Text("people", -0.5), k=20)`."""

    clauses: tuple[Clause, ...]
    options: QueryOptions
    """All of them, with their defaults."""

    @check_names()
    def __init__(self, *clauses: AnyClause, **options: Unpack[QueryOptions]) -> None:
        """Combine clauses to a query.

        Args:
            clauses: `Text`, `ImageQuery`, `SimilarTo`, `VectorQuery` or `Keywords`; or a plain text, picture,
                hit or vector of shape (dim,), which weighs 1.
            k: Number of hits, at most.
            where: Filter, as in `ImageIndex.search_text`. Alone it lists documents by id.
            **options: `offset`, `min_score`, `exact`, `candidates`, `rank_window_size`, `targets`, `explain`,
                `collapse`, `min_relevance`, `sort`: as in `ImageIndex.search_text`.

        Raises:
            ValueError: There are neither clauses nor a filter, a text is empty, or a number is out of its
                bounds.
            ConfigError: A clause can't be used, the page lies beyond `rank_window_size`, or hits of these
                clauses have no relevance.
        """
        resolved = resolve(QueryOptions, options)
        resolved["where"] = normalize_where(resolved["where"])
        resolved["sort"] = resolved["sort"] or RELEVANCE
        object.__setattr__(self, "clauses", tuple(map(_to_clause, clauses)))
        object.__setattr__(self, "options", resolved)
        self._check()

    @classmethod
    def of(cls, query: AnyQuery) -> Query:
        """A query as it is, or a query of a single clause. Raises `ConfigError` for anything else."""
        return query if isinstance(query, Query) else cls(query)

    @property
    def targets(self) -> tuple[str, ...]:
        """Which vectors of pictures its vector is compared with, in the order of `TARGETS`; none: only texts
        are searched.
        """
        given = self.options["targets"]
        return (PICTURES,) if given is None else tuple(target for target in given if target != TEXTS)

    def wants_texts(self, index_has_texts: bool) -> bool:
        """Whether text documents are searched as well: where that is asked for, or by default where there
        are any. A `min_relevance` leaves them out by default: their relevance is not known.
        """
        given = self.options["targets"]
        if given is None:
            return index_has_texts and self.options["min_relevance"] is None
        return TEXTS in given

    def for_texts(self) -> Query:
        """The same search among text documents, as if these were pictures; near-duplicates stay apart."""
        query = copy(self)
        options = {**self.options, "targets": (PICTURES,), "collapse": None}
        object.__setattr__(query, "options", options)
        return query

    @property
    def vector_clauses(self) -> tuple[VectorClause, ...]:
        """The clauses that have a vector."""
        return tuple(clause for clause in self.clauses if not isinstance(clause, Keywords))

    @property
    def keywords(self) -> tuple[Keywords, ...]:
        """The clauses for keyword searches."""
        return tuple(clause for clause in self.clauses if isinstance(clause, Keywords))

    @property
    def is_text_only(self) -> bool:
        """Whether it compares texts of positive weights with whole pictures, and with no part of them.

        Scores of other queries are not comparable with those of null queries.
        """
        only_texts = all(isinstance(clause, Text) and clause.weight > 0 for clause in self.clauses)
        return bool(self.clauses) and only_texts and self.targets == (PICTURES,)

    @property
    def depth(self) -> int:
        """How many hits the page needs, the excluded ids included."""
        return self.options["offset"] + self.options["k"] + len(self.excluded_ids)

    @property
    def excluded_ids(self) -> set[str]:
        """Ids used as query examples; excluded from the hits."""
        return {clause.id for clause in self.clauses if isinstance(clause, SimilarTo)}

    @property
    def is_ordered(self) -> bool:
        """Whether the hits of its clauses are ordered by a field, for which all that fit are retrieved."""
        return bool(self.clauses) and self.options["sort"] != RELEVANCE

    @property
    def is_fused(self) -> bool:
        """Whether several rankings are fused."""
        by_vector = (2 if is_fused(self.targets) else 1) if self.vector_clauses else 0
        return len(self.keywords) + by_vector > 1

    def __str__(self) -> str:
        """What is searched for, in words."""
        if len(self.clauses) == 1 and isinstance(self.clauses[0], Text):
            return self.clauses[0].text
        weights = ("" if clause.weight == 1 else f" x {clause.weight:g}" for clause in self.clauses)
        parts = (f"{clause}{weight}" for clause, weight in zip(self.clauses, weights, strict=True))
        return ", ".join(parts) or "all that the filter lets through"

    def __repr__(self) -> str:
        defaults = {**resolve(QueryOptions, {}), "where": ()}
        options = [f"{name}={value!r}" for name, value in self.options.items() if value != defaults[name]]
        return f"Query({', '.join([*map(repr, self.clauses), *options])})"

    def _check(self) -> None:
        if not self.clauses and not self.options["where"]:
            raise ValueError("a query needs a text, a picture, an id, a vector, words or a filter")
        if any(isinstance(clause, Text | Keywords) and not clause.text.strip() for clause in self.clauses):
            raise ValueError("the text to search for is empty")
        for clause in self.clauses:
            if isinstance(clause, Text | Keywords) and not is_unicode(clause.text):
                raise ConfigError(f"the text {clause.text[:40]!r} is no valid Unicode; check its encoding")
        for clause in self.clauses:
            WEIGHT.check("weight", clause.weight)
        if any(not clause.weight > 0 for clause in self.keywords):
            raise ValueError("words have a weight above zero; to leave something out, use where")
        has_relevance = self.is_text_only and not self.wants_texts(False)
        if self.options["min_relevance"] is not None and not has_relevance:
            raise ConfigError(
                "only what texts with weights above zero find among whole pictures has a relevance; use a "
                "minimum score"
            )
        window = self.options["rank_window_size"]
        if self.is_fused and self.depth > window:
            raise ConfigError(
                f"the hits go to {self.depth}, beyond the window of {window} in which "
                f"rankings are fused; give a larger window"
            )
        end = self.options["offset"] + self.options["k"]
        has_threshold = self.options["min_score"] > -1 or self.options["min_relevance"] is not None
        if self.is_ordered and not has_threshold and end > window:
            raise ConfigError(
                f"the hits go to {end}, beyond the window of {window} in which they are ordered by a "
                "field; give a larger window"
            )


def _to_clause(given: AnyClause) -> Clause:
    match given:
        case Text() | ImageQuery() | SimilarTo() | VectorQuery() | Keywords():
            return given
        case str():
            return Text(given)
        case Hit():
            return SimilarTo(given.id)
        case os.PathLike() | bytes() | Image.Image():
            return ImageQuery(given)
        case np.ndarray() if given.ndim == 1:
            return VectorQuery(given)
        case np.ndarray():
            return ImageQuery(given)
    takes = "a text, Text, ImageQuery, SimilarTo, VectorQuery or Keywords; several are given one by one"
    raise wrong_kind("a clause of the query", given, takes)
