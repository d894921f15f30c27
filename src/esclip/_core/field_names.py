"""Names that metadata fields can have in every store."""

from __future__ import annotations

import re
from functools import lru_cache

RESERVED = frozenset(
    {
        "id",
        "vector",
        "location",
        "page",
        "description",
        "pixels_fingerprint",
        "record_fingerprint",
        "content_fingerprint",
        "words",
    }
)
"""Names of a stored document's own fields, which no metadata field may have."""

_NAME = re.compile(r"[^\W_][\w-]*")
"""In an engine, a dot means a nested object, and a leading underscore a field of the engine's own."""


@lru_cache(1024)
def is_field_name(name: str) -> bool:
    """Whether a metadata field can be named so in every store."""
    return name not in RESERVED and _NAME.fullmatch(name) is not None


def check_field_name(name: str) -> None:
    """Raise `ValueError` for a name of a metadata field that some store can't use."""
    if name in RESERVED:
        raise ValueError(f"a metadata field can't be named {name}: every document has one of its own")
    if not is_field_name(name):
        raise ValueError(f"a metadata field can't be named {name!r}: take letters, digits, _ and -")
