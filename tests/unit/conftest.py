"""Fixtures that unit tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from esclip import ImageIndex
    from tests.unit.engine_double import EngineDouble


@pytest.fixture
def double() -> Iterator[EngineDouble]:
    """A server that answers as told."""
    from tests.unit.engine_double import running  # not where pytest only hands tests to its workers

    with running() as double:
        yield double


@pytest.fixture(params=["memory", "folder"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ImageIndex]:
    """An empty index of the palette encoder, in memory and in a folder."""
    from esclip import open_index
    from esclip.stores.memory import MemoryStore

    store = MemoryStore("x") if request.param == "memory" else tmp_path / "store"
    with open_index(store, "x", "palette") as index:
        yield index


@pytest.fixture
def memory() -> Iterator[ImageIndex]:
    """One in memory, for what no store does differently."""
    from esclip import open_index
    from esclip.stores.memory import MemoryStore

    with open_index(MemoryStore("x"), "x", "palette") as index:
        yield index
