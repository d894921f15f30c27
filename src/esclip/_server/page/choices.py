"""What is chosen in the page's panel of facets, as parameters of its URL and as filters.

is.photographer=Ana&is.photographer=Ben   ─► photographer=Ana,Ben
min.taken_at=2019-01-01&max.taken_at=2021-12-31 ─► taken_at>=2019-01-01, taken_at<2022-01-01
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from esclip._search.filter_text import value_text

IS, MIN, MAX = "is.", "min.", "max."
"""Beginnings of parameters; the rest is a field's name."""
TITLES = {"orientation": "shape", "taken_at": "taken"}
"""Of fields whose names are no plain words."""


def is_choice(parameter: str) -> bool:
    """Whether a parameter of the page is one of these."""
    return parameter.startswith((IS, MIN, MAX))


def field_of(parameter: str) -> str:
    """The name of a choice's field."""
    return parameter.partition(".")[2]


def choice_title(parameter: str) -> str:
    """What a choice is called beside its value; any other parameter by its name."""
    if not is_choice(parameter):
        return parameter
    between = {IS: "", MIN: " from", MAX: " to"}[parameter[: parameter.index(".") + 1]]
    return field_title(field_of(parameter)) + between


def field_title(name: str) -> str:
    """What a field is called."""
    return TITLES.get(name, name.replace("_", " "))


def filters_of(pairs: Iterable[tuple[str, str]], *, but: str | None = None) -> list[str]:
    """The filters of all choices, which must all hold; without those of one field."""
    return list(_filters([pair for pair in pairs if is_choice(pair[0]) and field_of(pair[0]) != but]))


def _filters(pairs: list[tuple[str, str]]) -> Iterator[str]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.startswith(IS):
            values.setdefault(field_of(name), []).append(value_text(value))
        elif name.startswith(MIN):
            yield f"{field_of(name)}>={value_text(value)}"
        else:
            yield f"{field_of(name)}{_at_most(value)}"
    yield from (f"{field}={','.join(texts)}" for field, texts in values.items())


def _at_most(value: str) -> str:
    """The bound of a field; a day counts to its end."""
    try:
        return f"<{date.fromisoformat(value) + timedelta(days=1)}"
    except (ValueError, OverflowError):
        return f"<={value_text(value)}"
