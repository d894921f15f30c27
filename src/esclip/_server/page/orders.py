"""The orders of results that the page offers: by fit, by dates, by numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from esclip._core.schema import Field, FieldType
from esclip._search.options import RELEVANCE
from esclip._server.page.choices import field_title

MAX_FIELDS = 12
"""That an order is offered for."""
DULL = frozenset({"file_size", "modified", "width", "height", "aspect_ratio", "landmark_confidence"})
"""Fields by which nobody orders pictures, at the end."""


class Order(NamedTuple):
    """A choice."""

    value: str
    """Of the option `sort`."""
    text: str


def orders_of(fields: Iterable[Field], chosen: str, *, searches: bool) -> list[Order]:
    """Fit first, without a search the id, then those of the fields; the chosen one is always among them."""
    orders = [Order(RELEVANCE, "fit" if searches else "id")]
    known = sorted(fields, key=lambda field: field.name in DULL)
    for field in [field for field in known if field.type in _WORDS][:MAX_FIELDS]:
        orders += _orders_of_field(field)
    if chosen and chosen not in {order.value for order in orders}:
        orders.append(Order(chosen, chosen))
    return orders


def field_of(sort: str) -> str:
    """The field that an order is by."""
    return sort.removeprefix("-")


_WORDS = {
    FieldType.DATE: ("newest first", "oldest first"),
    FieldType.INTEGER: ("most first",),
    FieldType.FLOAT: ("most first",),
}


def _orders_of_field(field: Field) -> Iterator[Order]:
    for sign, words in zip(("-", ""), _WORDS[field.type], strict=False):
        yield Order(f"{sign}{field.name}", f"{field_title(field.name)}, {words}")
