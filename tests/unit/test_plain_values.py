"""Filter values as notebooks have them: what NumPy, pandas and iterators hand over means what it says."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from esclip import ConfigError, Field, FieldType, Query
from esclip._core.filters import Condition, OneOf, Range
from esclip._search.filter_parser import parse_filter

FIELDS = [Field(kind.value, kind) for kind in FieldType]
KEYWORD, KEYWORDS, TEXT, INTEGER, FLOAT, BOOLEAN, DATE, PLACE = FIELDS
MAY = Range(DATE, at_least=datetime(2020, 5, 1, tzinfo=UTC), below=datetime(2020, 6, 1, tzinfo=UTC))
SIXTH = Range(DATE, at_least=datetime(2020, 5, 6, tzinfo=UTC), below=datetime(2020, 5, 7, tzinfo=UTC))
NOON = OneOf(DATE, (datetime(2020, 5, 6, 12, tzinfo=UTC),))


def words(*values: str) -> Condition:
    return OneOf(KEYWORD, values)


@pytest.mark.parametrize(
    ("field", "given", "expected"),
    [
        ("keyword", np.str_("a"), words("a")),
        ("keyword", {"a"}, words("a")),
        ("keyword", frozenset(["a"]), words("a")),
        ("keyword", (c for c in "ab"), words("a", "b")),
        ("keyword", {"a": 1, "b": 2}.keys(), words("a", "b")),
        ("keyword", np.array(["a", "b"]), words("a", "b")),
        ("keyword", np.array(["a", "b"], dtype=object), words("a", "b")),
        ("keyword", np.array("a"), words("a")),
        ("keyword", pd.Series(["a", "b"]), words("a", "b")),
        ("keyword", pd.Series(["a", "b"], dtype="string"), words("a", "b")),
        ("keyword", pd.Series(["a", "b"], dtype="category"), words("a", "b")),
        ("keyword", pd.Index(["a", "b"]), words("a", "b")),
        ("keyword", [], words()),
        ("keywords", pd.Series(["a"]).unique(), OneOf(KEYWORDS, ("a",))),
        ("integer", np.int64(5), OneOf(INTEGER, (5,))),
        ("integer", np.uint8(5), OneOf(INTEGER, (5,))),
        ("integer", 5.0, OneOf(INTEGER, (5,))),
        ("integer", range(3), OneOf(INTEGER, (0, 1, 2))),
        ("integer", np.arange(3), OneOf(INTEGER, (0, 1, 2))),
        ("integer", pd.Series([1, 2], dtype="Int64"), OneOf(INTEGER, (1, 2))),
        ("float", np.float32(2.8), OneOf(FLOAT, (2.8,))),
        ("float", np.float64(2.8), OneOf(FLOAT, (2.8,))),
        ("float", np.array([2.8], dtype=np.float16), OneOf(FLOAT, (2.8,))),
        ("float", Decimal("2.8"), OneOf(FLOAT, (2.8,))),
        ("float", np.int32(3), OneOf(FLOAT, (3.0,))),
        ("boolean", np.bool_(True), OneOf(BOOLEAN, (True,))),
        ("boolean", np.array([True, False]), OneOf(BOOLEAN, (True, False))),
        ("date", date(2020, 5, 6), SIXTH),
        ("date", [date(2020, 5, 6)], SIXTH),
        ("date", np.datetime64("2020-05-06"), SIXTH),
        ("date", np.datetime64("2020-05"), MAY),
        ("date", np.datetime64("2020-05-06T12"), NOON),
        ("date", np.datetime64("2020-05-06T12:00:00.000000000"), NOON),
        ("date", np.array(["2020-05-06T12:00"], dtype="datetime64[ns]"), NOON),
        ("date", pd.Timestamp("2020-05-06T12:00"), NOON),
        ("date", pd.Timestamp("2020-05-06T14:00", tz="Europe/Oslo"), NOON),
        ("date", pd.Timestamp("2020-05-06T12:00:00.000000007"), NOON),
        ("date", pd.to_datetime(pd.Series(["2020-05-06 12:00"])), NOON),
        ("date", pd.to_datetime(pd.Series(["2020-05-06"])).dt.date, SIXTH),
        ("date", datetime(2020, 5, 6, 12), NOON),
        ("date", datetime(2020, 5, 6, 14, tzinfo=timezone(timedelta(hours=2))), NOON),
    ],
)
def test_what_notebooks_have(field: str, given: Any, expected: Condition) -> None:
    """It means the same as Python's own, and no type of a library reaches a store."""
    (condition,) = parse_filter({field: given}, FIELDS)
    assert condition == expected
    if isinstance(condition, OneOf):
        assert {type(value) for value in condition.values} <= {str, int, float, bool, datetime}


@pytest.mark.parametrize(
    "missing", [None, math.nan, np.nan, pd.NA, pd.NaT, np.datetime64("NaT"), np.float32("nan")]
)
@pytest.mark.parametrize("field", ["keyword", "float", "date"])
def test_no_value(field: str, missing: Any) -> None:
    """What stands for no value is refused, also among others, with the way to find such documents."""
    for given in (missing, [missing]):
        with pytest.raises(ConfigError, match=rf"filter {field}: .* is no value .*'!exists\({field}\)'"):
            parse_filter({field: given}, FIELDS)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"keyword": b"a"}, "takes text, numbers, .* not bytes"),
        ({"keyword": {"a": 1}}, "takes text, numbers, .* not dict"),
        ({"keyword": np.array([["a"]])}, "takes text, numbers, .* not ndarray"),
        ({"keyword": pd.DataFrame({"a": [[1]]})["a"]}, "takes text, numbers, .* not list"),
        ({"date": timedelta(1)}, "takes text, numbers, .* not timedelta"),
        ({"date": np.timedelta64(1, "D")}, "takes text, numbers, .* not timedelta64"),
        ({"date": np.datetime64("20000-01-01")}, "takes text, numbers, .* not datetime64"),
        ({"date": 20200506}, "date takes a date"),
        ({"keyword": np.int64(5)}, "keyword takes text"),
        ({"keyword": date(2020, 5, 6)}, "keyword takes text"),
        ({"integer": 5.5}, "integer takes a whole number"),
        ({"integer": [1, "many"]}, "integer=1,many: 'many': integer takes a whole number"),
        ({"float": 10**400}, "float takes a number"),
        ({5: "a"}, "a filter's field is named by text, not by int 5"),
        (5, "a filter is an expression .* not int 5"),
        (b"keyword=a", "a filter is an expression .* not bytes"),
        ([{"keyword": "a"}], "a filter is an expression .* not list"),
    ],
)
def test_what_is_no_filter(where: Any, said: str) -> None:
    """The error says what is taken, in one line."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse_filter(where, FIELDS)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_query_reads_values_once() -> None:
    """A query whose filter came from an iterator can be searched for again."""
    query = Query(where={"keyword": (c for c in "ab")})
    where = query.options["where"]
    assert parse_filter(where, FIELDS) == parse_filter(where, FIELDS) == (words("a", "b"),)
    query = Query(where=np.array(["keyword=a", "integer>5"]))
    assert query.options["where"] == ("keyword=a", "integer>5")


def test_pandas_is_not_imported() -> None:
    """To read filters loads no pandas."""
    code = "import sys, esclip._search.filter_parser; print('pandas' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
