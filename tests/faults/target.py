"""Where an ingest of a test writes, and how it is looked at around the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.engines import http
from tests.faults.whole import Raw, held_by_engine, held_by_folder

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """An index in a store: the folder of an embedded one, or an engine's address."""

    store: str
    index: str

    @property
    def is_engine(self) -> bool:
        return self.store.startswith("http")

    def held(self) -> Iterator[Raw]:
        """All of its documents."""
        return (held_by_engine if self.is_engine else held_by_folder)(self.store, self.index)

    def remove(self) -> None:
        """Take the index away around the store; nothing happens where it is not."""
        if self.is_engine:
            http("DELETE", f"{self.store}/{self.index}", ok=(200, 404))
        else:
            shutil.rmtree(Path(self.store) / f"{self.index}.lance", ignore_errors=True)
