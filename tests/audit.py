"""What this process does, as the interpreter's audit events tell: files opened, sockets connected."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeAlias

__all__ = ["watching"]

Watcher: TypeAlias = Callable[[str, tuple[Any, ...]], None]

_watchers: list[Watcher] = []


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Context manager: within it, `watcher` gets the name and values of each event, in any thread.

    What it raises, the audited call raises.
    """
    _install()
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


@cache
def _install() -> None:
    """Once: a hook can't be removed."""

    def hook(event: str, values: tuple[Any, ...]) -> None:
        for watcher in _watchers:
            watcher(event, values)

    sys.addaudithook(hook)
