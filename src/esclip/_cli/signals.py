"""Ctrl-C and SIGTERM, for work that can be asked to end early. For the command line only.

first  ─► asked: the work ends by itself, soon ─► exit status 128 + number
       └► nobody listens yet: Interrupted
second ─► the process ends at once; what it has written is whole all the same
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from esclip._cli.stderr import write_at_once

__all__ = ["Interrupted", "exit_status", "handle_signals"]


class Interrupted(KeyboardInterrupt):
    """A signal that came where nobody listens for it."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__()
        self.number = number


def exit_status(number: int) -> int:
    """The exit status of a program that a signal has ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + number


@contextmanager
def handle_signals(ask: Callable[[], bool], notice: str = "") -> Iterator[list[int]]:
    """A time in which a signal calls `ask`, which says whether somebody listens. Gives those that came.

    `notice` is what a person reads then.
    """
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if received:
            os._exit(exit_status(number))
        if not ask():
            raise Interrupted(number)
        received.append(number)
        with suppress(OSError):  # nobody reads it
            write_at_once(notice)

    before = {kind: signal.signal(kind, on_signal) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for kind, action in before.items():
            signal.signal(kind, action)
