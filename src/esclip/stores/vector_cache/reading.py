"""Reads a vector cache, which anybody may have written: all that it says is checked.

folder ─► open_cache ─► VectorCache ─► tables: page by page, what was written last first
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from esclip._core.document_tables import OWN_COLUMNS, table_schema
from esclip._core.schema import IndexSchema
from esclip._errors import ErrorTable, SourceError, error_text, map_errors, one_line
from esclip._files.regular import open_regular
from esclip.stores.vector_cache.parts import (
    PART_NAME,
    SCHEMA_KEY,
    SUMMARY,
    UNFINISHED_SUMMARY,
    VERSION,
    Part,
    Summary,
    part_files,
)

PAGE_ROWS = 4096
"""Documents of a page: 8 MB with 512 dimensions."""

MAX_SUMMARY = 1 << 26
"""Bytes: 64 MiB have a hundred thousand parts."""

MAX_SCHEMA = 1 << 22
"""Bytes of a schema, which has thousands of fields at most."""


def _unreadable(error: BaseException, path: Path) -> SourceError:
    return SourceError(f"{_shown(path)} can't be read: {error_text(error, 200)}")


def _damaged(error: BaseException, path: Path) -> SourceError:
    return SourceError(
        f"{_shown(path)} is damaged: {error_text(error, 200)}; remove it, and what it has is encoded again"
    )


PARQUET_ERRORS = (((OSError, pa.ArrowException), _unreadable),)

DAMAGE = (((OSError, pa.ArrowException), _damaged),)
"""Of a part that more is to be added to."""


@dataclass(frozen=True, slots=True)
class VectorCache:
    """A finished cache."""

    folder: Path
    schema: IndexSchema
    summary: Summary

    @property
    def rows(self) -> int:
        """The number of documents."""
        return self.summary.rows

    def tables(self) -> Iterator[pa.Table]:
        """Pages with the columns of `table_schema`, vectors as they are.

        What was written last comes first: of documents with one id, it counts. Raises `SourceError`.
        """
        for part in reversed(self.summary.parts):
            path = self.folder / part.name
            with map_errors(PARQUET_ERRORS, path), open_regular(path) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != part.sha256:
                    raise SourceError(
                        f"{_shown(path)} is damaged: it is not the file that {SUMMARY} names; copy it again"
                    )
                file.seek(0)
                yield from _pages(file, path, self.schema)


def is_part(path: Path) -> bool:
    """Whether a Parquet file was written by esclip."""
    try:
        return SCHEMA_KEY in (pq.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def open_cache(folder: Path) -> VectorCache:
    """The cache in a folder. Raises `SourceError` for one that isn't there, isn't finished, or is damaged."""
    path = folder / SUMMARY
    if not path.exists():
        if not folder.is_dir():
            raise SourceError(f"{_shown(folder)} is no folder with a vector cache")
        raise SourceError(f"{_shown(folder)} is not finished: it has no {SUMMARY}; write it to its end first")
    summary = _read_summary(path)
    for part in summary.parts:
        _check_part(folder / part.name, part)
    return VectorCache(folder, part_schema(folder / summary.parts[-1].name), summary)


def part_schema(path: Path, errors: ErrorTable = PARQUET_ERRORS) -> IndexSchema:
    """The schema of the index as it was when a part was finished. Raises `SourceError`."""
    with map_errors(errors, path):
        kept = pq.read_schema(path).metadata or {}
    return _parse_schema(kept.get(SCHEMA_KEY), path)


def check_parts(folder: Path) -> dict[str, Part]:
    """The parts of a cache that is to be extended, by name. Raises `SourceError` for a damaged one.

    Each has to be the file that was written; one that was written just before a kill is read whole.
    """
    summaries = [folder / name for name in (SUMMARY, UNFINISHED_SUMMARY) if (folder / name).exists()]
    known = {part.name: part for path in summaries for part in _read_summary(path).parts}
    found: dict[str, Part] = {}
    for path in part_files(folder):
        with map_errors(DAMAGE, path):
            part = found[path.name] = _measure(path)
            if known.get(path.name, part) != part:
                raise OSError("it is not the file that was written")
            if path.name not in known:
                _read_through(path)
    return found


def summarize(folder: Path, known: Mapping[str, Part]) -> Summary:
    """What a cache consists of: the parts that are known, others as they are. Raises `SourceError`."""
    with map_errors(PARQUET_ERRORS, folder):
        return Summary(tuple(known.get(path.name) or _measure(path) for path in part_files(folder)))


def _measure(path: Path) -> Part:
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Part(path.name, pq.read_metadata(path).num_rows, path.stat().st_size, digest)


def _read_through(path: Path) -> None:
    """Compare all pages with their checksums."""
    with open_regular(path) as file, closing(pq.ParquetFile(file, page_checksum_verification=True)) as part:
        for _ in part.iter_batches(PAGE_ROWS):
            pass


def _read_summary(path: Path) -> Summary:
    with map_errors(PARQUET_ERRORS, path), open_regular(path) as file:
        text = file.read(MAX_SUMMARY + 1)
    return _parse_summary(text, path)


def _parse_summary(text: bytes, path: Path) -> Summary:
    try:
        if len(text) > MAX_SUMMARY:
            raise ValueError("it is too long")
        data = orjson.loads(text)
        if data["version"] != VERSION:
            raise ValueError(f"it is of version {data['version']!r:.20}")
        summary = Summary(tuple(map(_parse_part, data["parts"])))
        if not summary.parts:
            raise ValueError("it names no part")
        if len({part.name for part in summary.parts}) < len(summary.parts):
            raise ValueError("it names a part twice")
        if (data["rows"], data["digest"]) != (summary.rows, summary.digest):
            raise ValueError("its counts or its digest don't fit its parts")
    except (LookupError, TypeError, ValueError) as error:
        raise SourceError(
            f"{_shown(path)} is no summary of a vector cache: {error_text(error, 200)}"
        ) from error
    return summary


def _parse_part(data: Any) -> Part:
    part = Part(**data)
    if not isinstance(part.name, str) or not PART_NAME.fullmatch(part.name):
        raise ValueError(f"{part.name!r:.80} is no name of a part")
    if not isinstance(part.sha256, str) or any(type(n) is not int or n < 0 for n in (part.rows, part.bytes)):
        raise ValueError("a part has no counts")
    return part


def _check_part(path: Path, part: Part) -> None:
    with map_errors(PARQUET_ERRORS, path):
        if not path.exists():
            raise SourceError(f"{_shown(path)} is missing, which {SUMMARY} names; copy it again")
        if path.stat().st_size != part.bytes:
            raise SourceError(
                f"{_shown(path)} has {path.stat().st_size:,} bytes, not the {part.bytes:,} that {SUMMARY} "
                "names; copy it again"
            )


def _parse_schema(text: bytes | None, path: Path) -> IndexSchema:
    if text is None or len(text) > MAX_SCHEMA:
        raise SourceError(f"{_shown(path)} was not written by esclip: its metadata has no schema of an index")
    try:
        return IndexSchema.from_json(orjson.loads(text))
    except ValueError as error:
        raise SourceError(
            f"{_shown(path)} has a schema that can't be read: {error_text(error, 200)}"
        ) from error


def _pages(file: Any, path: Path, schema: IndexSchema) -> Iterator[pa.Table]:
    with closing(pq.ParquetFile(file, page_checksum_verification=True)) as parquet:
        present = parquet.schema_arrow
        half = "vector" in present.names and _is_half(present.field("vector").type)
        columns = table_schema(schema, half=half)
        _check_columns(present, columns, path)
        names = [name for name in columns.names if name in present.names]
        for batch in parquet.iter_batches(PAGE_ROWS, columns=names):
            yield pa.table(
                [
                    batch[column.name] if column.name in names else pa.nulls(len(batch), column.type)
                    for column in columns
                ],
                schema=columns,
            )


def _is_half(vector: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(vector) and pa.types.is_float16(vector.value_type))


def _check_columns(present: pa.Schema, columns: pa.Schema, path: Path) -> None:
    """Raise `SourceError` for columns of other types; those of fields may be of parts that came later."""
    for column in columns:
        if column.name not in present.names and column.name not in OWN_COLUMNS:
            continue
        if column.name not in present.names:
            raise SourceError(f"{_shown(path)} has no column {one_line(column.name, 80)!r}")
        kind = present.field(column.name).type
        if kind != column.type:
            raise SourceError(
                f"{_shown(path)}: its column {one_line(column.name, 80)!r} is {one_line(str(kind), 80)}, not "
                f"{column.type}"
            )


def _shown(path: Path) -> str:
    return one_line(str(path), 300)
