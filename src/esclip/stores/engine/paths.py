"""Paths of fields, whose names have dots between: within a mapping, and within a document. Pure functions.

{"urls": {"properties": {"full": ...}}}  ─► leaves, property_at ─► {"urls.full": ...}
{"urls": {"full": "https://..."}}        ─► value_at ─► "https://..."    ◄─ place
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NESTED = "nested"


def leaves(
    properties: Mapping[str, Mapping[str, Any]], above: str = "", *, in_nested: bool = False
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The fields of a mapping by their paths. Those of nested objects, which are documents of their own, are
    of the type `nested`.
    """
    for name, property in properties.items():
        below, kind = property.get("properties"), property.get("type", "object")
        if isinstance(below, Mapping) and kind in ("object", NESTED):
            yield from leaves(below, f"{above}{name}.", in_nested=in_nested or kind == NESTED)
        else:
            yield above + name, {"type": NESTED, "of": kind} if in_nested else property


def property_at(properties: Mapping[str, Mapping[str, Any]], path: str) -> Mapping[str, Any]:
    """What a mapping says of the field at a path; nothing where there is none."""
    return properties.get(path) or dict(leaves(properties)).get(path, {})


def value_at(value: Any, path: str) -> Any:
    """What a document has at a path; None where it has nothing. Of several objects, the first that has it.

    A document may have written an object as one name with dots, too.
    """
    if isinstance(value, list):
        found = (value_at(one, path) for one in value)
        return next((one for one in found if one is not None), None)
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    heads = (path[:dot] for dot, sign in enumerate(path) if sign == ".")
    found = (value_at(value[head], path[len(head) + 1 :]) for head in heads if head in value)
    return next((one for one in found if one is not None), None)


def place(fields: dict[str, Any], path: str, value: Any) -> None:
    """Give a document a value at a path."""
    *outer, name = path.split(".")
    for part in outer:
        fields = fields.setdefault(part, {})
    fields[name] = value
