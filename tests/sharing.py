"""What the workers of one run of pytest share: files that are made once, by whoever needs them first."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

__all__ = ["make_once", "session_folder"]


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole run: with pytest-xdist each worker has one of its own inside of it."""
    folder = factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def make_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """The folder with what `make` puts into it, complete. Other workers wait for the one that makes it."""
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            unfinished.mkdir(exist_ok=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder
