"""Records in a file of JSON lines: pictures by path or URL, and texts, with what is known about them.

{"id": "t1", "text": "she smiled", "year": 2020} ─┐
{"path": "a.jpg", "description": "a door"}        ├─► a line each ─► MemorySource ─► ImageRecord | Rejection
{"url": "https://...", "metadata": {"year": 1}}  ─┘

A line is what `ImageIndex.add` takes as a mapping. Fields may stand in `metadata`, as in lines that are sent
to a search service. As of any table, what can be no field is left out, with a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Event
from typing import Any

import orjson

from esclip._core.rejections import Rejection
from esclip._core.schema import Field
from esclip._core.types import ImageRecord
from esclip._files.opening import AnyFile, absolute, is_file
from esclip.sources.left_out import LeftOut
from esclip.sources.memory.given_record import RECORD_KEYS
from esclip.sources.memory.metadata import can_be_field
from esclip.sources.memory.source import MemorySource
from esclip.sources.tables.columns import USUAL_COLUMNS, RecordColumns, below_folder
from esclip.sources.tables.csv_rows import BrokenRow
from esclip.sources.tables.packed_text import open_lines, unpacked_suffix
from esclip.sources.tables.rows import reject_row

SUFFIXES = (".ndjson", ".jsonl")

METADATA = "metadata"


def is_records_file(path: AnyFile) -> bool:
    """Whether a path is a file of JSON lines, by its name."""
    return unpacked_suffix(path) in SUFFIXES and is_file(path)


class RecordsFileSource(MemorySource):
    """The records of a file of JSON lines. Paths in it are relative to its folder."""

    def __init__(
        self, path: AnyFile, index_fields: Iterable[Field] = (), columns: RecordColumns = USUAL_COLUMNS
    ) -> None:
        """Read the first lines for their fields; those of the index keep their types.

        Raises `SourceError` for a file that can't be read, or is no text.
        """
        self._lines = _Lines(absolute(path), columns)
        super().__init__(self._lines, index_fields=index_fields, captioned=columns.captions is not None)

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Each line's record, in the order of the file."""
        left_out = self._lines.left_out = LeftOut()
        yield from super().records(cancelled)
        left_out.warn(self._lines.file)


class _Lines:
    """The lines of a file, as often as they are wanted."""

    def __init__(self, file: AnyFile, columns: RecordColumns) -> None:
        self.file = file
        self.left_out = LeftOut()
        self._columns = columns

    def __iter__(self) -> Iterator[dict[str, Any] | Rejection]:
        with open_lines(self.file) as lines:
            for number, line in enumerate(lines, start=1):
                if isinstance(line, BrokenRow):
                    yield reject_row(self.file, line)
                elif line.strip():
                    yield self._parse(line, number)

    def _parse(self, line: str, number: int) -> dict[str, Any] | Rejection:
        """The record of a line; a rejection of a line that is none."""
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return self._bad_line(number, f"it is no JSON: {error}")
        if not isinstance(record, dict):
            return self._bad_line(number, "it is no JSON object")
        metadata = record.pop(METADATA, None)
        if isinstance(metadata, dict):
            if twice := next((key for key in metadata if key in record), None):
                return self._bad_line(number, f"it has {twice!r} twice")
            record |= metadata
        elif metadata is not None:
            return self._bad_line(number, f"it has {METADATA} that is no JSON object")
        fields = self._without_odd(self._columns.rename(record), number)
        return below_folder(fields, self.file.parent)

    def _without_odd(self, record: dict[str, Any], number: int) -> dict[str, Any]:
        """The record without what can be no field."""
        odd = [
            name
            for name, value in record.items()
            if name not in RECORD_KEYS and not can_be_field(name, value)
        ]
        for name in odd:
            self.left_out.note(f"{name} of line {number}")
            del record[name]
        return record

    def _bad_line(self, number: int, problem: str) -> Rejection:
        return reject_row(self.file, BrokenRow(number, problem))
