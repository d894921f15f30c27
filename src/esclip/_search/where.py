"""What users give as `where`, in values of Python's own types: expressions as they are, values by field name.

Values may be NumPy's, pandas's, dates, sets, series. Neither library is imported: their values are recognized
by the names of their types, or by what they can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import islice
from numbers import Integral, Real
from typing import Any, TypeAlias

from esclip._core.filter_limits import MAX_VALUES
from esclip._core.filters import Prefix
from esclip._errors import ConfigError, one_line
from esclip._search.options import Where

Plain: TypeAlias = str | int | float | bool | datetime | date

Given: TypeAlias = Plain | Prefix
"""A value of a filter: what a field has, or the beginning of it."""


def normalize_where(where: Where | None) -> str | tuple[str, ...] | dict[str, tuple[Given, ...]]:
    """The filter with values of Python's own types; an iterator is read once, None is an empty filter.

    Raises `ConfigError` for what is no filter, and for values that no field can have.
    """
    if where is None:
        return ()
    if isinstance(where, str):
        return str.__str__(where)
    if isinstance(where, Mapping):
        return {
            _require_text(name): _normalize_values(_require_text(name), given)
            for name, given in where.items()
        }
    texts = tuple(islice(where, MAX_VALUES)) if isinstance(where, Iterable) else (where,)
    if all(isinstance(text, str) for text in texts):
        return tuple(map(str.__str__, texts))
    raise ConfigError(
        "a filter is an expression such as 'width>=4000', a list of them, or values by field name as "
        f"{{'country': ['Norway', 'Sweden']}}, not {_describe(where)}"
    )


def _normalize_values(name: str, given: Any) -> tuple[Given, ...]:
    """The value, or each value of a collection."""
    if isinstance(given, str | bytes | Mapping | Prefix) or getattr(given, "ndim", 1) == 0:
        return (_normalize_value(name, given),)
    try:
        values = iter(given)
    except TypeError:
        return (_normalize_value(name, given),)
    return tuple(_normalize_value(name, value) for value in islice(values, MAX_VALUES + 1))


def _require_text(name: Any) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"a filter's field is named by text, not by {_describe(name)}")
    return str.__str__(name)


def _normalize_value(name: str, value: Any) -> Given:
    """The value in one of Python's own types, not in a subclass of one: JSON encoders refuse those."""
    if isinstance(value, Prefix):
        if not isinstance(value.text, str):
            raise ConfigError(f"filter {name}: Prefix takes text, not {_describe(value.text)}")
        return Prefix(str.__str__(value.text))
    if _is_missing(value):
        raise ConfigError(
            f"filter {name}: {value} is no value to compare with; leave it out, or find documents without "
            f"one by the expression '!exists({name})'"
        )
    is_duration = type(value).__name__ == "timedelta64"  # NumPy registers it as Integral
    match value:
        case str():
            return str.__str__(value)
        case bool():
            return value
        case datetime():  # pandas's methods warn when they drop nanoseconds
            moment = value.year, value.month, value.day, value.hour, value.minute, value.second
            return datetime(*moment, value.microsecond, value.tzinfo, fold=value.fold)
        case date():
            return date(value.year, value.month, value.day)
        case Integral() if not is_duration:
            return int(value)
        case Real() if not is_duration:
            # 2.8 as float32 means 2.8, not 2.799999952316284
            return float(str(value) if _is_of(value, "numpy") else value)
    return _convert_foreign(name, value)


def _convert_foreign(name: str, value: Any) -> Given:
    kind = type(value).__name__
    if _is_of(value, "numpy") and kind in ("bool_", "bool"):
        return bool(value)
    if _is_of(value, "numpy") and kind == "datetime64":
        moment = _from_datetime64(value)
        if moment is not None:
            return moment
    if _is_of(value, "numpy") and kind == "ndarray" and value.ndim == 0:
        return _normalize_value(name, value[()])
    if _is_of(value, "decimal"):
        return float(value)
    raise ConfigError(
        f"filter {name}: a filter takes text, numbers, true or false, dates, or several of these, not "
        f"{_describe(value)}"
    )


def _from_datetime64(value: Any) -> Plain | None:
    """A `datetime64`, which may be a year or a month; None outside of the calendar."""
    text = str(value)
    if len(text) in (4, 7):
        return text
    moment = value.astype("datetime64[D]" if len(text) == 10 else "datetime64[us]").item()
    return moment if isinstance(moment, date) else None


def _is_missing(value: Any) -> bool:
    """Whether it is None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Real):
        return bool(value != value)
    return type(value).__name__ == "datetime64" and str(value) == "NaT"


def _is_of(value: Any, library: str) -> bool:
    return type(value).__module__.partition(".")[0] == library


def _describe(value: Any) -> str:
    return one_line(f"{type(value).__name__} {value!r:.200}", 60)
