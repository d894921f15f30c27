"""Fixtures that unit tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.engine_double import EngineDouble


@pytest.fixture
def double() -> Iterator[EngineDouble]:
    """A server that answers as told."""
    from tests.unit.engine_double import running  # not where pytest only hands tests to its workers

    with running() as double:
        yield double
