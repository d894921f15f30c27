"""What Lance says on stderr: no warnings of its own, which a caller can do nothing about."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "LANCE_LOG"
"""The variable that Lance reads its level from, when it is imported; there is no other switch."""


@contextmanager
def errors_only() -> Iterator[None]:
    """An import of Lance within it has Lance log errors alone, unless the environment names a level.

    The environment is then as it was. A program that has imported Lance itself keeps its log.
    """
    if LEVEL in os.environ or "lance" in sys.modules:
        yield
        return
    os.environ[LEVEL] = "error"
    try:
        yield
    finally:
        os.environ.pop(LEVEL, None)
