"""An embedded index in a folder, and its table as Lance has it, around the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lance

from esclip.stores.lance.maintenance import IndexThresholds
from esclip.stores.lance.store import LanceStore
from esclip.testing.documents import SCHEMA

_NAME = "pictures"


def make_store(folder: Path, thresholds: IndexThresholds | None = None) -> LanceStore:
    """A store of an index that has been made, and is empty."""
    store = LanceStore(folder, _NAME, thresholds or IndexThresholds())
    store.ensure_index(SCHEMA)
    return store


def open_table(folder: Path) -> Any:
    """The table of the index in this folder."""
    return lance.dataset(folder / f"{_NAME}.lance")
