"""Decisions of people about near-duplicates: which of two pictures to keep. No picture is ever deleted.

{"left": "a", "right": "b", "keep": "left", "at": "2026-01-31T09:30:00+00:00"}      a line for each decision

The last line about two pictures counts. A line is written by one call: a kill leaves it out, or cut off at
the end. What is no decision is skipped. The file lies beside the index's ledger, and stays when the index is
dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

import orjson

from esclip._core.types import id_problem
from esclip._errors import ConfigError, StoreError, error_text
from esclip._files.regular import open_regular
from esclip._ingest.ledger import ledger_path

MAX_DECISIONS = 100_000
"""Of an index; further ones are refused."""
MAX_BYTES = 256 << 20
"""Of a file that is read."""


_APPEND = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Without following a link: the folder of an index may come from a stranger."""


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
    """The file of the decisions about a store's index: beside its ledger; None: it is kept in memory."""
    ledger = ledger_path(address, index)
    return ledger and ledger.with_name(f"{index}.decisions.jsonl")


class Decisions:
    """The decisions about one index. Thread-safe. Methods raise `StoreError` when the file can't be used."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = Lock()
        self._by_pair: dict[Pair, Decision] = {}
        self._read_bytes = -1
        """Of the file, when it was read; another process may have written since."""

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
            if self._path is not None:
                self._append(self._path, decision)
            self._keep(decision)

    def _keep(self, decision: Decision) -> None:
        pair = frozenset((decision.left, decision.right))
        self._by_pair.pop(pair, None)  # the newest stands last
        if decision.keep is not Keep.UNDECIDED:
            self._by_pair[pair] = decision

    def _append(self, path: Path, decision: Decision) -> None:
        line = orjson.dumps(decision._asdict()) + b"\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, _APPEND, 0o666), "a+b", buffering=0) as file:
                end = file.seek(0, 2)
                file.seek(max(end - 1, 0))
                is_cut_off = end > 0 and file.read(1) != b"\n"
                written = (b"\n" if is_cut_off else b"") + line
                if file.write(written) != len(written):
                    raise OSError("the disk is full")
        except OSError as error:
            raise self._failed(error) from error
        if self._read_bytes == end:
            self._read_bytes += len(written)

    def _read(self) -> None:
        """Read the file where it has changed since."""
        if self._path is None:
            return
        try:
            size = self._path.stat().st_size if self._path.exists() else 0
            if size == self._read_bytes:
                return
            self._by_pair.clear()
            for decision in _decisions_of(self._path) if size else ():
                self._keep(decision)
            self._read_bytes = size
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StoreError:
        return StoreError(
            f"the decisions about near-duplicates, {self._path}, can't be used ({error_text(error)}); make "
            "sure that there is room for them and that they can be written"
        )


def _decisions_of(path: Path) -> Iterator[Decision]:
    with open_regular(path) as file:
        for line in file.read(MAX_BYTES).split(b"\n"):
            if (decision := _decision_of(line)) is not None:
                yield decision


def _decision_of(line: bytes) -> Decision | None:
    """The decision of a line; None for what `save` has not written: an index may come from a stranger."""
    try:
        said: Any = orjson.loads(line)
        decision = Decision(said["left"], said["right"], Keep(said["keep"]), said["at"])
    except (ValueError, TypeError, LookupError):
        return None
    texts = (decision.left, decision.right, decision.at)
    return decision if all(isinstance(text, str) and len(text) <= 512 for text in texts) else None
