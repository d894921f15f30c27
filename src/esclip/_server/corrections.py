"""Labels that people have given to pictures, in the place of those of a model. The index stays as it is.

{"id": "a", "label": "cat", "at": "2026-01-31T09:30:00+00:00"}      a line for each correction

The last line about a picture counts; an empty label takes it back.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from esclip._core.labels import MAX_LABEL_LENGTH
from esclip._core.types import id_problem
from esclip._errors import ConfigError
from esclip._ingest.review_files import Review, review_path
from esclip._server.kept_lines import KeptLines

MAX_CORRECTIONS = 200_000
"""Of an index; further ones are refused."""


def corrections_path(address: str, index: str) -> Path | None:
    """The file of the corrections of a store's index; None: it is kept in memory."""
    return review_path(address, index, Review.LABELS)


class Corrections:
    """The corrections of one index. Thread-safe. Methods raise `StoreError` when the file can't be used."""

    def __init__(self, path: Path | None) -> None:
        self._lines = KeptLines(path, "the corrected labels")
        self._lock = Lock()
        self._labels: dict[str, str] = {}

    def all(self) -> dict[str, str]:
        """The label of each picture that has been corrected or confirmed, by its id."""
        with self._lock:
            self._read()
            return dict(self._labels)

    def save(self, id: str, label: str) -> None:
        """Write a picture's label. Raises `ConfigError` for what is none, and where there are too many."""
        if id_problem(id) or len(label) > MAX_LABEL_LENGTH or not (label.isprintable()):
            raise ConfigError("a correction has the id of a picture, and a label in one line")
        with self._lock:
            self._read()
            if len(self._labels) >= MAX_CORRECTIONS and id not in self._labels:
                raise ConfigError(f"at most {MAX_CORRECTIONS} corrections are kept of an index")
            at = datetime.now(UTC).isoformat(timespec="seconds")
            self._lines.append({"id": id, "label": label, "at": at})
            self._keep(id, label)

    def _keep(self, id: str, label: str) -> None:
        self._labels.pop(id, None)
        if label:
            self._labels[id] = label

    def _read(self) -> None:
        """Read the file where it has changed since."""
        values = self._lines.read()
        if values is not None:
            self._labels.clear()
            for value in values:
                self._keep_said(value)

    def _keep_said(self, said: Any) -> None:
        """Keep the correction of a line, if it is one."""
        if not isinstance(said, dict):
            return
        id, label = said.get("id"), said.get("label")
        if (
            isinstance(id, str)
            and isinstance(label, str)
            and len(id) <= 512
            and len(label) <= MAX_LABEL_LENGTH
        ):
            self._keep(id, label)
