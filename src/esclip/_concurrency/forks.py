"""Forked processes: what a child can't use of its parent's is left behind, and made anew when it is needed.

    parent: locks, connections, files of ledgers ─► fork ─► child: renew() of each object ─► its own
            Lance, OpenVINO, torch               ─► fork ─► child: an error, for these libraries can't do it

A child has one thread. Locks that others held stay locked in it, threads that libraries in C wait for are
missing, and a connection is one with the parent's: answers would go to whichever reads first.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Protocol

from esclip._errors import EsclipError

__all__ = ["Unforkable", "leave_behind", "renew_in_children", "run_in_children"]


class Renewable(Protocol):
    """What has locks, connections or threads."""

    def renew(self) -> None:
        """Replace them: called in a forked child before anything else runs there. Must not wait."""
        ...


_objects: weakref.WeakSet[Renewable] = weakref.WeakSet()
_functions: list[Callable[[], None]] = []
_left: list[object] = []


def renew_in_children(owner: Renewable) -> None:
    """Have `owner.renew()` called in each process that is forked from this one."""
    _objects.add(owner)


def run_in_children(function: Callable[[], None]) -> None:
    """Have a module's function called there."""
    _functions.append(function)


def leave_behind(value: object) -> None:
    """Keep the parent's `value` for ever: taking it down would wait for threads that the child hasn't."""
    _left.append(value)


class Unforkable:
    """A library that crashes or hangs in a process that is forked from one in which it has begun threads."""

    def __init__(self, name: str, error: type[EsclipError], otherwise: str) -> None:
        """`error` is what a child gets that uses it, and `otherwise` what it may do about it."""
        self._name = name
        self._error = error
        self._otherwise = otherwise
        self._user: int | None = None

    def use(self) -> None:
        """Call it before any use. Raises the error where the parent has done so."""
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
