"""Filters: words become typed values, and what doesn't fit is refused with a hint."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from esclip import ConfigError, Field, FieldType
from esclip._filters import Value, conditions

FIELDS = [Field(kind.value, kind) for kind in FieldType]


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
        ("date", "2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("date", "2024-05-01T12:30:00Z", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
        ("date", datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)),
    ],
)
def test_a_value_gets_the_fields_type(field: str, given: Value, typed: Value) -> None:
    """Text from the command line and values from Python mean the same."""
    (condition,) = conditions({field: given}, FIELDS)
    assert condition.field.name == field
    assert condition.value == typed
    assert type(condition.value) is type(typed)


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
        ("text", "a whole sentence"),
        ("geo_point", "61,8"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(field: str, given: Value) -> None:
    """The error names field and value, and says what the field takes."""
    with pytest.raises(ConfigError, match=rf"--where {field}=.*{field} (takes|holds)"):
        conditions({field: given}, FIELDS)


def test_an_unknown_field_names_the_nearest() -> None:
    """A slip of the keyboard is told; where nothing is near, all fields are."""
    with pytest.raises(ConfigError, match="did you mean 'boolean'"):
        conditions({"bolean": "t"}, FIELDS)
    with pytest.raises(ConfigError, match="it has: boolean, date"):
        conditions({"zzz": "t"}, FIELDS)
