"""A source that transforms the pictures' records of another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Event

from esclip._concurrency.streams import owned
from esclip._core.rejections import Rejection
from esclip._core.schema import Field
from esclip._core.types import PICTURE, ImageRecord
from esclip._protocols import Source


class SourceWrapper(Source):
    """Delegates to another source. Subclasses override `transform`."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @property
    def fields(self) -> Sequence[Field]:
        return self.source.fields

    def total(self) -> int | None:
        return self.source.total()

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        with owned(self.source.records(cancelled)) as items:
            for item in items:
                if isinstance(item, Rejection) or item.kind != PICTURE:
                    yield item
                else:
                    yield self.transform(item)

    def passed_over(self) -> Mapping[str, int]:
        return self.source.passed_over()

    def covers(self, location: str) -> bool:
        return self.source.covers(location)

    def transform(self, record: ImageRecord) -> ImageRecord:
        """The record to give in place of another, of a picture."""
        return record
