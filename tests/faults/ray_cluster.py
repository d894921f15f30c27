"""A Ray cluster for tests, which outlives the drivers that they kill; and its worker processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["RayCluster", "ray_cluster"]

_START = """
import json, os, sys
from esclip._ingest.ray_workers import connected
with connected() as ray:
    known = {name: os.environ[name] for name in os.environ if name.startswith("RAY_")}
    print(json.dumps(known | {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}), flush=True)
    sys.stdin.read()
"""

STARTS = 3
"""Ray gives its processes 30 s to start."""


@dataclass(frozen=True)
class RayCluster:
    """Where it is, and what it runs."""

    environ: Mapping[str, str]
    """What a driver needs to find it, and to be let in."""
    process: int

    def kill_worker(self, chance: random.Random) -> int:
        """Kill one of the processes that ingest a part. Returns its id."""
        process = chance.choice(sorted(self._at_work()))
        os.kill(process, signal.SIGKILL)
        return process

    def _at_work(self) -> Iterator[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (folder / "cmdline").read_bytes().startswith(b"ray::ingest_part") and self._has(folder):
                    yield int(folder.name)

    def _has(self, folder: Path) -> bool:
        """Whether a process is below the cluster's."""
        while (parent := int((folder / "stat").read_text().rpartition(")")[2].split()[1])) > 1:
            if parent == self.process:
                return True
            folder = Path("/proc") / str(parent)
        return False


@contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    """Context manager: a cluster in a process of its own. A start that a busy machine fails is repeated."""
    for _ in range(STARTS):
        with _started() as (process, told):
            if told:
                yield RayCluster(json.loads(told), process)
                return
    raise AssertionError(f"Ray did not start in {STARTS} times")


@contextmanager
def _started() -> Iterator[tuple[int, str]]:
    """Context manager: the process of a cluster, and the line that it prints when it is there."""
    with subprocess.Popen(
        [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdin
        yield process.pid, process.stdout.readline()
        process.stdin.close()
