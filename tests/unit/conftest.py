"""Fixtures that unit tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.engine_double import EngineDouble, running


@pytest.fixture
def double() -> Iterator[EngineDouble]:
    """A server that answers as told."""
    with running() as double:
        yield double
