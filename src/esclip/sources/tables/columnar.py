"""Records of a Parquet file by columns, a few hundred rows at once: most rows are plain, and need no look of
their own.

columns of a batch ─► each converted as a whole ─► rows ─┬─ of web addresses ─► ImageRecord
                                                         └─ any other ─► None: `MemorySource` says what it is

A record is the very one that `MemorySource` makes of the row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from esclip._core.schema import FieldType
from esclip._core.types import MAX_ID_BYTES, ImageRecord, text_id
from esclip.sources.memory.given_record import PICTURE_KEYS, RECORD_KEYS
from esclip.sources.memory.metadata import convert, plain_value

Column = Sequence[Any]


class ColumnarRecords:
    """Makes records of batches."""

    def __init__(
        self, fields: Mapping[str, FieldType], picture_fields: tuple[str, ...], *, captioned: bool
    ) -> None:
        """As `MemorySource` has them: types of metadata, facts of pictures, whether texts are captions."""
        self._fields = fields
        self._picture_fields = picture_fields
        self._captioned = captioned

    def of_batch(self, columns: Mapping[str, Column]) -> Iterator[ImageRecord | None]:
        """A record for each row; None for one that isn't plain."""
        [picture] = [key for key in columns if key in PICTURE_KEYS]
        odd: set[int] = set()
        metadata = {
            name: self._convert(name, values, odd)
            for name, values in columns.items()
            if name not in RECORD_KEYS
        }
        rows = zip(*metadata.values(), strict=True) if metadata else repeat(())
        texts = zip(
            columns[picture],
            columns.get("id") or repeat(None),
            columns.get("description") or repeat(None),
            columns.get("page") or repeat(None),
            rows,
            strict=False,
        )
        for number, (url, id, description, page, values) in enumerate(texts):
            plain = number not in odd and is_web_text(url) and is_plain_text(description)
            if not (plain and is_plain_text(page) and is_plain_id(id)):
                yield None
                continue
            location = url.strip()
            text = description.strip() if description else ""
            yield ImageRecord(
                id=text_id(location) if id is None else id if type(id) is str else str(id),
                location=location,
                picture=location,
                image_version=location,
                page=(page.strip() or None) if page else None,
                description=text,
                metadata={
                    name: value for name, value in zip(metadata, values, strict=True) if value is not None
                },
                picture_fields=self._picture_fields,
                captioned=bool(text) if self._captioned else None,
            )

    def _convert(self, name: str, values: Column, odd: set[int]) -> Column:
        """The values as a field keeps them; None: missing, or of an odd row."""
        kind = self._fields.get(name)
        match kind:
            case FieldType.KEYWORD if all(value is None or type(value) is str for value in values):
                return [value or None for value in values]  # of Arrow, so that all are valid Unicode
            case FieldType.INTEGER if all(value is None or type(value) is int for value in values):
                if all(value is None or -(2**63) <= value < 2**63 for value in values):
                    return values
            case FieldType.FLOAT if all(value is None or type(value) is float for value in values):
                if not any(value is not None and math.isinf(value) for value in values):
                    return [value if value == value else None for value in values]  # NaN is missing
        converted: list[Any] = []
        for number, value in enumerate(values):
            plain = plain_value(value)
            try:
                converted.append(None if plain is None or kind is None else convert(plain, kind))
            except ValueError:
                converted.append(None)
                odd.add(number)
            else:
                if plain is not None and kind is None:
                    odd.add(number)
        return converted


def is_web_text(url: Any) -> bool:
    """Whether it is a web address."""
    return type(url) is str and url.startswith(("https://", "http://"))


def is_plain_text(text: Any) -> bool:
    """Whether it is a text, or missing."""
    return text is None or type(text) is str


def is_plain_id(id: Any) -> bool:
    """Whether it is an id without a problem, or missing."""
    if type(id) is str:
        return id.isascii() and id.isprintable() and len(id) <= MAX_ID_BYTES and bool(id.strip())
    return id is None or type(id) is int
