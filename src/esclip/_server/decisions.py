"""Decisions of people about near-duplicates: which of two pictures to keep. No picture is ever deleted.

{"left": "a", "right": "b", "keep": "left", "at": "2026-01-31T09:30:00+00:00"}      a line for each decision

The last line about two pictures counts. The file goes when the index is dropped.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

from esclip._core.types import id_problem
from esclip._errors import ConfigError
from esclip._ingest.review_files import Review, review_path
from esclip._server.kept_lines import KeptLines

MAX_DECISIONS = 100_000
"""Of an index; further ones are refused."""


class Keep(StrEnum):
    """Which of two pictures to keep."""

    LEFT = "left"
    RIGHT = "right"
    BOTH = "both"
    UNDECIDED = "undecided"
    """A decision that was taken back."""


class Decision(NamedTuple):
    """What was decided about two pictures."""

    left: str
    right: str
    keep: Keep
    at: str
    """When, as in ISO 8601."""

    @property
    def kept_and_dropped(self) -> tuple[str, str] | None:
        """The ids of the picture to keep and of the other; None where both are kept."""
        match self.keep:
            case Keep.LEFT:
                return self.left, self.right
            case Keep.RIGHT:
                return self.right, self.left
        return None


Pair: TypeAlias = frozenset[str]


def decisions_path(address: str, index: str) -> Path | None:
    """The file of the decisions about a store's index; None: it is kept in memory."""
    return review_path(address, index, Review.DECISIONS)


class Decisions:
    """The decisions about one index. Thread-safe. Methods raise `StoreError` when the file can't be used."""

    def __init__(self, path: Path | None) -> None:
        self._lines = KeptLines(path, "the decisions about near-duplicates")
        self._lock = Lock()
        self._by_pair: dict[Pair, Decision] = {}

    def all(self) -> list[Decision]:
        """The decisions that stand, the oldest first."""
        with self._lock:
            self._read()
            return list(self._by_pair.values())

    def about(self, pairs: list[tuple[str, str]]) -> list[Decision | None]:
        """The decision about each of these pairs, in whichever order its pictures stand."""
        with self._lock:
            self._read()
            return [self._by_pair.get(frozenset(pair)) for pair in pairs]

    def save(self, left: str, right: str, keep: Keep) -> None:
        """Write a decision. Raises `ConfigError` where there are too many, or these are no two pictures."""
        if left == right or id_problem(left) or id_problem(right):
            raise ConfigError("a decision is about two pictures")
        decision = Decision(left, right, keep, datetime.now(UTC).isoformat(timespec="seconds"))
        with self._lock:
            self._read()
            if len(self._by_pair) >= MAX_DECISIONS and frozenset((left, right)) not in self._by_pair:
                raise ConfigError(f"at most {MAX_DECISIONS} decisions are kept of an index")
            self._lines.append(decision._asdict())
            self._keep(decision)

    def _keep(self, decision: Decision) -> None:
        pair = frozenset((decision.left, decision.right))
        self._by_pair.pop(pair, None)  # the newest stands last
        if decision.keep is not Keep.UNDECIDED:
            self._by_pair[pair] = decision

    def _read(self) -> None:
        """Read the file where it has changed since."""
        values = self._lines.read()
        if values is not None:
            self._by_pair.clear()
            for decision in filter(None, map(_decision_of, values)):
                self._keep(decision)


def _decision_of(said: Any) -> Decision | None:
    """The decision of a line; None for what `save` has not written."""
    try:
        decision = Decision(said["left"], said["right"], Keep(said["keep"]), said["at"])
    except (ValueError, TypeError, LookupError):
        return None
    texts = (decision.left, decision.right, decision.at)
    return decision if all(isinstance(text, str) and len(text) <= 512 for text in texts) else None
