"""Names in Milvus: of an index's collection, and of a metadata field's keys. Pure functions.

A collection's name has letters, digits and _, and begins with no digit; so has the name of a dynamic field
that can stand in an expression.
"""

from __future__ import annotations

import re

from esclip._core.schema import Field
from esclip._core.settings import is_index_name

HYPHEN = "D"
"""What stands for a hyphen: names of indexes have no capitals."""

_PLAIN = re.compile("[A-Za-z0-9_]+")


def collection_name(index: str) -> str:
    """The collection that keeps an index."""
    name = index.replace("-", HYPHEN)
    return f"_{name}" if name[0].isdigit() else name


def index_name(collection: str) -> str | None:
    """The index that a collection keeps; None for a name that no index's has."""
    name = collection.removeprefix("_").replace(HYPHEN, "-")
    return name if is_index_name(name) and collection_name(name) == collection else None


def value_key(field: Field) -> str:
    """The dynamic field of a metadata field's value: a text, a list of texts, a number, a boolean; a date is
    milliseconds since the epoch.
    """
    return _key("m", field)


def joined_key(field: Field) -> str:
    """That of the texts of a field of several, as one text (`filters.join_texts`)."""
    return _key("j", field)


def latitude_key(field: Field) -> str:
    """That of a place's latitude in degrees."""
    return _key("lat", field)


def longitude_key(field: Field) -> str:
    """That of a place's longitude in degrees."""
    return _key("lon", field)


def _key(prefix: str, field: Field) -> str:
    """`m_country`; for a name with other characters than an expression may have, `mx_` and its bytes."""
    name = field.name
    return f"{prefix}_{name}" if _PLAIN.fullmatch(name) else f"{prefix}x_{name.encode().hex()}"
