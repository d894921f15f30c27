"""Ctrl-C and SIGTERM, for work that can be asked to end early. For the command line only.

first  ─► the work is asked to end, and ends soon ─► exit status 128 + number
       └► nothing that could end is running: Interrupted
second ─► the process ends at once; what it has written is whole all the same
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from esclip._cli.stderr import write_at_once


class Interrupted(KeyboardInterrupt):
    """A signal that came where no work could be asked to end."""

    def __init__(self, number: int) -> None:
        """Keep the signal's number."""
        super().__init__()
        self.number = number


def exit_status(number: int) -> int:
    """The exit status of a program that a signal has ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + number


@contextmanager
def handle_signals(request_end: Callable[[], bool], notice: str = "") -> Iterator[list[int]]:
    """Context manager: within it, a signal calls `request_end`; gives the list of signals that came.

    `request_end` says whether the work will end; where it won't, the signal raises `Interrupted`. `notice` is
    written on stderr when it will.
    """
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if received:
            os._exit(exit_status(number))
        if not request_end():
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


@contextmanager
def end_on_signals() -> Iterator[None]:
    """Context manager: within it, a signal ends the process at once. For what writes nothing.

    A thread that waits for a line of stdin can't be asked to end.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        os._exit(exit_status(number))

    before = {kind: signal.signal(kind, on_signal) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for kind, action in before.items():
            signal.signal(kind, action)
