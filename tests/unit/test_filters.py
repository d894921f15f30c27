"""Filters: words become typed conditions, and what doesn't fit is refused with a hint."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from esclip import ConfigError, Field, FieldType
from esclip._core.filters import (
    AllOf,
    AnyOf,
    Condition,
    Exists,
    HasWords,
    Inside,
    Near,
    Not,
    OneOf,
    Prefix,
    Range,
    StartsWith,
    Value,
)
from esclip._errors.escaping import escape
from esclip._search.filter_parser import parse_filter
from esclip._search.options import Where

FIELDS = [Field(kind.value, kind) for kind in FieldType]
KEYWORD, KEYWORDS, TEXT, INTEGER, FLOAT, BOOLEAN, DATE, PLACE = FIELDS
SNOW, DOG = HasWords((("snow",),)), HasWords((("dog",),))
A, B, YES = OneOf(KEYWORD, ("a",)), OneOf(KEYWORD, ("b",)), OneOf(BOOLEAN, (True,))


def day(year: int, month: int, day: int = 1) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("field", "given", "typed"),
    [
        ("keyword", "Norway", "Norway"),
        ("keyword", "", ""),
        ("keywords", "red", "red"),
        ("integer", "4000", 4000),
        ("integer", -(2**63), -(2**63)),
        ("float", "2.8", 2.8),
        ("float", 3, 3.0),
        ("boolean", "t", True),
        ("boolean", "False", False),
        ("boolean", True, True),
        ("date", "2024-05-01T12:30:00Z", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("date", "2024-05-01 14:30+02:00", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("date", day(2024, 5), day(2024, 5)),
    ],
)
def test_a_value_gets_the_fields_type(field: str, given: Value, typed: Value) -> None:
    """Text from the command line and values from Python mean the same."""
    (condition,) = parse_filter({field: given}, FIELDS)
    assert isinstance(condition, OneOf)
    assert condition.field.name == field
    assert condition.values == (typed,)
    assert type(condition.values[0]) is type(typed)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("keyword=Norway", OneOf(KEYWORD, ("Norway",))),
        ("keyword = New Zealand ", OneOf(KEYWORD, ("New Zealand",))),
        ("keyword=Norway,Sweden", OneOf(KEYWORD, ("Norway", "Sweden"))),
        ('keyword="a, b | c","say ""hi"""', OneOf(KEYWORD, ("a, b | c", 'say "hi"'))),
        ("keyword=IMG (1).jpg", OneOf(KEYWORD, ("IMG (1).jpg",))),
        ("keyword=it's 5\"", OneOf(KEYWORD, ("it's 5\"",))),
        ("keyword=a=b", OneOf(KEYWORD, ("a=b",))),
        ("keyword=Trinidad and Tobago", OneOf(KEYWORD, ("Trinidad and Tobago",))),
        ("keyword!=Norway", Not(OneOf(KEYWORD, ("Norway",)))),
        ("words~Snow dogs", HasWords((("snow",), ("dog",)))),
        ('words ~ "the snow" & keyword=a', AllOf((HasWords((("snow",),)), A))),
        ("words~snow,dog & !words~cat", AllOf((AnyOf((SNOW, DOG)), Not(HasWords((("cat",),)))))),
        ("words!~snow", Not(SNOW)),
        ("words~Troms\u00f8", HasWords((("tromso", "troms\u00f8"),))),
        ({"words": "Snow dog"}, HasWords((("snow",), ("dog",)))),
        ({"words": ["snow", "dog"]}, AnyOf((SNOW, DOG))),
        ("keyword=IMG*", StartsWith(KEYWORD, ("IMG",))),
        ("keywords = IMG (1)* , DSC_* ", StartsWith(KEYWORDS, ("IMG (1)", "DSC_"))),
        ('keyword!="a, ""b"" *"*', Not(StartsWith(KEYWORD, ('a, "b" *',)))),
        ("keyword=a,b*", AnyOf((A, StartsWith(KEYWORD, ("b",))))),
        ("keyword=Z\u00fc*", StartsWith(KEYWORD, ("Z\u00fc", "Zu\u0308"))),
        ({"keyword": Prefix("IMG")}, StartsWith(KEYWORD, ("IMG",))),
        (
            {"keywords": ["a*", Prefix("b*")]},
            AnyOf((OneOf(KEYWORDS, ("a*",)), StartsWith(KEYWORDS, ("b*",)))),
        ),
        ("integer>=4000", Range(INTEGER, at_least=4000)),
        ("float<2.8", Range(FLOAT, below=2.8)),
        ("integer>-1 & integer<=7", AllOf((Range(INTEGER, above=-1), Range(INTEGER, at_most=7)))),
        ("keyword=a|keyword=b&boolean=t", AnyOf((A, AllOf((B, YES))))),
        ("(keyword=a|keyword=b)&!boolean=t", AllOf((AnyOf((A, B)), Not(YES)))),
        ("!(keyword=a & exists(keywords))", Not(AllOf((OneOf(KEYWORD, ("a",)), Exists(KEYWORDS))))),
        ("!exists(geo_point)", Not(Exists(PLACE))),
        ("near(geo_point, 59.91, 10.75, 50km)", Near(PLACE, 59.91, 10.75, 50_000)),
        ("near(geo_point,-59.91,-10.75,1.5 m)", Near(PLACE, -59.91, -10.75, 1.5)),
        ("inside(geo_point, -1, 170, 2, -170)", Inside(PLACE, -1, 170, 2, -170)),
        ("date=2020", Range(DATE, at_least=day(2020, 1), below=day(2021, 1))),
        ("date=2020-12", Range(DATE, at_least=day(2020, 12), below=day(2021, 1))),
        ("date=2020-02-29", Range(DATE, at_least=day(2020, 2, 29), below=day(2020, 3))),
        ("date>2020-05", Range(DATE, at_least=day(2020, 6))),
        ("date<=2020", Range(DATE, below=day(2021, 1))),
        ("date>=2020-05-01", Range(DATE, at_least=day(2020, 5))),
        ("date<2020-05-01T00:00:00Z", Range(DATE, below=day(2020, 5))),
        ("date>2020-05-01T00:00:00Z", Range(DATE, above=day(2020, 5))),
        ({"keyword": ["Norway", "Sweden"]}, OneOf(KEYWORD, ("Norway", "Sweden"))),
        ({"integer": (1, 2)}, OneOf(INTEGER, (1, 2))),
    ],
)
def test_expressions(where: Where, expected: Condition) -> None:
    """An expression means the condition that it says."""
    assert parse_filter(where, FIELDS) == (expected,)


