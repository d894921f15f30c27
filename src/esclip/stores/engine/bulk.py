"""Bulk writes: every document ends as written or as a Rejection, or the call raises.

    lines ─► chunk by bytes and number ─► slot ─► send ─► per document: written
      ▲                                            │       ├ rejected   the engine's own words
      └──────── cut smaller when too large ────────┘       └ left       sent again, until the deadline

A document that is sent twice is written once: its id is the source's own. So a broken connection, a node that
leaves and a conflict with another writer cost another attempt and nothing else. The client's bulk helpers are
not used because they give up at the first busy document, or never look at one.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from esclip._concurrency.retry import RetryPolicy, TransientError, retry
from esclip._core.rejections import Rejection
from esclip._core.types import ImageRecord
from esclip._errors import IndexNotFound, StoreError, StoreUnavailable
from esclip.stores.engine.answers import MALFORMED, integer_of
from esclip.stores.engine.bulk_errors import Outcome, PayloadTooLarge, classify_item, disk_full, reason_text
from esclip.stores.throttle import AdaptiveLimiter
from esclip.stores.validation import write_rejection

__all__ = ["BulkWriter", "Line", "bulk_action"]

CHUNK_BYTES = 8 * 1024 * 1024
CHUNK_LINES = 1000
FAILURES = 3
"""Attempts at which an engine may fail over a document that it then doesn't get again."""
FEW = 0.1
"""When more of a chunk fails, beyond a single document, these are not at fault: a shard is broken."""


@dataclass(frozen=True, slots=True)
class Line:
    """A document on its way: its record, and the two lines of NDJSON that write it."""

    record: ImageRecord
    payload: bytes


def bulk_action(action: str, record: ImageRecord, body: Any) -> Line:
    """The bulk action `index` or `update` on one document."""
    head = orjson.dumps({action: {"_id": record.id}})
    return Line(record, head + b"\n" + orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")


class BulkWriter:
    """Writes to one index. Safe from several threads: they share its slots, and what it learns."""

    def __init__(
        self, send: Callable[[bytes, float], Any], target: str, policy: RetryPolicy, concurrency: int
    ) -> None:
        """`send` returns the answer to a payload before a deadline; `target` is the index in messages."""
        self._send = send
        self._target = target
        self._policy = policy
        self._limiter = AdaptiveLimiter(concurrency)
        self._chunk_bytes = CHUNK_BYTES

    def write(self, lines: Sequence[Line]) -> list[Rejection]:
        """Write all lines, in order.

        Raises `StoreUnavailable` when documents of a chunk are still not taken when the policy gives up.
        """
        rejected: list[Rejection] = []
        waiting = deque(lines)
        while waiting:
            chunk = _Chunk(_cut(waiting, self._chunk_bytes), self._target)
            try:
                with self._limiter.slot():
                    self._settle(chunk)
            except PayloadTooLarge as error:
                if len(chunk.left) == 1:
                    chunk.reject(chunk.left.pop(), str(error))
                else:  # and so are the next ones
                    self._chunk_bytes = min(self._chunk_bytes, len(chunk.payload()) // 2)
                    waiting.extendleft(reversed(chunk.left))
            rejected += chunk.rejected
        return rejected

    def _settle(self, chunk: _Chunk) -> None:
        overloaded = False

        def attempt(deadline: float) -> None:
            nonlocal overloaded
            try:
                chunk.settle(self._send(chunk.payload(), deadline))
            except TransientError as error:
                if error.overloaded:
                    overloaded = True
                    self._limiter.decrease()
                raise

        retry(attempt, self._policy)
        if not overloaded:
            self._limiter.increase()


def _cut(waiting: deque[Line], most: int) -> list[Line]:
    """The first of the lines, as many as fit, one at least; taken out."""
    size = 0
    chunk: list[Line] = []
    while waiting and len(chunk) < CHUNK_LINES:
        size += len(waiting[0].payload)
        if chunk and size > most:
            break
        chunk.append(waiting.popleft())
    return chunk


class _Chunk:
    """The documents of one request, and what has become of them."""

    def __init__(self, left: list[Line], target: str) -> None:
        self.left = left
        self.rejected: list[Rejection] = []
        self._size = len(left)
        self._target = target
        self._failures = 0

    def payload(self) -> bytes:
        """What is left, as a request."""
        return b"".join(one.payload for one in self.left)

    def reject(self, one: Line, why: str) -> None:
        """Count a document of it as rejected."""
        self.rejected.append(write_rejection(one.record, why))

    def settle(self, answer: Any) -> None:
        """Keep as `left` what the answer doesn't settle, and raise `TransientError` when there is any."""
        left: dict[Outcome, list[Line]] = defaultdict(list)
        told: dict[Outcome, str] = {}
        for one, (status, error) in zip(self.left, self._items(answer), strict=True):
            judged = classify_item(status, error)
            match judged:
                case Outcome.WRITTEN:
                    continue
                case Outcome.REJECTED:
                    self.reject(one, reason_text(error))
                case Outcome.INDEX_MISSING:
                    raise IndexNotFound(f"{self._target} is not there any more; ingest again to make it.")
                case Outcome.INDEX_CLOSED:
                    raise StoreError(f"{self._target} takes no documents: {reason_text(error)}")
                case _:
                    left[judged].append(one)
                    told[judged] = reason_text(error)
        self._give_up_few(left, told)
        self.left = [one for lines in left.values() for one in lines]
        if Outcome.DISK_FULL in left:
            raise disk_full(self._target, told[Outcome.DISK_FULL])
        if left:
            why = told[next(iter(left))]
            message = f"{self._target} does not take {len(self.left)} documents: {why}"
            raise TransientError(StoreUnavailable(message), overloaded=Outcome.CROWDED in left)

    def _give_up_few(self, left: dict[Outcome, list[Line]], told: Mapping[Outcome, str]) -> None:
        """Reject the few documents over which an engine fails each time while it takes the others."""
        if Outcome.FAILED not in left:
            return
        self._failures += 1
        if self._failures >= FAILURES and len(left[Outcome.FAILED]) <= max(1, FEW * self._size):
            for one in left.pop(Outcome.FAILED):
                self.reject(one, told[Outcome.FAILED])

    def _items(self, answer: Any) -> list[tuple[int, Any]]:
        """Status and error of each document; an answer that is damaged says nothing of any."""
        try:
            results = [result for item in answer["items"] for result in item.values()]
            items = [(integer_of(result, "status"), result.get("error") or {}) for result in results]
        except MALFORMED:
            items = []
        if len(items) != len(self.left):
            raise StoreUnavailable(
                f"{self._target} gave no answer to {len(self.left)} documents that are sent"
            )
        return items
