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
            if not path:
                if odd is not GONE:
                    yield odd
                continue
            changed = copy.deepcopy(answer)
            around = changed
            for step in path[:-1]:
                around = around[step]
            if odd is GONE:
                del around[path[-1]]
            else:
                around[path[-1]] = odd
            yield changed


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
