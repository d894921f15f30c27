"""A manifest: the records of a source in files, for machines that share an ingest. They read only their own.

DIR/part-00000.jsonl.zst   10,000 records, each as a line of JSON; rows that the source could not read, too
    manifest.json          written last: the fields, and of each part its number of records and its SHA-256

A part is read whole, and only if it has the digest that the manifest says. A manifest may come from anywhere:
a part is a file of that folder, no larger than `MAX_PART_BYTES`, and a line that is no record is a rejection.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import orjson

from esclip._concurrency.streams import owned
from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.record_json import dump_record, load_record, to_read_again
from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field, FieldType
from esclip._core.types import ImageRecord, id_problem
from esclip._errors import SourceError, error_text
from esclip._errors.reasons import Reason
from esclip._errors.secrets import mask
from esclip._files.packing import PACKING_ERRORS, unpack
from esclip._files.paths import path_text
from esclip._files.regular import open_beside
from esclip._files.text import MAX_LINE_CHARS, NotText, text_lines
from esclip._protocols import Source
from esclip.sources.slices import Slice

SUMMARY = "manifest.json"
FORMAT = "esclip manifest"
VERSION = 1
PART_NAME = re.compile(r"part-[0-9]{5,6}\.jsonl\.zst", re.ASCII)

MAX_PARTS = 100_000
MAX_PART_RECORDS = 100_000
MAX_PART_BYTES = 256 << 20
MAX_SUMMARY_BYTES = 32 << 20
MAX_COUNT = 10**12
"""Of what was passed over."""

_BEGIN = f'{{\n  "format": "{FORMAT}"'.encode()
_REJECTION = "rejection"
_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading raises of JSON that `esclip manifest` has not written."""


