"""Small tables of an Unsplash dataset for tests, and what a source makes of them."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from esclip._core.types import MetadataValue
from esclip.sources import open_source
from esclip.testing.source import records_of

__all__ = ["BROKEN_ROWS", "URL", "child", "ids", "metadata", "photo", "told", "write"]

URL = "https://images.unsplash.com/photo-1"

BROKEN_ROWS = {
    "too few columns": b"x\ty",
    "too many columns": b"x\ty\tz\tzz",
    "quote never closed": b'x\t"y\tz',
    "text after a quote": b'x\t"y"y\tz',
    "NUL": b"x\ty\0\tz",
    "not UTF-8": b"x\ty\xff\tz",
    "newline inside, column missing": b'x\t"y\n\ny"',
}
"""Rows of a table with three columns that can't be read."""


def cell(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if set(value) & set('\t\n\r"') else value


def write(
    path: Path, rows: Sequence[Mapping[str, str]], *, columns: Sequence[str] = (), end: str = "\n"
) -> Path:
    columns = columns or list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(columns), *("\t".join(cell(row.get(name, "")) for name in columns) for row in rows)]
    data = (end.join(lines) + end).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def photo(id: str, **values: str) -> dict[str, str]:
    return {"photo_id": id, "photo_image_url": f"{URL}-{id}", **values}


def child(id: str, **values: str) -> dict[str, str]:
    return {"photo_id": id, **values}


def ids(folder: Path) -> list[str]:
    return [record.id for record in records_of(open_source([folder]))]


def metadata(folder: Path, **values: str) -> dict[str, MetadataValue]:
    write(folder / "photos.tsv000", [photo("a", **values)])
    [record] = records_of(open_source([folder]))
    return dict(record.metadata)


def told(folder: Path, field: str) -> dict[str, MetadataValue | None]:
    return {record.id: record.metadata.get(field) for record in records_of(open_source([folder]))}
