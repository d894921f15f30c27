"""Checks that an engine's answer has the expected shape. Pure functions, which raise `Malformed` where not.

answer ─► get_hits | get_found | get_mappings | ... ─► values of the types that callers rely on

Another program may answer at an address, or a proxy may change answers: nothing in them is trusted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from esclip._errors.counts import pluralize
from esclip.stores.engine.bulk_errors import reason_text

T = TypeVar("T")


class Malformed(ValueError):
    """An answer has not the shape of an engine's; the message says what and where."""


MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What reading a malformed answer raises: `Malformed`, or Python's errors for parts of values."""


def unread(answer: Any) -> Any:
    """The answer itself: the reader of answers that need no check."""
    return answer


def get_object(value: Any, *path: str) -> dict[str, Any]:
    """The object below these keys."""
    return _require(_below(value, path), dict, "object", path)


def get_list(value: Any, *path: str) -> list[Any]:
    """The list below these keys."""
    return _require(_below(value, path), list, "list", path)


def get_text(value: Any, *path: str) -> str:
    """The text below these keys."""
    return _require(_below(value, path), str, "text", path)


def get_count(value: Any, *path: str) -> int:
    """The non-negative integer below these keys."""
    number = _below(value, path)
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise Malformed(f"{_path_name(path)} is no number of anything")
    return number


def get_number(value: Any, *path: str) -> float:
    """The finite number below these keys."""
    number = _below(value, path)
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise Malformed(f"{_path_name(path)} is no number")
    return float(number)


def is_acknowledged(answer: Any) -> bool:
    """Whether the cluster confirms that a change is complete."""
    return _require(_below(answer, ("acknowledged",)), bool, "yes or no", ("acknowledged",))


def get_error(answer: Any) -> tuple[int, Any] | None:
    """Status and error of one of several answers, None where it is no error."""
    error = get_object(answer).get("error")
    return (get_count(answer.get("status", 500)), error) if error else None


def get_hits(answer: Any) -> list[dict[str, Any]]:
    """The hits of a search, each with its id."""
    hits = get_list(answer, "hits", "hits")
    for hit in hits:
        get_text(hit, "_id")
    return hits


def next_page(hits: Sequence[Mapping[str, Any]], page_size: int, previous: Any) -> list[Any]:
    """The `search_after` of the next page, empty after the last.

    Raises `Malformed` where it equals the `previous` one: such pages would not end.
    """
    if len(hits) < page_size:
        return []
    after = get_list(hits[-1], "sort")
    if not after or after == previous:
        raise Malformed("the same hits come again")
    return after


def get_found(answer: Any, requested: int) -> list[dict[str, Any]]:
    """The existing documents in an answer of `_mget` for so many ids."""
    documents = get_list(answer, "docs")
    if len(documents) != requested:
        raise Malformed(f"{pluralize(len(documents), 'document')} for {requested}")
    found = [doc for doc in documents if _require(_below(doc, ("found",)), bool, "yes or no", ("found",))]
    for document in found:
        get_text(document, "_id")
        get_object(document, "_source")
    return found


def get_mappings(answer: Any) -> dict[str, dict[str, Any]]:
    """The mappings of the indexes that a name stands for, each with `properties`."""
    mappings = {name: dict(get_object(value, "mappings")) for name, value in get_object(answer).items()}
    if not mappings:
        raise Malformed("no index is in it")
    for mapping in mappings.values():
        mapping.setdefault("properties", {})
        for property in get_object(mapping, "properties").values():
            get_object(property)
            get_object(property.get("method", {}))
    return mappings


def describe(error: BaseException) -> str:
    """What is malformed in an answer, in words."""
    if isinstance(error, Malformed):
        return str(error)
    kind = "lacks" if isinstance(error, KeyError) else type(error).__name__
    return reason_text(f"{kind} {error}")


def _below(value: Any, path: Sequence[str]) -> Any:
    for number, key in enumerate(path):
        if not isinstance(value, Mapping):
            raise Malformed(f"{_path_name(path[:number])} is no object")
        if key not in value:
            raise Malformed(f"it lacks {_path_name(path[: number + 1])}")
        value = value[key]
    return value


def _require(value: Any, kind: type[T], name: str, path: Sequence[str]) -> T:
    if not isinstance(value, kind):
        raise Malformed(f"{_path_name(path)} is no {name}")
    return value


def _path_name(path: Sequence[str]) -> str:
    return ".".join(path) or "it"
