"""Records in a file of JSON lines: pictures by path or URL, and texts, with what is known about them.

{"id": "t1", "text": "she smiled", "year": 2020} ─┐
{"path": "a.jpg", "description": "a door"}        ├─► a line each ─► MemorySource ─► ImageRecord | Rejection
{"url": "https://...", "metadata": {"year": 1}}  ─┘

A line is what `ImageIndex.add` takes as a mapping. Fields may stand in `metadata`, as in lines that are sent
to a search service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field
from esclip._errors.reasons import Reason
from esclip._files.opening import AnyFile, absolute, is_file
from esclip._files.paths import path_text
from esclip.sources.memory.source import MemorySource
from esclip.sources.tables.columns import USUAL_COLUMNS, RecordColumns, below_folder
from esclip.sources.tables.packed_text import open_lines, unpacked_suffix

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
        lines = _Lines(absolute(path), columns)
        super().__init__(lines, index_fields=index_fields, captioned=columns.captions is not None)


class _Lines:
    """The lines of a file, as often as they are wanted."""

    def __init__(self, file: AnyFile, columns: RecordColumns) -> None:
        self._file = file
        self._columns = columns

    def __iter__(self) -> Iterator[dict[str, Any] | Rejection]:
        with open_lines(self._file) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield self._parse(line, number)

    def _parse(self, line: str, number: int) -> dict[str, Any] | Rejection:
        """The record of a line; a rejection of a line that is none."""
        try:
            record = orjson.loads(line.encode("utf-8", "surrogatepass"))
        except orjson.JSONDecodeError as error:
            return self._bad_line(number, f"is no JSON: {error}")
        if not isinstance(record, dict):
            return self._bad_line(number, "is no JSON object")
        metadata = record.pop(METADATA, None)
        if isinstance(metadata, dict):
            if twice := next((key for key in metadata if key in record), None):
                return self._bad_line(number, f"has {twice!r} twice")
            record |= metadata
        elif metadata is not None:
            return self._bad_line(number, f"has {METADATA} that is no JSON object")
        return below_folder(self._columns.rename(record), self._file.parent)

    def _bad_line(self, number: int, problem: str) -> Rejection:
        location = path_text(self._file)
        return Rejection("", location, Stage.READ, Reason.BAD_ROW, f"line {number} {problem}")
