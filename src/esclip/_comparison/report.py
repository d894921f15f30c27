"""What a comparison says: how alike two indexes' answers are by kind of query, and each query's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from esclip._core.markup import render_table
from esclip._errors.escaping import escape
from esclip._evaluation.statistics import Figure


@dataclass(frozen=True, slots=True)
class ComparedIndex:
    """One of the two indexes."""

    index: str
    store: str
    encoder: str
    documents: int
    """Pictures and texts."""
    only_here: int
    """Pictures that the other index lacks, by id."""
    examples: tuple[str, ...]
    """Ids of some of these."""


@dataclass(frozen=True, slots=True)
class ComparedQuery:
    """What both indexes have found by a query."""

    kind: str
    """`text`, `picture`, or `own` for queries of the caller's."""
    script: str
    """Of a text: `latin`, `han`; empty for a picture."""
    query: str
    """The text, or the picture's id."""
    overlap: float
    """The share of hits that are in both rankings."""
    rbo: float
    """Rank-biased overlap, 0 to 1."""
    first: tuple[str, ...]
    """Ids of the first index's hits, best first."""
    second: tuple[str, ...]
    """Those of the second."""
    first_ms: float
    """Milliseconds of the search in the first index, a text's encoding included."""
    second_ms: float
    """The same in the second."""


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """How alike the answers to queries of one kind are."""

    kind: str
    """`text`, `picture` or `own`, as in `ComparedQuery`."""
    script: str
    """Of the texts; empty for all scripts together."""
    queries: int
    overlap: Figure
    """The share of hits in both rankings."""
    rbo: Figure
    """Rank-biased overlap."""
    first_p50: float
    """Milliseconds of the median search in the first index."""
    first_p95: float
    """Milliseconds that 95 of 100 searches need at most."""
    second_p50: float
    """The same in the second index."""
    second_p95: float
    """The same in the second index."""


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """How alike the answers of two indexes are."""

    first: ComparedIndex
    second: ComparedIndex
    in_both: int
    """Pictures that both have, by id."""
    k: int
    """Hits of each search."""
    p: float
    """Of rank-biased overlap."""
    seconds: float
    rows: tuple[ComparisonRow, ...]
    queries: tuple[ComparedQuery, ...]
    """All of them, in the order in which they were searched."""
    notes: tuple[str, ...] = ()
    """What to know of the figures."""

    def most_different(self, count: int = 5) -> Sequence[ComparedQuery]:
        """The queries with the least rank-biased overlap.

        Args:
            count: Number of queries, at most.

        Example:
            for query in comparison.most_different(3):
                print(query.query, query.rbo, query.first[:1], query.second[:1])
        """
        return sorted(self.queries, key=lambda query: query.rbo)[: max(0, count)]

    def __repr__(self) -> str:
        means = ", ".join(f"{row.kind} {row.overlap.mean:.3f}" for row in self.rows if not row.script)
        names = f"{escape(self.first.index)!r} with {escape(self.second.index)!r}"
        return f"<Comparison of {names}: overlap@{self.k} {means}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = [
            (
                f"{row.kind} {row.script} overlap@{self.k}",
                f"{row.overlap.mean:.3f} ({row.overlap.low:.3f} to {row.overlap.high:.3f}), "
                f"RBO {row.rbo.mean:.3f}",
            )
            for row in self.rows
        ]
        return render_table([*rows, *(("note", note) for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """The comparison as the command line prints it with `--json`."""
        return asdict(self)
