"""Columns of a pandas table, each of one type whatever it holds and lacks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["column"]


def column(values: Sequence[Any], kind: type | None = None) -> pd.Series[Any]:
    """The values as a column, None for what is missing; without `kind`, of the type that they all have.

    Whole numbers and truth values with gaps get pandas' own types, which have room for gaps: as floats, large
    ones would change. What has no type of a column, such as tuples, stays as it is.
    """
    import pandas as pd

    if kind is None:
        kinds = {type(value) for value in values if value is not None}
        kind = kinds.pop() if len(kinds) == 1 else None
    gaps = any(value is None for value in values)
    if kind is str:
        return pd.Series(list(values), dtype=pd.Series(["a text"]).dtype)  # strings as pandas has them
    if kind is int:
        return pd.Series(list(values), dtype="Int64" if gaps else "int64")
    if kind is bool:
        return pd.Series(list(values), dtype="boolean" if gaps else "bool")
    if kind is float:
        return pd.Series(list(values), dtype="float64")
    if kind is datetime:
        with suppress(ValueError, OverflowError):  # before pandas 3, dates of other centuries have no column
            return pd.Series(pd.to_datetime(list(values), utc=True))
    return pd.Series(list(values), dtype="object")
