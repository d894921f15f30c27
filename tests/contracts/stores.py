"""Stores that contracts run on: a test class inherits a kind of store and the contract, in this order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from esclip.stores.lance.store import LanceStore
from esclip.stores.memory import MemoryStore

__all__ = ["OfAnyStore", "OfLance", "OfMemory"]


class OfAnyStore:
    """What a contract inherits."""

    @pytest.fixture
    def store(self) -> Any:
        """An empty store; to be given by who inherits."""
        raise NotImplementedError


class OfMemory:
    """In memory."""

    @pytest.fixture
    def store(self) -> MemoryStore:
        """An empty store."""
        return MemoryStore("pictures")


class OfLance:
    """In a folder."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> LanceStore:
        """An empty store."""
        return LanceStore(tmp_path / "store", "pictures")
