"""Several sources as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from threading import Event

from esclip._concurrency.streams import owned
from esclip._core.rejections import Rejection
from esclip._core.schema import Field
from esclip._core.types import ImageRecord
from esclip._protocols import Source


class ChainedSource(Source):
    """The records of several sources, one after the other; of all of them the first `limit`."""

    def __init__(self, sources: Sequence[Source], limit: int | None) -> None:
        self._sources = sources
        self._limit = limit

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of all sources."""
        return tuple(dict.fromkeys(field for source in self._sources for field in source.fields))

    def total(self) -> int | None:
        """The sum, where all are known."""
        totals = [source.total() for source in self._sources]
        known = sum(total for total in totals if total is not None)
        return None if None in totals else known if self._limit is None else min(known, self._limit)

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """One source after the other."""
        with owned(self._all_records(cancelled)) as records:
            yield from islice(records, self._limit)

    def passed_over(self) -> Mapping[str, int]:
        """The sums of all sources."""
        passed: Counter[str] = Counter()
        for source in self._sources:
            passed.update(source.passed_over())
        return passed

    def covers(self, location: str) -> bool:
        """What one of them covers."""
        return any(source.covers(location) for source in self._sources)

    def _all_records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        for source in self._sources:
            with owned(source.records(cancelled)) as records:
                yield from records