def test_several_expressions_must_all_hold() -> None:
    """Each of them is a condition of its own; none is none."""
    both = (OneOf(KEYWORD, ("a",)), Range(INTEGER, at_least=1))
    assert parse_filter(["keyword=a", "integer>=1"], FIELDS) == both
    assert parse_filter([], FIELDS) == parse_filter({}, FIELDS) == ()


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("keyword", 5),
        ("integer", "many"),
        ("integer", "1.5"),
        ("integer", str(2**63)),
        ("integer", True),
        ("float", "nan"),
        ("float", "inf"),
        ("boolean", "perhaps"),
        ("boolean", 1),
        ("date", "yesterday"),
        ("date", "2020-13"),
        ("date", "9999"),
        ("text", "a whole sentence"),
        ("geo_point", "61,8"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(field: str, given: Value) -> None:
    """The error names field and value, and says what the field takes."""
    with pytest.raises(ConfigError, match=rf"filter {field}=.*{field} (takes|holds)"):
        parse_filter({field: given}, FIELDS)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("", "a test such as FIELD=VALUE is missing at the end"),
        ("keyword", "a test such as FIELD=VALUE is missing before 'keyword'"),
        ("keyword=a &", "FIELD=VALUE is missing at the end"),
        ("(keyword=a", r"a \) is missing at the end"),
        ("keyword=a)", "an & or a | is missing before '\\)'"),
        ("keyword=a,b(c", r"an & or a \| is missing before '\(c'"),
        ("keyword>a", "keyword has no order, so that > can't be used"),
        ("boolean>=t", "boolean has no order"),
        ("near(geo_point, 59, 10, 50)", "write near"),
        ("near(geo_point, 91, 10, 5km)", "write near"),
        ("near(geo_point, 59, 10)", "write near"),
        ("near(keyword, 59, 10, 5km)", "keyword holds no places"),
        ("inside(geo_point, 1, 2, 3)", "write inside"),
        ("exists(keyword, 5)", "exists"),
        ("exists(nothing)", "no such field"),
        ("integer>=1,2", "integer"),
    ],
)
def test_what_cannot_be_read_is_told(where: str, said: str) -> None:
    """The error quotes the expression, and says what is missing where."""
    with pytest.raises(ConfigError, match=said):
        parse_filter(where, FIELDS)


