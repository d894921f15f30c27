"""What an engine says of a document or a request that it did not write, and what that means.

status, error ─► verdict ─► again | rejected | an error that ends the run
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from esclip._concurrency.retry import TransientError
from esclip._errors import StoreError, StoreUnavailable, one_line

__all__ = [
    "Outcome",
    "PayloadTooLarge",
    "classify_item",
    "disk_full",
    "is_disk_full",
    "kind_of",
    "reason_text",
]


class PayloadTooLarge(StoreError):
    """A request has more bytes than the server, or a proxy before it, accepts."""


class Outcome(Enum):
    """What becomes of one document of a bulk request."""

    WRITTEN = auto()
    REJECTED = auto()
    """Its own fault: a value that its field can't hold, an update of what isn't there."""
    AGAIN = auto()
    """Its shard is not ready, or another writer was faster (409): sent again it is the last, as it should."""
    CROWDED = auto()
    """The engine has too much to do: a full queue, or a circuit breaker that spares its memory."""
    FAILED = auto()
    """The engine failed, by a broken shard or over this very document."""
    DISK_FULL = auto()
    """The engine writes nothing more, so that its disk does not run full; it begins again by itself."""
    INDEX_MISSING = auto()
    INDEX_CLOSED = auto()
    """The index takes no documents at all: closed, blocked, or not for this user."""


SHUT = frozenset({"index_closed_exception", "cluster_block_exception"})


def classify_item(status: int, error: Any) -> Outcome:
    """What a document's status and error mean."""
    if status < 300:
        return Outcome.WRITTEN
    kind = kind_of(error)
    if is_disk_full(error):
        return Outcome.DISK_FULL
    if kind == "index_not_found_exception":
        return Outcome.INDEX_MISSING
    if status in (401, 403) or (kind in SHUT and status < 500 and status != 429):
        return Outcome.INDEX_CLOSED
    match status:
        case 429:
            return Outcome.CROWDED
        case 500:
            return Outcome.FAILED
        case 404 if kind != "document_missing_exception":  # a shard that has just moved
            return Outcome.AGAIN
        case 408 | 409:
            return Outcome.AGAIN
        case _:
            return Outcome.AGAIN if status > 500 else Outcome.REJECTED


def kind_of(error: Any) -> str | None:
    """The name of an engine's error."""
    kind = error.get("type") if isinstance(error, Mapping) else None
    return kind if isinstance(kind, str) else None


def is_disk_full(error: Any) -> bool:
    """Whether this is the block, number 12, that both engines put on indexes when a disk is nearly full."""
    if not isinstance(error, Mapping) or kind_of(error) != "cluster_block_exception":
        return False
    return "/12/" in str(error.get("reason"))


def disk_full(target: str, reason: str) -> TransientError:
    """What to raise for it."""
    return TransientError(
        StoreUnavailable(
            f"{target} takes no documents because the disk of a node is full; "
            f"free some or add some, and ingest again ({reason})"
        )
    )


def reason_text(error: Any) -> str:
    """An engine's error in one line, with its cause, which often says more."""
    if not isinstance(error, Mapping):
        return one_line(str(error))
    cause = error.get("caused_by")
    parts = [
        error.get("type"),
        error.get("reason"),
        cause.get("reason") if isinstance(cause, Mapping) else None,
    ]
    return one_line(": ".join(str(part) for part in parts if part))
