"""Bulk writes: every document ends as written or as a Rejection, or the call raises.

    lines ─► chunks by bytes and number ─► send ─► per document: written
               ▲                            │      ├ rejected   the engine's own words
               └─ halved when too large ────┘      └ busy       sent again, until the deadline

A document that is sent twice is written once: its id is the source's own. The client's bulk helpers are not
used because they give up at the first busy document, or never look at one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from esclip._errors import IndexNotFound, StoreUnavailable
from esclip._rejections import Rejection
from esclip._types import ImageRecord
from esclip.stores._fields import write_rejection
from esclip.stores._patience import PayloadTooLarge, persistently

__all__ = ["Line", "line", "write"]

CHUNK_BYTES = 8 * 1024 * 1024
CHUNK_LINES = 1000
BUSY = frozenset({408, 409, 429, 502, 503, 504})
"""Statuses of a document that may be written when sent again."""


@dataclass(frozen=True, slots=True)
class Line:
    """A document on its way: its record, and the two lines of NDJSON that write it."""

    record: ImageRecord
    payload: bytes


def line(action: str, record: ImageRecord, body: Any) -> Line:
    """The bulk action `index` or `update` on one document."""
    head = orjson.dumps({action: {"_id": record.id}})
    return Line(record, head + b"\n" + orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")


def write(
    lines: Sequence[Line], send: Callable[[bytes], Sequence[Any]], target: str, within: float
) -> list[Rejection]:
    """Write all lines. `send` gives one answer per document, and `target` names the index in messages.

    Raises `StoreUnavailable` when documents of a chunk are still refused as too many after `within` seconds.
    """
    rejected: list[Rejection] = []
    waiting = list(_chunks(lines))[::-1]
    while waiting:
        chunk = waiting.pop()
        try:
            rejected += _write_chunk(chunk, send, target, within)
        except PayloadTooLarge as error:
            middle = len(chunk) // 2
            if middle == 0:
                rejected.append(write_rejection(chunk[0].record, str(error)))
            else:
                waiting += [chunk[middle:], chunk[:middle]]
    return rejected


def _chunks(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    start = size = 0
    for i, one in enumerate(lines):
        if i > start and (size + len(one.payload) > CHUNK_BYTES or i - start == CHUNK_LINES):
            yield lines[start:i]
            start, size = i, 0
        size += len(one.payload)
    if start < len(lines):
        yield lines[start:]


def _write_chunk(
    chunk: Sequence[Line], send: Callable[[bytes], Sequence[Any]], target: str, within: float
) -> list[Rejection]:
    rejected: list[Rejection] = []
    left = list(chunk)

    def attempt() -> None:
        answers = send(b"".join(one.payload for one in left))
        sent, words = list(left), ""
        left.clear()
        for one, answer in zip(sent, answers, strict=True):
            (result,) = answer.values()
            status, error = result["status"], result.get("error") or {}
            if error.get("type") == "index_not_found_exception":
                raise IndexNotFound(f"{target} is not there any more; ingest again to make it.")
            if status in BUSY:
                left.append(one)
                words = _words(error)
            elif status >= 300:
                rejected.append(write_rejection(one.record, _words(error)))
        if left:
            raise StoreUnavailable(f"{target} does not take {len(left)} documents: {words}")

    persistently(attempt, within)
    return rejected


def _words(error: dict[str, Any]) -> str:
    """An engine's reason in one line, with the cause below it, which often is the telling one."""
    cause = error.get("caused_by") or {}
    parts = [error.get("type"), error.get("reason"), cause.get("reason")]
    return " ".join(": ".join(part for part in parts if part).split())[:500]
