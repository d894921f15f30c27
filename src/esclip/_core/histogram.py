"""Ranges of equal width that hold all values of a field, at round numbers. The same for every store.

minimum, maximum ─► the least round width of which 20 suffice ─► ranges at its multiples

Round are 1, 2 and 5 with zeros; of dates also parts of minutes, hours and days, weeks, months and years.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count, pairwise
from typing import TypeAlias

from esclip._core.schema import FieldType

MAX_BUCKETS = 20

Range: TypeAlias = tuple[int | float, int | float | None]
"""Where a range begins, and where the next one does; None: the type has no higher value."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

_SECOND = 1000
_DAY = 86_400 * _SECOND
_MONDAY = 4 * _DAY
"""The first one after the epoch."""
_WIDTHS = (
    *(m * 10**n for n in range(3) for m in (1, 2, 5)),
    *(_SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(60 * _SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(3600 * _SECOND * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7)),
)
"""Of ranges of dates that are shorter than months, in milliseconds."""
_MONTHS = (1, 3, 6, *(12 * m * 10**n for n in range(4) for m in (1, 2, 5)))
"""Of the longer ones, in months."""


def split_range(kind: FieldType, minimum: int | float, maximum: int | float) -> list[Range]:
    """The ranges from below the minimum to above the maximum; dates are milliseconds since the epoch."""
    if kind is FieldType.DATE:
        return _split_dates(int(minimum), int(maximum))
    if kind is FieldType.INTEGER:
        return _split_integers(int(minimum), int(maximum))
    return _split_floats(float(minimum), float(maximum))


def to_milliseconds(moment: datetime) -> int:
    """A date as milliseconds since the epoch."""
    return (moment - EPOCH) // MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """The date that is so many milliseconds after the epoch."""
    return EPOCH + milliseconds * MILLISECOND


def _split_integers(minimum: int, maximum: int) -> list[Range]:
    width = next(width for width in _round_numbers() if maximum // width - minimum // width < MAX_BUCKETS)
    edges = [number * width for number in range(minimum // width, maximum // width + 2)]
    return _ranges(edges, -(2**63), 2**63 - 1)


def _round_numbers() -> Iterator[int]:
    return (digit * 10**zeros for zeros in count() for digit in (1, 2, 5))


def _split_floats(minimum: float, maximum: float) -> list[Range]:
    """In fractions of what floats are written as: an edge is the float that is nearest to a round number."""
    low, high = Fraction(repr(minimum)), Fraction(repr(maximum))
    if low == high:
        width = Fraction(10) ** _magnitude(abs(low) or Fraction(1))
    else:
        least = _magnitude((high - low) / MAX_BUCKETS) - 1
        widths = (digit * Fraction(10) ** power for power in count(least) for digit in (1, 2, 5))
        width = next(width for width in widths if high // width - low // width < MAX_BUCKETS)
    edges = [_to_float(low // width * width)]
    for number in count(low // width + 1):
        edges.append(_to_float(number * width))
        if edges[-1] > maximum:
            break
    edges = [*dict.fromkeys(edges)]
    while edges[1] <= minimum:  # where floats are not as close as round numbers
        del edges[0]
    return _ranges(edges, -sys.float_info.max, sys.float_info.max)


def _magnitude(number: Fraction) -> int:
    """The power of ten just below a number, or one lower."""
    return math.floor(math.log10(number.numerator) - math.log10(number.denominator))


def _to_float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _split_dates(minimum: int, maximum: int) -> list[Range]:
    for width in _WIDTHS:
        start = _MONDAY if width == 7 * _DAY else 0
        first, last = (minimum - start) // width, (maximum - start) // width
        if last - first < MAX_BUCKETS:
            return _date_ranges([start + number * width for number in range(first, last + 2)])
    first_month, last_month = _month_of(minimum), _month_of(maximum)
    months = next(n for n in _MONTHS if last_month // n - first_month // n < MAX_BUCKETS)
    numbers = range(first_month // months, last_month // months + 2)
    return _date_ranges([_milliseconds_of_month(number * months) for number in numbers])


def _date_ranges(edges: list[int]) -> list[Range]:
    first = datetime.min.replace(tzinfo=UTC)
    last = datetime.max.replace(tzinfo=UTC)
    return _ranges(edges, to_milliseconds(first), to_milliseconds(last))


def _month_of(milliseconds: int) -> int:
    """Months since the year 0."""
    moment = from_milliseconds(milliseconds)
    return 12 * moment.year + moment.month - 1


def _milliseconds_of_month(month: int) -> int:
    """Its beginning; before and after the calendar by as much as suffices."""
    year = month // 12
    if not 1 <= year <= 9999:
        return to_milliseconds(EPOCH.replace(year=1 if year < 1 else 9999)) + (-1 if year < 1 else 366 * _DAY)
    return to_milliseconds(datetime(year, month % 12 + 1, 1, tzinfo=UTC))


def _ranges(edges: list[int] | list[float], lowest: int | float, highest: int | float) -> list[Range]:
    """The ranges between edges, within what the type has."""
    return [(max(start, lowest), end if end <= highest else None) for start, end in pairwise(edges)]
