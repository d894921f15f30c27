"""What an engine's answers have to be, as pure functions: each gives a part of one, or raises `Malformed`.

answer ─► hits_of | found_of | mapping_of | ... ─► values of the types that the rest relies on

What answers at an address may be another program, or a proxy that changes answers: none of it is believed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from esclip.stores.engine.bulk_errors import reason_text

__all__ = [
    "MALFORMED",
    "Malformed",
    "acknowledged",
    "as_it_is",
    "error_of",
    "found_of",
    "further",
    "hits_of",
    "integer_of",
    "list_of",
    "mappings_of",
    "number_of",
    "object_of",
    "text_of",
    "told",
]

T = TypeVar("T")


class Malformed(ValueError):
    """An answer has another shape than an engine's; the message says what and where."""


MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading an answer of another shape raises: `Malformed`, or what Python says of a value's own parts."""


def as_it_is(answer: Any) -> Any:
    """For an answer in which nothing is read."""
    return answer


def object_of(value: Any, *path: str) -> dict[str, Any]:
    """The object below these keys."""
    return _typed(_below(value, path), dict, "object", path)


def list_of(value: Any, *path: str) -> list[Any]:
    """The list below these keys."""
    return _typed(_below(value, path), list, "list", path)


def text_of(value: Any, *path: str) -> str:
    """The text below these keys."""
    return _typed(_below(value, path), str, "text", path)


def integer_of(value: Any, *path: str) -> int:
    """The number of something below these keys: whole, and not negative."""
    number = _below(value, path)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise Malformed(f"{_named(path)} is no number of anything")
    return number


def number_of(value: Any, *path: str) -> float:
    """The finite number below these keys."""
    number = _below(value, path)
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise Malformed(f"{_named(path)} is no number")
    return float(number)


def acknowledged(answer: Any) -> bool:
    """Whether the cluster has done what was asked in the time that it takes for that."""
    return _typed(_below(answer, ("acknowledged",)), bool, "yes or no", ("acknowledged",))


def error_of(answer: Any) -> tuple[int, Any] | None:
    """Status and error of one answer of several, or None where it is none."""
    error = object_of(answer).get("error")
    return (integer_of(answer.get("status", 500)), error) if error else None


def hits_of(answer: Any) -> list[dict[str, Any]]:
    """The hits of a search, each with its id."""
    hits = list_of(answer, "hits", "hits")
    for hit in hits:
        text_of(hit, "_id")
    return hits


def further(hits: Sequence[Mapping[str, Any]], most: int, before: Any) -> list[Any]:
    """Behind what the next hits come, where these are the `most` that are given at once; else nothing.

    `before` is what these came behind: an answer that does not get on would be asked for without end.
    """
    if len(hits) < most:
        return []
    after = list_of(hits[-1], "sort")
    if not after or after == before:
        raise Malformed("the same hits come again")
    return after


def found_of(answer: Any, asked: Sequence[str]) -> list[dict[str, Any]]:
    """Those of the documents that `_mget` has found."""
    documents = list_of(answer, "docs")
    if len(documents) != len(asked):
        raise Malformed(f"{len(documents)} documents where {len(asked)} were asked for")
    found = [one for one in documents if _typed(_below(one, ("found",)), bool, "yes or no", ("found",))]
    for one in found:
        text_of(one, "_id")
        object_of(one, "_source")
    return found


def mappings_of(answer: Any) -> dict[str, dict[str, Any]]:
    """The mapping of each index that a name stands for, with its properties, which may be none."""
    mappings = {name: dict(object_of(value, "mappings")) for name, value in object_of(answer).items()}
    if not mappings:
        raise Malformed("no index is in it")
    for mapping in mappings.values():
        mapping.setdefault("properties", {})
        for property in object_of(mapping, "properties").values():
            object_of(property)
            object_of(property.get("method", {}))
    return mappings


def told(error: BaseException) -> str:
    """What is wrong with an answer, in words."""
    if isinstance(error, Malformed):
        return str(error)
    kind = "lacks" if isinstance(error, KeyError) else type(error).__name__
    return reason_text(f"{kind} {error}")


def _below(value: Any, path: Sequence[str]) -> Any:
    for number, key in enumerate(path):
        if not isinstance(value, Mapping):
            raise Malformed(f"{_named(path[:number])} is no object")
        if key not in value:
            raise Malformed(f"it lacks {_named(path[: number + 1])}")
        value = value[key]
    return value


def _typed(value: Any, kind: type[T], name: str, path: Sequence[str]) -> T:
    if not isinstance(value, kind):
        raise Malformed(f"{_named(path)} is no {name}")
    return value


def _named(path: Sequence[str]) -> str:
    return ".".join(path) or "it"
