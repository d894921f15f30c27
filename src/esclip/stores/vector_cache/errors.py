"""Maps what a disk raises to errors of one line about the vector cache on it, which say what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from esclip._errors import ErrorTable, StoreError, error_text

_REMEDIES = (
    (r"no space left|disk quota", "the disk is full; free some space, or give a folder on another one"),
    (r"read-only|permission denied", "it can't be written there; give another folder"),
)
"""Patterns of messages, of the system's and of Arrow's, and what they mean. The first that fits counts."""


def _failure(error: Exception, folder: Path) -> StoreError:
    problem = error_text(error)
    said = (text for pattern, text in _REMEDIES if re.search(pattern, problem, re.IGNORECASE))
    return StoreError(f"the vector cache {folder}: {next(said, problem)}")


DISK_ERRORS: ErrorTable = (((OSError, pa.ArrowException), _failure),)
"""What reading and writing raise; the context is the cache's folder."""
