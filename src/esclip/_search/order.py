"""The order of hits as a user names it: by relevance, or by a field of the index.

"-taken_at" ─► parse_order ─► Order ─┬─► Scan         a filter alone: the store orders all that it leaves
                                     └─► order_hits   of a search: what fits is ordered
"""

from __future__ import annotations

from collections.abc import Sequence

from esclip._core.ordering import ORDERED_TYPES
from esclip._core.schema import Field
from esclip._core.searches import Order
from esclip._errors import ConfigError
from esclip._search.filter_values import require_field
from esclip._search.options import RELEVANCE


def parse_order(sort: str, fields: Sequence[Field]) -> Order | None:
    """The order that `sort` names; None: by relevance.

    Raises `FieldNotFound` for a field that the index lacks, `ConfigError` for one without an order.
    """
    if sort == RELEVANCE:
        return None
    name = sort.removeprefix("-")
    field = require_field(name, {field.name: field for field in fields}, kind="sort", argument="sort")
    if field.type not in ORDERED_TYPES:
        raise ConfigError(
            f"sort {field.name}: it is of type {field.type.value}, which has no order; dates, numbers and "
            "keywords have one"
        )
    return Order(field, descending=name != sort)
