"""Documents taken out of an index, in memory and in a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from esclip.stores.embedded import LanceStore
from esclip.stores.memory import MemoryStore
from tests.contracts.deletions import DeletionContract


class TestDeletionsInMemory(DeletionContract):
    @pytest.fixture
    def store(self) -> MemoryStore:
        """A store."""
        return MemoryStore("pictures")


class TestDeletionsInLance(DeletionContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LanceStore:
        """A store in a folder."""
        return LanceStore(tmp_path / "lance", "pictures")
