"""A slice of a source: one of several parts that together are the whole, for as many machines.

    record ─► SHA-256 of its id, modulo the number of slices ─► the slice that has it

By its id a record is in the same slice whatever else the source has, in every process and at every time. So
slices need no plan that machines share, and one that is run again skips what it has written.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Event

from esclip._concurrency.streams import owned
from esclip._core.rejections import Rejection
from esclip._core.types import ImageRecord
from esclip._errors import ConfigError
from esclip._protocols import Source
from esclip.sources.wrapper import SourceWrapper

MAX_SLICES = 100_000

_SLICE = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which slice of how many."""

    number: int
    """From 1."""
    count: int

    @classmethod
    def parse(cls, text: str) -> Slice:
        """The slice of a text such as `3/16`. Raises `ConfigError` for what is none."""
        match = _SLICE.fullmatch(text.strip())
        number, count = map(int, match.groups()) if match else (0, 0)
        if not 1 <= number <= count <= MAX_SLICES:
            raise ConfigError(
                f"slice: {text!r:.40} is none; write its number and how many there are, from 1/16 to 16/16, "
                f"{MAX_SLICES:,} at most"
            )
        return cls(number, count)

    def has(self, id: str) -> bool:
        """Whether the record with this id is in the slice."""
        digest = hashlib.sha256(id.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


class SlicedSource(SourceWrapper):
    """The records of another source that are in a slice. The other source is read whole."""

    def __init__(self, source: Source, slice: Slice) -> None:
        super().__init__(source)
        self._slice = slice

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Those whose ids are in the slice, and rejections by the id, or the location of a row without."""
        with owned(self.source.records(cancelled)) as items:
            yield from (item for item in items if self._slice.has(_key(item)))

    def total(self) -> None:
        """Known only when all have been read."""
        return

    def passed_over(self) -> Mapping[str, int]:
        """All that is passed over, in the first slice: so that it is counted once."""
        return self.source.passed_over() if self._slice.number == 1 else {}


def _key(item: ImageRecord | Rejection) -> str:
    return item.id or item.location or "" if isinstance(item, Rejection) else item.id
