"""What an engine's errors mean for a document of a bulk request.

status, error ─► classify_item ─► retry | rejection | an error that ends the run
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from esclip._concurrency.retry import TransientError
from esclip._errors import StoreError, StoreUnavailable, one_line


class PayloadTooLarge(StoreError):
    """A request has more bytes than the server, or a proxy before it, accepts."""


class Outcome(Enum):
    """The outcome of one document of a bulk request."""

    WRITTEN = auto()
    REJECTED = auto()
    """The document is invalid: a value that its field can't hold, an update of a missing document."""
    RETRY = auto()
    """Its shard is not ready, or it conflicts with another writer (409)."""
    OVERLOADED = auto()
    """A queue is full, or a circuit breaker protects the engine's memory."""
    ENGINE_ERROR = auto()
    """The engine failed: because of a broken shard, or of this document."""
    DISK_FULL = auto()
    """The engine blocks writes because a disk is nearly full; it unblocks them by itself."""
    INDEX_MISSING = auto()
    INDEX_CLOSED = auto()
    """The index accepts no documents: it is closed, blocked, or forbidden for this user."""


CLOSED_ERRORS = frozenset({"index_closed_exception", "cluster_block_exception"})


SHARD_GONE_ERRORS = frozenset(
    {
        "illegal_index_shard_state_exception",
        "index_shard_closed_exception",
        "index_shard_not_started_exception",
        "search_context_missing_exception",
        "shard_not_found_exception",
    }
)
"""Types of errors that engines answer with 404, of searches that succeed when they are asked again."""


def classify_item(status: int, error: Any) -> Outcome:
    """The outcome of a document by its status and error."""
    if status < 300:
        return Outcome.WRITTEN
    kind = error_type(error)
    if is_disk_full(error):
        return Outcome.DISK_FULL
    if kind == "index_not_found_exception":
        return Outcome.INDEX_MISSING
    if status in (401, 403) or (kind in CLOSED_ERRORS and status < 500 and status != 429):
        return Outcome.INDEX_CLOSED
    match status:
        case 429:
            return Outcome.OVERLOADED
        case 500:
            return Outcome.ENGINE_ERROR
        case 404 if kind != "document_missing_exception":  # a shard has just moved
            return Outcome.RETRY
        case 408 | 409:
            return Outcome.RETRY
        case _:
            return Outcome.RETRY if status > 500 else Outcome.REJECTED


def error_type(error: Any) -> str | None:
    """The `type` of an engine's error."""
    kind = error.get("type") if isinstance(error, Mapping) else None
    return kind if isinstance(kind, str) else None


def is_shard_gone(error: Any) -> bool:
    """Whether a shard was closed in the middle of a search: its index was renamed or removed, or it moved."""
    roots = error.get("root_cause") if isinstance(error, Mapping) else None
    kinds = map(error_type, [error, *(roots if isinstance(roots, list) else [])])
    return not SHARD_GONE_ERRORS.isdisjoint(kinds)


def is_disk_full(error: Any) -> bool:
    """Whether this is block 12, which both engines set on indexes when a disk is nearly full."""
    if not isinstance(error, Mapping) or error_type(error) != "cluster_block_exception":
        return False
    return "/12/" in str(error.get("reason"))


def closed_reason(error: Any) -> str:
    """Why an index takes no documents, and what to do where writes to it are blocked, which is block 8."""
    reason = reason_text(error)
    if "/8/" not in reason:
        return reason
    return f"{reason.rstrip(';')}; a switch blocks it for seconds to rename it: try again, or lift the block"


def disk_full(target: str, reason: str) -> TransientError:
    """What to raise for it."""
    return TransientError(
        StoreUnavailable(
            f"{target} takes no documents because the disk of a node is full; "
            f"free some or add some, and ingest again ({reason})"
        )
    )


def reason_text(error: Any) -> str:
    """The error of an engine's response in one line, with its cause; of a proxy's page, the title."""
    if not isinstance(error, Mapping):
        title = _TITLE.search(str(error))
        return one_line(title[1].strip() if title else str(error))
    roots = error.get("root_cause")
    root = roots[-1] if isinstance(roots, list) and roots else error
    error = root if isinstance(root, Mapping) else error
    cause = error.get("caused_by")
    parts = [
        error.get("type"),
        error.get("reason"),
        error.get(_API_KEY_DETAIL),
        cause.get("reason") if isinstance(cause, Mapping) else None,
    ]
    return one_line(": ".join(str(part) for part in parts if part))


_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_API_KEY_DETAIL = "additional_unsuccessful_credentials"
"""Where Elasticsearch says what is wrong with an API key."""
