"""Puts hits in the order of a field: what an order means in every store."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from esclip._core.schema import FieldType
from esclip._core.searches import Order
from esclip._core.types import Hit, MetadataValue, number_hits, rank_hits

ORDERED_TYPES = (FieldType.KEYWORD, FieldType.INTEGER, FieldType.FLOAT, FieldType.DATE)
"""The types of fields that documents can be ordered by."""


def rank(hits: Iterable[Hit], order: Order | None) -> list[Hit]:
    """Hits with ranks from 1: in this order, or without one from best to worst."""
    return rank_hits(hits) if order is None else number_hits(order_hits(hits, order))


def order_hits(hits: Iterable[Hit], order: Order) -> list[Hit]:
    """Hits in this order: those without a value last, ties by id."""
    name = order.field.name
    by_id = sorted(hits, key=lambda hit: hit.id)
    present = [hit for hit in by_id if name in hit.metadata]
    missing = [hit for hit in by_id if name not in hit.metadata]
    present.sort(key=lambda hit: _key(hit.metadata[name]), reverse=order.descending)
    return [*present, *missing]


def _key(value: MetadataValue) -> Any:
    return (value, math.copysign(1, value)) if isinstance(value, float) else value
