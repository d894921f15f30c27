"""What an audit says: recall by kind of query, k and filter, and what to do where it is low."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from esclip._core.markup import render_table
from esclip._evaluation.statistics import Figure


@dataclass(frozen=True, slots=True)
class AuditRow:
    """What searches of one kind have found."""

    kind: str
    """`text`, `picture`, or `own` for queries of the caller's."""
    script: str
    """Of the texts: `latin`, `han`; empty for all scripts together."""
    filter: str
    """The filter, as it is written; empty without one."""
    share: float
    """The share of all pictures that fulfil the filter."""
    k: int
    queries: int
    recall: Figure
    short: int
    """Searches with fewer hits than k, or than there are pictures that fulfil the filter."""
    p50: float
    """Milliseconds of the median search, without encoding."""
    p95: float
    """Milliseconds that 95 of 100 searches need at most."""

    @property
    def is_untold(self) -> bool:
        """Whether nothing that a sample has says anything of recall, which then stands as 1, from 0 to 1."""
        return (self.recall.low, self.recall.high) == (0, 1)

    def to_json(self) -> dict[str, Any]:
        """The row as the command line prints it with `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True, repr=False)
class Audit:
    """How much of what an exact search finds an index's searches find."""

    index: str
    engine: str
    documents: int
    compared: int
    """Pictures that hits were compared with."""
    share: float
    """Which part of all these are. Below 1, recall is estimated."""
    score_error: float
    """The largest difference between a hit's score and its cosine, of hits among those compared."""
    seconds: float
    rows: tuple[AuditRow, ...]
    notes: tuple[str, ...] = ()
    """What to know, and what to do."""

    @property
    def lowest(self) -> float:
        """The lowest recall of a kind of query, at any k and under any filter."""
        return lowest(self.rows)

    def __repr__(self) -> str:
        return (
            f"<Audit of {self.index!r}: {self.documents:,} pictures, {self.compared:,} compared, "
            f"lowest recall {self.lowest:.3f}>"
        )

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = [
            (
                f"{row.kind} {row.script} recall@{row.k} {row.filter}",
                f"{row.recall.mean:.3f} ({row.recall.low:.3f} to {row.recall.high:.3f})",
            )
            for row in self.rows
        ]
        return render_table([*rows, *(("note", note) for note in self.notes)])

    def to_json(self) -> dict[str, Any]:
        """The audit as the command line prints it with `--json`."""
        return asdict(self) | {"lowest": self.lowest}


def lowest(rows: Sequence[AuditRow]) -> float:
    """The lowest recall, of kinds of queries and not of single scripts."""
    return min((row.recall.mean for row in rows if not row.script), default=1.0)
