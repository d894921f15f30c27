"""Records in a file of JSON lines: pictures by path or URL, and texts, with what is known about them.

{"id": "t1", "text": "she smiled", "year": 2020} ─┐
{"path": "a.jpg", "description": "a door"}        ├─► a line each ─► MemorySource ─► ImageRecord | Rejection
{"url": "https://...", "metadata": {"year": 1}}  ─┘

A line is what `ImageIndex.add` takes as a mapping. Fields may stand in `metadata`, as in lines that are sent
to a search service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field
from esclip._errors import SourceError, error_text
from esclip._errors.reasons import Reason
from esclip._files.paths import path_text
from esclip._files.regular import open_regular
from esclip._files.text import NotText, text_lines
from esclip.sources.memory.pictures import names_file
from esclip.sources.memory.source import MemorySource

SUFFIXES = (".ndjson", ".jsonl")

METADATA = "metadata"


def is_records_file(path: Path) -> bool:
    """Whether a path is a file of JSON lines, by its name."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


class RecordsFileSource(MemorySource):
    """The records of a file of JSON lines, which is read once. Paths in it are relative to its folder."""

    def __init__(self, path: Path, known: Iterable[Field] = ()) -> None:
        """Read the first lines for their fields; `known` are those of the index, whose types they keep.

        Raises `SourceError` for a file that can't be read, or is no text.
        """
        super().__init__(_read(Path.cwd() / path), known=known)


def _read(file: Path) -> Iterator[dict[str, Any] | Rejection]:
    name = path_text(file)
    try:
        with open_regular(file) as stream:
            for number, line in enumerate(text_lines(stream), start=1):
                if line.strip():
                    yield _parse(line, number, file)
    except NotText as error:
        raise SourceError(f"{name}: {error}") from error
    except OSError as error:
        raise SourceError(f"{name} can't be read: {error_text(error)}") from error


def _parse(line: str, number: int, file: Path) -> dict[str, Any] | Rejection:
    """The record of a line; a rejection of a line that is none."""
    try:
        record = orjson.loads(line.encode("utf-8", "surrogatepass"))
    except orjson.JSONDecodeError as error:
        return _bad_line(file, number, f"is no JSON: {error}")
    if not isinstance(record, dict):
        return _bad_line(file, number, "is no JSON object")
    metadata = record.pop(METADATA, None)
    if isinstance(metadata, dict):
        if twice := next((key for key in metadata if key in record), None):
            return _bad_line(file, number, f"has {twice!r} twice")
        record |= metadata
    elif metadata is not None:
        return _bad_line(file, number, f"has {METADATA} that is no JSON object")
    for key in ("path", "image"):
        value = record.get(key)
        if isinstance(value, str) and names_file(value) and not value.startswith("~"):
            record[key] = str(file.parent / value)
    return record


def _bad_line(file: Path, number: int, problem: str) -> Rejection:
    return Rejection("", path_text(file), Stage.READ, Reason.BAD_ROW, f"line {number} {problem}")
