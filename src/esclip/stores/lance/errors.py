"""Maps Lance's exceptions: each becomes a `StoreError` of one line that says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from esclip._errors import (
    ConfigError,
    ErrorTable,
    IndexMismatch,
    IndexNotFound,
    StoreError,
    StoreUnavailable,
    one_line,
)
from esclip.stores.lance.aliases import SUFFIX

FAILURES: tuple[tuple[str, type[StoreError], str], ...] = (
    (r"conflict|contention|concurrent", StoreUnavailable, "other processes write to it; try again"),
    (r"no space left|os error 28\b", StoreUnavailable, "the disk is full; free some space"),
    (r"permission denied|read-only", StoreUnavailable, "check who may read and write the folder"),
    (r"too many open files", StoreUnavailable, "raise the limit of open files (ulimit -n)"),
    (
        r"\bnot found: \S+/|was not found|sufficient data|size is too small|invalid range|fill whole buffer"
        r"|magic|metadata region|decod|underflow|corrupt|checksum|unexpected (eof|end of file)",
        StoreError,
        "its files are damaged; remove that folder and ingest again",
    ),
    (
        r"query vector size",
        IndexMismatch,
        "the query's vector is of another model than the index",
    ),
    (r"", StoreError, "nothing says that its files are damaged; if it happens again, report it"),
)
"""Patterns of Lance's messages, what each is raised as, and what to do. The first that fits counts."""

_SOURCE_CODE = re.compile(r",?\s*\S+\.rs:\d+.*", re.DOTALL)


def _not_unicode(error: UnicodeEncodeError, path: Path) -> ConfigError:
    text = error.object[max(0, error.start - 20) : error.end]
    return ConfigError(
        f"a text of a request to the index at {path} is not valid Unicode, at {text!r}; check its encoding"
    )


def _failure(error: Exception, path: Path) -> StoreError:
    if path.with_suffix(SUFFIX).exists() and not path.exists():
        return IndexNotFound(f"the index at {path} has another name now, and this is an alias; open it again")
    reason = one_line(_SOURCE_CODE.sub("", str(error)), 300) or type(error).__name__
    make, remedy = next(
        (make, remedy) for pattern, make, remedy in FAILURES if re.search(pattern, reason, re.IGNORECASE)
    )
    return make(f"the index at {path} can't be used ({reason}); {remedy}")


LANCE_ERRORS: ErrorTable = (
    (UnicodeEncodeError, _not_unicode),
    ((OSError, ValueError, RuntimeError, pa.ArrowException), _failure),
)
"""What Lance and Arrow raise; the context is the path of the index."""
