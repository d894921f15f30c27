"""Values for filters as Python's own, from what notebooks have: NumPy's, pandas's, dates, sets, series.

Neither library is imported: what they hand over is known by its type's name, or by what it can do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import islice
from numbers import Integral, Real
from typing import Any, TypeAlias

from esclip._core.filter_limits import VALUES
from esclip._errors import ConfigError, one_line

__all__ = ["Plain", "Where", "plain_values", "plain_where"]

Plain: TypeAlias = str | int | float | bool | datetime | date
Where: TypeAlias = str | Iterable[str] | Mapping[str, Any]
"""An expression, several that must all hold, or values by field name, of which one must be equal."""


def plain_where(where: Where | None) -> str | tuple[str, ...] | dict[str, tuple[Plain, ...]]:
    """A filter as it was given, with Python's own values: an iterator is read once. None is no filter.

    Raises `ConfigError` for what is no filter, and for values that none can have.
    """
    if where is None:
        return ()
    if isinstance(where, str):
        return str.__str__(where)
    if isinstance(where, Mapping):
        return {_name(name): plain_values(_name(name), given) for name, given in where.items()}
    texts = tuple(islice(where, VALUES)) if isinstance(where, Iterable) else (where,)
    if all(isinstance(text, str) for text in texts):
        return tuple(map(str.__str__, texts))
    raise ConfigError(
        "a filter is an expression such as 'width>=4000', a list of them, or values by field name as "
        f"{{'country': ['Norway', 'Sweden']}}, not {_shown(where)}"
    )


def plain_values(name: str, given: Any) -> tuple[Plain, ...]:
    """The value, or each of several, of whatever type. Raises `ConfigError` for what is none."""
    if isinstance(given, str | bytes | Mapping) or getattr(given, "ndim", 1) == 0:
        return (_plain(name, given),)
    try:
        several = iter(given)
    except TypeError:
        return (_plain(name, given),)
    return tuple(_plain(name, value) for value in islice(several, VALUES + 1))


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise ConfigError(f"a filter's field is named by text, not by {_shown(name)}")
    return str.__str__(name)


def _plain(name: str, value: Any) -> Plain:
    """The value by a type of Python's own, never of a class made from it: encoders of JSON refuse those."""
    if _is_missing(value):
        raise ConfigError(
            f"filter {name}: {value} is no value to compare with; leave it out, or find documents without "
            f"one by the expression '!exists({name})'"
        )
    is_span = type(value).__name__ == "timedelta64"  # a whole number to NumPy
    match value:
        case str():
            return str.__str__(value)
        case bool():
            return value
        case datetime():  # pandas has nanoseconds, and methods that lose them only with a warning
            moment = value.year, value.month, value.day, value.hour, value.minute, value.second
            return datetime(*moment, value.microsecond, value.tzinfo, fold=value.fold)
        case date():
            return date(value.year, value.month, value.day)
        case Integral() if not is_span:
            return int(value)
        case Real() if not is_span:
            # 2.8 of 32 bits means 2.8, and not 2.799999952316284
            return float(str(value) if _is_of(value, "numpy") else value)
    return _foreign(name, value)


def _foreign(name: str, value: Any) -> Plain:
    kind = type(value).__name__
    if _is_of(value, "numpy") and kind in ("bool_", "bool"):
        return bool(value)
    if _is_of(value, "numpy") and kind == "datetime64":
        found = _day_or_moment(value)
        if found is not None:
            return found
    if _is_of(value, "numpy") and kind == "ndarray" and value.ndim == 0:
        return _plain(name, value[()])
    if _is_of(value, "decimal"):
        return float(value)
    raise ConfigError(
        f"filter {name}: a filter takes text, numbers, true or false, dates, or several of these, not "
        f"{_shown(value)}"
    )


def _day_or_moment(value: Any) -> Plain | None:
    """A `datetime64`, which may be a year or a month; None where no calendar has it."""
    text = str(value)
    if len(text) in (4, 7):
        return text
    found = value.astype("datetime64[D]" if len(text) == 10 else "datetime64[us]").item()
    return found if isinstance(found, date) else None


def _is_missing(value: Any) -> bool:
    """Whether it is one of the ways to say that there is none: None, NaN, NaT, NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Real):
        return bool(value != value)
    return type(value).__name__ == "datetime64" and str(value) == "NaT"


def _is_of(value: Any, library: str) -> bool:
    return type(value).__module__.partition(".")[0] == library


def _shown(value: Any) -> str:
    return one_line(f"{type(value).__name__} {value!r:.200}", 60)
