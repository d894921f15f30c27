"""Libraries that other libraries import without need: not to be found for a moment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


@contextmanager
def hide_module(name: str) -> Iterator[None]:
    """Context manager: within it, the package `name` can't be imported, unless it has been before.

    For packages that a library does without where they aren't installed, as it promises.
    """
    finder = _Finder(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == self._name:
            raise ModuleNotFoundError(f"{name} is not to be found", name=name)
