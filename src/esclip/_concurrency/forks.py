"""Forked processes: a child replaces the locks, connections and files of its parent.

    parent: locks, connections, files of ledgers ─► fork ─► child: renew() of each object ─► its own
            Lance, OpenVINO, torch               ─► fork ─► child: an error, as they can't fork

A child has one thread. Locks held by other threads stay locked, threads that C libraries wait for are
missing, and connections are shared with the parent: a response would go to the process that reads first.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Protocol

from esclip._errors import EsclipError


class Renewable(Protocol):
    """An object with locks, connections or threads."""

    def renew(self) -> None:
        """Replace them. Called in a forked child before anything else; must not wait."""


_objects: weakref.WeakSet[Renewable] = weakref.WeakSet()
_functions: list[Callable[[], None]] = []
_left: list[object] = []


def renew_in_children(owner: Renewable) -> None:
    """Call `owner.renew()` in each process that is forked from this one."""
    _objects.add(owner)


def run_in_children(function: Callable[[], None]) -> None:
    """Call a module's function in each process that is forked from this one."""
    _functions.append(function)


def leave_behind(value: object) -> None:
    """Never delete the parent's `value`: its finalizer would wait for threads that the child lacks."""
    _left.append(value)


class Unforkable:
    """A library that crashes or hangs in a process forked from one in which it has started threads."""

    def __init__(self, name: str, error: type[EsclipError], otherwise: str) -> None:
        """In a child, `use` raises `error`, with the advice `otherwise`."""
        self._name = name
        self._error = error
        self._otherwise = otherwise
        self._user: int | None = None

    def use(self) -> None:
        """Call before each use. Raises the error where the parent has called it."""
        if self._user is None:
            self._user = os.getpid()
        elif self._user != os.getpid():
            raise self._error(
                f"{self._name} can't be used in a process that was forked after its parent had used it: use "
                f"it only after the fork, start processes by spawn, or {self._otherwise}"
            )


def _renew_all() -> None:
    for function in _functions:
        function()
    for owner in list(_objects):
        owner.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
