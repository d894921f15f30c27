"""Where an ingest of a test writes, and how it is looked at around the store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import lance

from esclip._core.types import ImageRecord
from esclip._protocols import Encoder
from tests.engines import http
from tests.faults.whole import RawDocument, held_by_engine, held_by_folder

__all__ = ["AssertWhole", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """An index in a store: the folder of an embedded one, or an engine's address."""

    store: str
    index: str

    @property
    def is_engine(self) -> bool:
        return self.store.startswith("http")

    @property
    def options(self) -> tuple[str, ...]:
        """The same for the command line."""
        return ("--store", self.store, "--index", self.index)

    def count(self) -> int:
        """How many documents it holds; none where it is not yet."""
        if self.is_engine:
            http("POST", f"{self.store}/{self.index}/_refresh", ok=(200, 404))
            return int(http("GET", f"{self.store}/{self.index}/_count", ok=(200, 404)).get("count", 0))
        path = Path(self.store) / f"{self.index}.lance"
        return int(lance.dataset(path).count_rows()) if path.exists() else 0

    def held(self) -> Iterator[RawDocument]:
        """All of its documents."""
        return (held_by_engine if self.is_engine else held_by_folder)(self.store, self.index)

    def remove(self) -> None:
        """Take the index away around the store; nothing happens where it is not."""
        if self.is_engine:
            http("DELETE", f"{self.store}/{self.index}", ok=(200, 404))
        else:
            shutil.rmtree(Path(self.store) / f"{self.index}.lance", ignore_errors=True)


AssertWhole = Callable[[Target, Mapping[str, ImageRecord], Encoder], None]
"""What compares a target with its source, document by document."""
