"""Processes as the system knows them, by their number: signals, what they hold, and how they were called."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["command_line", "in_group", "read", "runs", "send"]


def send(number: signal.Signals, pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it ended meanwhile
            os.kill(pid, number)


def runs(pid: int) -> bool:
    """Whether this process still holds anything: a dead one that nobody waited for does not."""
    _, _, state = read(f"/proc/{pid}/stat").rpartition(b") ")
    return state[:1] not in (b"", b"Z", b"X")


def in_group(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def command_line(pid: int) -> bytes:
    """Its command line, empty for one that has ended."""
    for _ in range(100):
        line = read(f"/proc/{pid}/cmdline")
        if line or not runs(pid):
            break
        time.sleep(0.01)  # in the middle of an exec it has none yet
    return line


def read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # the process ended meanwhile
        return b""