@dataclass(frozen=True, slots=True)
class ManifestPart:
    """What a manifest says of a part."""

    name: str
    records: int
    """With rows that could not be read."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the summary of a manifest says."""

    fields: tuple[Field, ...]
    parts: tuple[ManifestPart, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """Of all parts."""
        return sum(part.records for part in self.parts)

    def dump(self) -> bytes:
        """The summary's bytes."""
        summary = {
            "format": FORMAT,
            "version": VERSION,
            "records": self.records,
            "fields": {one.name: one.type.value for one in self.fields},
            "passed_over": dict(self.passed_over),
            "parts": [asdict(part) for part in self.parts],
        }
        return orjson.dumps(summary, option=orjson.OPT_INDENT_2) + b"\n"

    @classmethod
    def load(cls, data: bytes) -> Manifest:
        """What `dump` wrote. Raises one of `_ODD` for anything else."""
        summary = orjson.loads(data)
        if (summary["format"], summary["version"]) != (FORMAT, VERSION):
            raise ValueError("it is of another version of esclip")
        parts = tuple(_part(**part) for part in summary["parts"])
        if len(parts) > MAX_PARTS or len({part.name for part in parts}) < len(parts):
            raise ValueError("too many parts, or one twice")
        fields = tuple(Field(name, FieldType(kind)) for name, kind in summary["fields"].items())
        passed = {kind: _count(number, MAX_COUNT) for kind, number in summary["passed_over"].items()}
        return cls(fields, parts, passed)


def _part(name: str, records: int, sha256: str) -> ManifestPart:
    if not PART_NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is no name of a part")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"{name} has no SHA-256")
    return ManifestPart(name, _count(records, MAX_PART_RECORDS), sha256)


def _count(number: Any, most: int) -> int:
    if type(number) is not int or not 0 <= number <= most:
        raise ValueError(f"{number!r:.40} is no number of records")
    return number


def is_manifest(path: Path) -> bool:
    """Whether this is the folder of a finished manifest. Web applications have a `manifest.json` as well."""
    try:
        with open_beside(path / SUMMARY) as file:
            return file.read(len(_BEGIN)) == _BEGIN
    except (OSError, ValueError):
        return False


class ManifestSource(Source):
    """The records of a manifest, or of a slice of its parts."""

    def __init__(self, folder: Path, slice: Slice | None = None) -> None:
        """Read the summary. Raises `SourceError` for one that can't be read.

        A slice of several has each so many-th part, and takes no other from the disk.
        """
        self._folder = Path.cwd() / folder
        self._manifest = _read_summary(self._folder)
        self._is_first = slice is None or slice.number == 1
        begin, step = (slice.number - 1, slice.count) if slice else (0, 1)
        self._parts = self._manifest.parts[begin::step]

    @property
    def fields(self) -> Sequence[Field]:
        """Those of the source that the manifest was made of."""
        return self._manifest.fields

    def total(self) -> int:
        """As the summary says."""
        return sum(part.records for part in self._parts)

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Those of one part after the other."""
        for place, data in self.parts():
            with owned(read_part(place, data, self.fields)) as items:
                yield from items

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """The path and the bytes of each part. Raises `SourceError` for one that is missing or damaged."""
        for part in self._parts:
            path = self._folder / part.name
            yield path_text(path), _read_part_file(path, part.sha256)

    def passed_over(self) -> Mapping[str, int]:
        """What the manifest's source has passed over, in the first slice: so that it is counted once."""
        return self._manifest.passed_over if self._is_first else {}


class PartSource(Source):
    """The records of one part."""

    def __init__(self, place: str, data: bytes, fields: Sequence[Field]) -> None:
        """`place` is what the part is called in rejections of its lines."""
        self._place = place
        self._data = data
        self._fields = fields

    @property
    def fields(self) -> Sequence[Field]:
        """Those of its manifest."""
        return self._fields

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Line by line."""
        return read_part(self._place, self._data, self._fields)


def _read_summary(folder: Path) -> Manifest:
    path = folder / SUMMARY
    try:
        with open_beside(path) as file:
            data = file.read(MAX_SUMMARY_BYTES + 1)
        if len(data) > MAX_SUMMARY_BYTES:
            raise ValueError(f"it is larger than {MAX_SUMMARY_BYTES >> 20} MiB")
        return Manifest.load(data)
    except OSError as error:
        raise SourceError(f"{path_text(path)} can't be read: {error_text(error)}") from error
    except _ODD as error:
        raise SourceError(
            f"{path_text(path)} is damaged ({error_text(error, 200)}); make the manifest again"
        ) from error


def _read_part_file(path: Path, sha256: str) -> bytes:
    try:
        with open_beside(path) as file:
            data = file.read(MAX_PART_BYTES + 1)
    except FileNotFoundError as error:
        raise SourceError(
            f"{path_text(path)} is missing, and the manifest names it; copy it there, or make the manifest "
            "again"
        ) from error
    except OSError as error:
        raise SourceError(f"{path_text(path)} can't be read: {error_text(error)}") from error
    if len(data) > MAX_PART_BYTES:
        raise SourceError(f"{path_text(path)} is larger than {MAX_PART_BYTES >> 20} MiB")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise SourceError(
            f"{path_text(path)} is not as it was written: it has another SHA-256 than the manifest says; "
            "copy it again, or make the manifest again"
        )
    return data


def pack_part(lines: Sequence[str]) -> bytes:
    """The bytes of a part."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write("".join(f"{line}\n" for line in lines).encode("ascii"))
    return bytes(sink.getvalue())


def read_part(place: str, data: bytes, fields: Sequence[Field]) -> Iterator[ImageRecord | Rejection]:
    """The records of a part, and a rejection for each line that is none. Raises `SourceError`."""
    packed = io.BytesIO(data)
    if (stream := unpack(packed)) is packed:
        raise SourceError(f"{place} can't be read: it isn't packed")
    try:
        for number, line in enumerate(text_lines(stream), start=1):
            yield _load_line(line, place, number, fields)
    except (OSError, *PACKING_ERRORS, NotText) as error:
        raise SourceError(f"{place} can't be read: {error_text(error)}") from error


def dump_line(item: ImageRecord | Rejection) -> str:
    """A record, or a row that its source could not read. Raises `SourceError` for a picture in memory."""
    if isinstance(item, Rejection):
        rejection = {**item.to_json(), "location": mask(item.location), "detail": mask(item.detail)}
        line = json.dumps({_REJECTION: rejection})
    elif record := to_read_again(item):
        line = dump_record(record)
    else:
        raise SourceError(
            f"picture {item.id!r:.80} at {item.location!r:.200} has no place to be read from again: its "
            "source gives its bytes alone, which a manifest doesn't hold; share the source itself by slices"
        )
    if len(line) > MAX_LINE_CHARS:
        detail = f"as JSON it is longer than {MAX_LINE_CHARS:,} characters"
        return dump_line(Rejection(item.id, item.location, Stage.READ, Reason.BAD_ROW, detail))
    return line


def _load_line(line: str, place: str, number: int, fields: Sequence[Field]) -> ImageRecord | Rejection:
    try:
        data = json.loads(line)
        if _REJECTION in data:
            return _load_rejection(**data[_REJECTION])
        record = load_record(line)
    except _ODD as error:
        return _bad_line(place, number, f"is no record: {error_text(error, 200)}")
    if problem := id_problem(record.id):
        return Rejection("", place, Stage.READ, Reason.BAD_ID, f"line {number}: the id {problem}")
    if not {*record.picture_fields} <= {one.name for one in PICTURE_FIELDS if one in fields}:
        return _bad_line(place, number, "has fields of a picture that the manifest does not name")
    return record


def _load_rejection(id: str, location: str, stage: str, reason: str, detail: str) -> Rejection:
    if not all(isinstance(text, str) for text in (id, location, detail)):
        raise TypeError("a rejection without texts")
    return Rejection(id, location, Stage(stage), Reason(reason), detail)


def _bad_line(place: str, number: int, problem: str) -> Rejection:
    return Rejection("", place, Stage.READ, Reason.BAD_ROW, f"line {number} {problem}")