def test_an_unknown_field_names_the_nearest() -> None:
    """A slip of the keyboard is told; where nothing is near, all fields are."""
    with pytest.raises(ConfigError, match="did you mean 'boolean'"):
        parse_filter("bolean=t", FIELDS)
    with pytest.raises(ConfigError, match="it has: boolean, date"):
        parse_filter({"zzz": "t"}, FIELDS)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("keyword='Norway'", 'what is to be quoted goes in double quotes: keyword="Norway"'),
        ("keyword='Oslo, Norway'", 'goes in double quotes: keyword="Oslo, Norway"'),
        ("keyword=“Norway”", 'goes in double quotes: keyword="Norway"'),
        ("keywords!=`red`", 'goes in double quotes: keywords!="red"'),
        ("keyword=~car", 'there is no =~; .* as a text it goes in double quotes: keyword="~car"'),
        ("keyword===car", "there is no =="),
        ("keyword=!car", "there is no =!"),
        ("keyword=>car", "there is no =>"),
        ("integer=>5", "there is no =>"),
        ("words~---", "'---' has no word to look for"),
        ("words~snow*", r"words are compared whole, apart from their endings; leave out the \*"),
        ("words=snow", "documents that have some words are found by words~"),
        ("words>snow", "documents that have some words are found by words~"),
        ("text~snow", "the words of one field alone are not indexed, .* write words~"),
        ("keyword!~snow", "write words!~"),
        ("words~snow keyword=a", "an & or a | is missing before keyword="),
        ("keyword=a words~snow", "an & or a | is missing before words~"),
        ("text=snow", "words~WORD finds their words"),
        ({"words": ""}, "'' has no word to look for"),
        ({"words": 5}, "'5' has no word to look for"),
        ("keyword=I*G", r'a \* stands for the rest of a text, .* in double quotes: keyword="I\*G"'),
        ("keyword=*G", r"a \* stands for the rest of a text, and only after it"),
        ('keyword=""*', r"every text begins with nothing; exists\(keyword\)"),
        ('keyword="a"*b', r"an & or a \| is missing before 'b'"),
        ("integer=40*", r"a \* stands for the rest of a text, and integer takes a whole number"),
        ("date=2020*", r"a \* stands for the rest of a text, and date takes a date"),
        ("text=snow*", r"a \* stands for the rest of a text, and text holds sentences"),
        ("integer>40*", r"> compares with a whole value, not with its beginning"),
        ("keyword=\udcff*", "is no valid Unicode"),
        ("keyword=*", r"exists\(keyword\) finds any"),
        ("keyword=a and integer>5", "an & or a | is missing before and integer>"),
        ("keyword=a integer>5", "an & or a | is missing before integer>"),
        ("keyword=a or exists(geo_point)", r"an & or a | is missing before or exists\("),
        ("keyword=a and not boolean=t", "an & or a | is missing before and not boolean="),
        ("inside(geo_point, 71, 4, 57, 31)", "its south 71 is north of its north 57"),
        ("near(geo_point, 151.2, -33.9, 5km)", "no latitude 151.2 with .* exchanged"),
        ("near(geo_point, 200, 10, 5km)", "no latitude 200"),
        ("near(geo_point, nan, 10, 5km)", "no latitude nan"),
        ("inside(geo_point, 0, 0, 0, inf)", "no latitude 0 with longitude inf"),
        ("date=2020-W19", "date takes a date"),
        ("date=202005", "date takes a date"),
        ("date=1588723200", "date takes a date"),
        ("date>=0001-01-01T00:00:00+14:00", "date takes a date"),
        ("date<9999-12-31T23:59:59-14:00", "date takes a date"),
        ("date=9999-12-31", "date takes a date"),
        ("integer=" + "9" * 5000, "integer takes a whole number"),
        ("float>1e999", "float takes a number"),
        ("float=-inf", "float takes a number"),
        ("keyword=a,\udcff,b", "is no valid Unicode"),
        ("k\udcff=a", "FIELD=VALUE is missing"),
    ],
)
def test_what_was_meant_otherwise_is_told(where: Where, said: str) -> None:
    """Quotes, patterns and operators of other languages, and what is no value, are told in a short line."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse_filter(where, FIELDS)
    assert len(str(caught.value)) < 400
    assert str(caught.value) == escape(str(caught.value))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("keyword==car", "car"),
        ("keyword == car", "car"),
        ('keyword="=car"', "=car"),
        ('keyword="IMG*"', "IMG*"),
        ("keyword=\"'Norway'\"", "'Norway'"),
        ("keyword='s-Hertogenbosch", "'s-Hertogenbosch"),
        ("keyword=rock and roll", "rock and roll"),
        ("keyword=a near (b)", "a near (b)"),
        ('keyword="a and integer>5"', "a and integer>5"),
    ],
)
def test_what_is_meant_as_text(where: str, value: str) -> None:
    """Two equals signs are one, and in double quotes a value may be anything."""
    assert parse_filter(where, FIELDS) == (OneOf(KEYWORD, (value,)),)


def test_days_that_adjoin_are_one_time() -> None:
    """A list of days is as few ranges as it can be; moments beside it stay what they are."""
    noon = datetime(2021, 5, 5, 12, tzinfo=UTC)
    (condition,) = parse_filter("date=2020-01-02,20200101,2020-01-03,2020-02,2021-05-05T12:00:00Z", FIELDS)
    first = Range(DATE, at_least=day(2020, 1), below=day(2020, 1, 4))
    assert condition == AnyOf(
        (OneOf(DATE, (noon,)), first, Range(DATE, at_least=day(2020, 2), below=day(2020, 3)))
    )
    assert parse_filter("date=20200506", FIELDS) == parse_filter("date=2020-05-06", FIELDS)
