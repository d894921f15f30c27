"""Where Lance's errors stop: each becomes a `StoreError` of one line that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from esclip._errors import ConfigError, IndexMismatch, StoreError, StoreUnavailable

__all__ = ["lance_faults"]

FOREIGN = (OSError, ValueError, RuntimeError, pa.ArrowException)
"""What Lance and Arrow raise."""

FAULTS: tuple[tuple[str, type[StoreError], str], ...] = (
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
"""What Lance's text says, what it is raised as, and what to do. The first that is found counts."""

_SOURCE = re.compile(r",?\s*\S+\.rs:\d+.*")


@contextmanager
def lance_faults(path: Path) -> Iterator[None]:
    """Raise what Lance raises inside as a `StoreError` about the index at `path`.

    Raises `ConfigError` where a text of the question, or the path, can't be written.
    """
    try:
        yield
    except StoreError:
        raise
    except UnicodeEncodeError as error:
        odd = error.object[max(0, error.start - 20) : error.end]
        raise ConfigError(
            f"a text that the index at {path} was asked for is no valid Unicode, at {odd!r}; check "
            "its encoding"
        ) from error
    except FOREIGN as error:
        said = _one_line(str(error)) or type(error).__name__
        kind, advice = next((k, a) for pattern, k, a in FAULTS if re.search(pattern, said, re.IGNORECASE))
        raise kind(f"The index at {path} can't be used ({said}): {advice}.") from error


def _one_line(text: str) -> str:
    """Lance's message without the places in its source code."""
    return _SOURCE.sub("", text.replace("\n", " ")).strip()[:300]
