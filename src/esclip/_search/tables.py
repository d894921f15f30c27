"""Results as tables of pandas, Arrow and polars: a column for each attribute, and for each metadata field.

hits, documents ─► columns: values by name ─┬─► pandas_table
                                            └─► arrow_table
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from esclip._core.types import Box, GeoPoint, Metadata, ScoreDetail
from esclip._errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_KNOWN_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("id", "location", "page", "description"), str),
    **dict.fromkeys(("score", "relevance", "percentile"), float),
    "rank": int,
}
"""Of columns of results themselves; other columns have the type of their values."""


def with_metadata(columns: dict[str, list[Any]], rows: Sequence[Metadata]) -> dict[str, list[Any]]:
    """The columns, and one for each field that one of the rows has; None where a row lacks it.

    A field that is named as one of the columns stands as `metadata.NAME`.
    """
    fields = sorted({name for row in rows for name in row})
    return columns | {
        f"metadata.{name}" if name in columns else name: [row.get(name) for row in rows] for name in fields
    }


def pandas_table(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """The columns as a table of pandas. Missing values, which are None, don't change a column's type."""
    import pandas as pd

    return pd.DataFrame(
        {name: _pandas_column(values, _type_of(name, values)) for name, values in columns.items()}
    )


def arrow_table(columns: Mapping[str, Sequence[Any]]) -> Any:
    """The columns as a `pyarrow.Table`. Dates are in UTC to the millisecond, places structs of two floats."""
    import pyarrow as pa

    return pa.table({name: _arrow_column(values, _type_of(name, values)) for name, values in columns.items()})


def polars_table(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """The same as a table of polars. Raises `ConfigError` where polars isn't installed."""
    try:
        import polars as pl
    except ImportError as error:
        raise ConfigError("tables of polars need polars: pip install 'esclip[polars]'") from error
    table: pl.DataFrame = pl.DataFrame(arrow_table(columns))
    return table


def _type_of(name: str, values: Sequence[Any]) -> type | None:
    """The type that all values of a column have; None where they have several, or there are none."""
    kinds = {type(value) for value in values if value is not None}
    return kinds.pop() if len(kinds) == 1 else None if kinds else _KNOWN_TYPES.get(name)


def _pandas_column(values: Sequence[Any], kind: type | None) -> pd.Series[Any]:
    """Integers and booleans with missing values get pandas' nullable types: as floats, large integers would
    change. Values without a column type, such as tuples, stay objects.
    """
    import pandas as pd

    has_missing = any(value is None for value in values)
    if kind is str:
        return pd.Series(list(values), dtype=pd.Series(["a text"]).dtype)  # strings as pandas has them
    if kind is int:
        return pd.Series(list(values), dtype="Int64" if has_missing else "int64")
    if kind is bool:
        return pd.Series(list(values), dtype="boolean" if has_missing else "bool")
    if kind is float:
        return pd.Series(list(values), dtype="float64")
    if kind is datetime:
        with suppress(ValueError, OverflowError):  # before pandas 3, dates of other centuries have no column
            return pd.Series(pd.to_datetime(list(values), utc=True))
    return pd.Series(list(values), dtype="object")


def _arrow_column(values: Sequence[Any], kind: type | None) -> Any:
    import pyarrow as pa

    if kind is np.ndarray:
        vectors = pa.array(np.concatenate(values))
        return pa.FixedSizeListArray.from_arrays(vectors, len(values[0]))
    floats = {named: pa.struct([(name, pa.float64()) for name in named._fields]) for named in (GeoPoint, Box)}
    types = {
        str: pa.string(),
        int: pa.int64(),
        float: pa.float64(),
        bool: pa.bool_(),
        datetime: pa.timestamp("ms", "UTC"),
        tuple: pa.list_(pa.string()),
    }
    plain = [_plain(value) for value in values]
    details = any(isinstance(one, dict) for value in plain if isinstance(value, list) for one in value)
    return pa.array(plain, None if details or kind is None else (types | floats)[kind])


def _plain(value: Any) -> Any:
    if isinstance(value, GeoPoint | Box | ScoreDetail):
        return value._asdict()
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
