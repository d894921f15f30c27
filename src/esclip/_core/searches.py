"""The query language of stores.

Search ─┬─ KnnSearch       by vector
        ├─ KeywordSearch   by words
        └─ Scan            by conditions alone
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from esclip._core.filters import Condition
from esclip._core.schema import Field
from esclip._core.types import Vector


@dataclass(frozen=True, slots=True, eq=False)
class KnnSearch:
    """The `k` nearest neighbours of a vector that fulfil all conditions; scores are cosines."""

    vector: Vector
    """Of unit length, shape (dim,)."""
    k: int
    where: tuple[Condition, ...] = ()
    exact: bool = False
    """Brute force: compare with every vector."""
    scores_only: bool = False
    """Hits need no more than id and score, and ties may be broken in any way: no document is read."""
    candidates: int | None = None
    """How many vectors are considered: in each shard of a cluster, 10,000 at most; in an embedded index in
    all, by whole partitions. None: as many as the size of the index asks for."""


@dataclass(frozen=True, slots=True)
class KeywordSearch:
    """The `k` documents that have most of some words (`_core.analysis.words_of`), rare ones counting more.

    A score is the share of the words' weight that a document has, above 0 and at most 1; the words that it
    has are in `Hit.explanation`. The weight of a word
    is ln(1 + (N - n + 0.5) / (n + 0.5)) where n of N documents have it: BM25's idf, as Lucene computes it.
    """

    words: tuple[str, ...]
    """As `_core.analysis.analyze_query` gives them, each once."""
    k: int
    where: tuple[Condition, ...] = ()
    former: Mapping[str, str] = field(default_factory=dict)
    """Words by the form in which older versions stored them (`_core.analysis.former_words`)."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order of documents by a field: those without a value last in either direction, ties by id.

    Texts are compared by their Unicode code points, -0.0 lies below 0.0.
    """

    field: Field
    """A keyword, a number or a date."""
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """The first `k` documents that fulfil all conditions, by id or by a field; scores are 1."""

    k: int
    where: tuple[Condition, ...] = ()
    after: str = ""
    """Only documents with higher ids; goes with no `order`."""
    order: Order | None = None


Search: TypeAlias = KnnSearch | KeywordSearch | Scan
