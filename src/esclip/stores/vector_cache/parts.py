"""A vector cache on disk: a folder of Parquet files, which any program reads as one table.

CACHE/part-00000.parquet    65,536 documents each: the columns of `_core.document_tables.table_schema`
      _SUCCESS.json         written last: the number of documents, each part with its SHA-256, a digest of all
      _PARTS.json           the same of the parts that an encoding has finished which isn't at its end
      _texts/  _parts/      the same of the indexes beside: programs pass over names with _ in front

Each part's file metadata has the index's schema as JSON, under the key `esclip`. A part appears whole under
its name, or not at all.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from esclip._core.document_tables import table_schema
from esclip._core.index_settings import NO_SETTINGS
from esclip._core.schema import IndexSchema
from esclip._files.atomic import UNFINISHED, write_atomically

PART_ROWS = 65_536
"""Documents in a part: 130 MB with 512 dimensions."""

GROUP_ROWS = 8_192
"""Documents in a row group, which are in memory while they are written: 16 MB with 512 dimensions."""

SUMMARY = "_SUCCESS.json"
UNFINISHED_SUMMARY = "_PARTS.json"
SCHEMA_KEY = b"esclip"
VERSION = 1

_WITHOUT_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""The errors of a link where the file system has none: exFAT, a mounted bucket."""

PART_NAME = re.compile(r"part-\d{5,}\.parquet")


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a finished cache says of itself."""

    parts: tuple[Part, ...]

    @property
    def rows(self) -> int:
        """The number of documents."""
        return sum(part.rows for part in self.parts)

    @property
    def digest(self) -> str:
        """Differs where a part does."""
        lines = "".join(f"{part.name} {part.rows} {part.sha256}\n" for part in self.parts)
        return hashlib.sha256(lines.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As the summary file has it."""
        parts = [asdict(part) for part in self.parts]
        return {"version": VERSION, "rows": self.rows, "digest": self.digest, "parts": parts}


class PartWriter:
    """Writes documents into parts. To be finished, or closed without."""

    def __init__(self, folder: Path, schema: IndexSchema, *, half: bool = False) -> None:
        """The folder is there; parts of others in it stay."""
        self._folder = folder
        kept = orjson.dumps(replace(schema, settings=NO_SETTINGS).to_json())
        self._columns = table_schema(schema, half=half).with_metadata({SCHEMA_KEY: kept})
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._rows = 0
        self._writer: Any = None
        self._new: Path | None = None
        self.parts: list[Part] = []

    def write(self, table: pa.Table) -> None:
        """Write the rows of a page."""
        table = table.cast(self._columns)
        while len(table):
            head = table.slice(0, min(PART_ROWS - self._rows, GROUP_ROWS) - self._pending_rows)
            table = table.slice(len(head))
            self._pending.append(head)
            self._pending_rows += len(head)
            is_full = self._rows + self._pending_rows == PART_ROWS
            if is_full or self._pending_rows == GROUP_ROWS:
                self._write_group()
            if is_full:
                self.finish_part()

    def finish_part(self) -> None:
        """Give the part that is being written its name, if there is one."""
        self._write_group()
        if self._writer is None:
            return
        assert self._new
        self._writer.close()
        self._writer, rows, self._rows = None, self._rows, 0
        with self._new.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        size = self._new.stat().st_size
        self.parts.append(Part(_take_name(self._folder, self._new), rows, size, digest))

    def finish(self) -> Summary:
        """Finish the last part; where there is none, an empty one, which has the schema."""
        if not self.parts and not self._pending_rows and self._writer is None:
            self._open()
        self.finish_part()
        return Summary(tuple(self.parts))

    def close(self) -> None:
        """Give up the part that is being written. Closing twice is harmless."""
        if self._writer is not None:
            with suppress(OSError, pa.ArrowException):  # of a full disk, for one; the file goes anyway
                self._writer.close()
            self._writer = None
        if self._new:
            self._new.unlink(missing_ok=True)
            self._new = None
        self._pending, self._pending_rows, self._rows = [], 0, 0

    def _write_group(self) -> None:
        if self._pending_rows:
            # in one piece: the same rows become the same bytes
            group = pa.concat_tables(self._pending).combine_chunks()
            self._open().write_table(group, row_group_size=GROUP_ROWS)
            self._rows += self._pending_rows
            self._pending, self._pending_rows = [], 0

    def _open(self) -> Any:
        if self._writer is None:
            self._new = self._folder / f"{UNFINISHED}{secrets.token_hex(8)}"
            texts = [column.name for column in self._columns if column.name != "vector"]
            self._writer = pq.ParquetWriter(
                self._new, self._columns, compression="zstd", use_dictionary=texts, write_page_checksum=True
            )
        return self._writer


def _take_name(folder: Path, new: Path) -> str:
    """Give a finished file the next name that is free, whoever else writes into the folder."""
    for number in count():
        name = f"part-{number:05}.parquet"
        with suppress(FileExistsError):
            _move(new, folder / name)
            return name
    raise AssertionError


def _move(new: Path, path: Path) -> None:
    """Give a file a name. Raises `FileExistsError` where it is taken."""
    try:
        os.link(new, path)
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        path.touch(exist_ok=False)
        new.replace(path)
    else:
        new.unlink()


def write_summary(folder: Path, summary: Summary, name: str = SUMMARY) -> None:
    """Write what makes the cache a finished one, or what it has so far."""
    write_atomically(folder / name, orjson.dumps(summary.to_json(), option=orjson.OPT_INDENT_2) + b"\n")


def part_files(folder: Path) -> Sequence[Path]:
    """The parts that are there, in the order in which they were finished."""
    found = (path for path in folder.iterdir() if PART_NAME.fullmatch(path.name))
    return sorted(found, key=lambda path: (len(path.name), path.name))


def unfinished_files(folder: Path) -> Iterator[Path]:
    """What a killed export or encoding has left."""
    return (path for path in folder.iterdir() if path.name.startswith(UNFINISHED))


def remove_files(files: Sequence[Path]) -> None:
    """Remove files; those that are gone are gone."""
    for path in files:
        with suppress(FileNotFoundError):
            path.unlink()
