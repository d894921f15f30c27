"""Bulk writes: every document ends as written or as a `Rejection`, or the call raises.

    actions ─► chunk by bytes and number ─► slot ─► send ─► per document: written
      ▲                                              │       ├ rejected   with the engine's reason
      └────────── split when too large ──────────────┘       └ pending    sent again, until the deadline

A document that is sent twice is written once, because its id is the source's. So a broken connection, a lost
node and a conflict with another writer cost one more attempt. The client's bulk helpers are not used: they
give up at the first busy document, or ignore it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from esclip._concurrency.retry import RetryPolicy, TransientError, retry
from esclip._core.rejections import Rejection
from esclip._core.types import ImageRecord
from esclip._errors import IndexExists, IndexNotFound, StoreError, StoreUnavailable, one_line
from esclip._errors.counts import pluralize
from esclip.stores.engine.answers import MALFORMED, get_count
from esclip.stores.engine.bulk_errors import (
    Outcome,
    PayloadTooLarge,
    classify_item,
    closed_reason,
    disk_full,
    reason_text,
)
from esclip.stores.throttle import AdaptiveLimiter
from esclip.stores.validation import write_rejection

CHUNK_BYTES = 8 * 1024 * 1024
CHUNK_ACTIONS = 1000
MAX_ENGINE_ERRORS = 3
"""Attempts after which a document is rejected over which the engine fails."""
MAX_FAILED_SHARE = 0.1
"""When more of a chunk fails, and more than one document, a shard is broken and no document is rejected."""


@dataclass(frozen=True, slots=True)
class BulkAction:
    """The two lines of NDJSON that write a document, with its record."""

    record: ImageRecord
    payload: bytes


def bulk_action(action: str, record: ImageRecord, body: Any, key: str | None = None) -> BulkAction:
    """The action `index` or `update` on one document; its `_id` is by default the record's id."""
    head = orjson.dumps({action: {"_id": record.id if key is None else key}})
    return BulkAction(record, head + b"\n" + orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")


class BulkWriter:
    """Writes to one index. Thread-safe: threads share its slots and the accepted chunk size."""

    def __init__(
        self,
        send: Callable[[bytes, float], Any],
        index: str,
        address: str,
        policy: RetryPolicy,
        concurrency: int,
    ) -> None:
        """`send` returns the answer to a payload before a deadline; `address` is for messages."""
        self._send = send
        self._index, self._address = index, address
        self._policy = policy
        self._limiter = AdaptiveLimiter(concurrency)
        self._chunk_bytes = CHUNK_BYTES

    def write(self, actions: Sequence[BulkAction]) -> list[Rejection]:
        """Perform all actions, in order.

        Raises `StoreUnavailable` when the policy gives up before all documents of a chunk are accepted.
        """
        rejections: list[Rejection] = []
        waiting = deque(actions)
        while waiting:
            chunk = _Chunk(_take_chunk(waiting, self._chunk_bytes), self._index, self._address)
            try:
                with self._limiter.slot():
                    self._send_until_done(chunk)
            except PayloadTooLarge as error:
                if len(chunk.pending) == 1:
                    chunk.reject(chunk.pending.pop(), str(error))
                else:  # and so are the next chunks
                    self._chunk_bytes = min(self._chunk_bytes, len(chunk.payload()) // 2)
                    waiting.extendleft(reversed(chunk.pending))
            rejections += chunk.rejections
        return rejections

    def _send_until_done(self, chunk: _Chunk) -> None:
        overloaded = False

        def attempt(deadline: float) -> None:
            nonlocal overloaded
            try:
                chunk.apply(self._send(chunk.payload(), deadline))
            except TransientError as error:
                if error.overloaded:
                    overloaded = True
                    self._limiter.decrease()
                raise

        retry(attempt, self._policy)
        if not overloaded:
            self._limiter.increase()


def _take_chunk(waiting: deque[BulkAction], max_bytes: int) -> list[BulkAction]:
    """Take the first actions that fit, at least one."""
    size = 0
    chunk: list[BulkAction] = []
    while waiting and len(chunk) < CHUNK_ACTIONS:
        size += len(waiting[0].payload)
        if chunk and size > max_bytes:
            break
        chunk.append(waiting.popleft())
    return chunk


class _Chunk:
    """The documents of one request, and their outcomes."""

    def __init__(self, pending: list[BulkAction], index: str, address: str) -> None:
        self.pending = pending
        self.rejections: list[Rejection] = []
        self._size = len(pending)
        self._index, self._target = index, f"index {index!r} at {address}"
        self._engine_errors = 0

    def payload(self) -> bytes:
        """The request for the pending documents."""
        return b"".join(action.payload for action in self.pending)

    def reject(self, action: BulkAction, reason: str) -> None:
        """Reject one of its documents."""
        self.rejections.append(write_rejection(action.record, reason))

    def apply(self, answer: Any) -> None:
        """Keep as `pending` what has to be sent again, and raise `TransientError` when there is any."""
        pending: dict[Outcome, list[BulkAction]] = defaultdict(list)
        reasons: dict[Outcome, str] = {}
        elsewhere: Counter[str] = Counter()
        for action, (status, error, index) in zip(self.pending, self._items(answer), strict=True):
            outcome = classify_item(status, error)
            match outcome:
                case Outcome.WRITTEN:
                    if index != self._index:
                        elsewhere[index] += 1
                case Outcome.REJECTED:
                    self.reject(action, reason_text(error))
                case Outcome.INDEX_MISSING:
                    raise IndexNotFound(f"{self._target} is not there any more; ingest again to make it")
                case Outcome.INDEX_CLOSED:
                    raise StoreError(f"{self._target} takes no documents: {closed_reason(error)}")
                case _:
                    pending[outcome].append(action)
                    reasons[outcome] = reason_text(error)
        for index, count in elsewhere.items():
            raise IndexExists(
                f"{self._target} has become an alias of index {one_line(index, 200)!r}, which has taken "
                f"{pluralize(count, 'document')} of this run; remove them there, and name the index"
            )
        self._reject_repeated_errors(pending, reasons)
        self.pending = [action for actions in pending.values() for action in actions]
        if Outcome.DISK_FULL in pending:
            raise disk_full(self._target, reasons[Outcome.DISK_FULL])
        if pending:
            reason = reasons[next(iter(pending))]
            message = f"{self._target} does not take {pluralize(len(self.pending), 'document')}: {reason}"
            raise TransientError(StoreUnavailable(message), overloaded=Outcome.OVERLOADED in pending)

    def _reject_repeated_errors(
        self, pending: dict[Outcome, list[BulkAction]], reasons: Mapping[Outcome, str]
    ) -> None:
        """Reject the few documents over which an engine fails each time while it accepts the others."""
        failed = pending.get(Outcome.ENGINE_ERROR, [])
        if not failed:
            return
        self._engine_errors += 1
        if self._engine_errors >= MAX_ENGINE_ERRORS and len(failed) <= max(1, MAX_FAILED_SHARE * self._size):
            for action in pending.pop(Outcome.ENGINE_ERROR):
                self.reject(action, reasons[Outcome.ENGINE_ERROR])

    def _items(self, answer: Any) -> list[tuple[int, Any, str]]:
        """Status, error and index of each document. Raises `StoreUnavailable` for a malformed answer."""
        try:
            results = [result for item in answer["items"] for result in item.values()]
            items = [
                (get_count(one, "status"), one.get("error") or {}, str(one.get("_index", self._index)))
                for one in results
            ]
        except MALFORMED:
            items = []
        if len(items) != len(self.pending):
            raise StoreUnavailable(
                f"{self._target} gave no answer to {pluralize(len(self.pending), 'document')} sent"
            )
        return items
