"""JSON answers with each of their parts replaced: for clients that believe nothing that they are told."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

__all__ = ["variants"]

ODD: tuple[Any, ...] = (None, -1, 0.5, 10**30, 1e308, True, "text", "", [], [[1]], {}, {"a": {"b": 1}})
GONE = object()


def variants(answer: Any) -> Iterator[Any]:
    """The answer with each of its parts, itself among them, replaced by each odd value, or missing."""
    for path in paths(answer):
        for odd in (*ODD, GONE):
            if path or odd is not GONE:
                yield _replaced(answer, path, odd)


def _replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The value with another one at the end of the path; what does not lie on it is shared."""
    if not path:
        return odd
    changed = copy.copy(value)
    if path[1:] or odd is not GONE:
        changed[path[0]] = _replaced(value[path[0]], path[1:], odd)
    else:
        del changed[path[0]]
    return changed


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the parts of a value are; of lists and of fields' mappings only the first."""
    yield before
    if isinstance(value, dict):
        for number, (key, inner) in enumerate(value.items()):
            if before[-1:] != ("properties",) or number == 0 or key == "vector":
                yield from paths(inner, (*before, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:1]):
            yield from paths(inner, (*before, number))
