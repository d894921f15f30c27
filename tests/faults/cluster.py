"""The engine whose nodes tests kill: `faulty` of scripts/engines, three nodes of OpenSearch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from tests.engines import engine_address, http

__all__ = ["NODES", "Cluster", "await_that"]

NODES = 3

ENGINES = Path(__file__).parents[2] / "scripts" / "engines"
UP_S = 240.0


def await_that(holds: Callable[[], bool], what: str) -> None:
    """Wait until it holds; fail the test when that takes too long."""
    deadline = time.monotonic() + UP_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"not in {UP_S:g} s: {what}")
        time.sleep(0.1)


class Cluster:
    """Its nodes are numbered from 1; the address is the first one's."""

    def __init__(self) -> None:
        """Skips or fails the test when the engine is not up."""
        self.address = engine_address("faulty")
        self._timers: list[Timer] = []

    def kill(self, *numbers: int, back_after: float | None = None) -> None:
        """End these nodes by SIGKILL. They are started again with their data after so many seconds."""
        _engines("kill", *numbers)
        if back_after is not None:
            self._timers.append(Timer(back_after, _engines, ("revive", *numbers)))
            self._timers[-1].start()

    def await_all(self) -> None:
        """Wait until all nodes are there and each shard has a copy that can be written to."""
        await_that(self._whole, "all nodes of `faulty` are up, and no shard is missing")

    def heal(self) -> None:
        """Bring back whatever a test has broken."""
        for timer in self._timers:
            timer.join()
        _engines("revive", *range(1, NODES + 1))
        self.await_all()
        # a disk that was full leaves more than our own settings behind
        nothing = {"transient": {"cluster.*": None}, "persistent": {"cluster.*": None}}
        http("PUT", f"{self.address}/_cluster/settings", nothing)

    def put_settings(self, **settings: Any) -> None:
        """Change settings of all nodes below `cluster`, until it is healed."""
        http("PUT", f"{self.address}/_cluster/settings", {"transient": {"cluster": settings}})

    def _whole(self) -> bool:
        try:
            health = http("GET", f"{self.address}/_cluster/health")
        except (OSError, AssertionError):  # its first node is down, or has not found the others
            return False
        return (health["number_of_nodes"], health["status"] == "red") == (NODES, False)


def _engines(command: str, *numbers: int) -> None:
    subprocess.run([sys.executable, ENGINES, command, "faulty", *map(str, numbers)], check=True)
