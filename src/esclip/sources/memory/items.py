"""What `ImageIndex.add` is given, item by item.

a picture, a path, a mapping ─► itself
a table                      ─► its rows, as mappings
any other iterable           ─► its items
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from esclip._core.arguments import is_image_array, wrong_kind
from esclip._core.types import ImageRecord, TextRecord
from esclip._errors import ConfigError, one_line

_SINGLE = (
    str,
    os.PathLike,
    bytes,
    bytearray,
    memoryview,
    io.IOBase,
    Image.Image,
    Mapping,
    ImageRecord,
    TextRecord,
)

_TAKES = (
    "pictures (paths, URLs, bytes, PIL images, arrays), mappings with a picture as image, path or url, or "
    "with a text, TextRecords, a table, or an iterable of these"
)


def open_items(records: object) -> Iterable[object]:
    """The items, which can be read as often as `records` can. Raises `ConfigError` for other values."""
    given: Any = records
    match given:
        case _ if isinstance(given, _SINGLE) or is_image_array(given):
            return [given]
        case _ if hasattr(given, "itertuples"):
            return _TableRows(given)
        case _ if hasattr(given, "__arrow_c_stream__") and hasattr(given, "columns"):
            return _ArrowRows(given)
        case _ if hasattr(given, "__arrow_c_stream__") and hasattr(given, "schema"):
            return iter(_ArrowRows(given))  # a reader, which gives its batches once
        case np.ndarray() if not given.ndim:
            raise wrong_kind("records", given, _TAKES)
        case Iterable():
            return given
    raise wrong_kind("records", given, _TAKES)


def is_all_in_memory(items: Iterable[object]) -> bool:
    """Whether going through the items costs little and can be repeated."""
    return isinstance(items, list | tuple | set | frozenset | np.ndarray | _TableRows | _ArrowRows)


class _TableRows:
    """The rows of a pandas table; a named index is a column of it."""

    def __init__(self, table: Any) -> None:
        self._table = table.reset_index() if any(table.index.names) else table
        self._columns = _check_columns(self._table.columns)

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        for values in self._table.itertuples(index=False, name=None):
            yield dict(zip(self._columns, values, strict=True))


class _ArrowRows:
    """The rows of a table in Arrow's format."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __iter__(self) -> Iterator[Mapping[str, object]]:
        import pyarrow as pa

        reader = pa.RecordBatchReader.from_stream(self._table)
        _check_columns(reader.schema.names)
        for batch in reader:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                yield from batch.slice(start, _ROWS_AT_ONCE).to_pylist()


_ROWS_AT_ONCE = 256
"""Rows that become Python objects at once: each may have a picture."""


def _check_columns(names: Iterable[object]) -> list[str]:
    """The names of a table's columns. Raises `ConfigError` for those that aren't texts, or stand twice."""
    columns: list[str] = []
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"a column is named {one_line(repr(name), 80)}; a column's name is a text")
        if name in columns:
            raise ConfigError(f"there are two columns named {one_line(name, 80)!r}; rename one")
        columns.append(name)
    return columns
