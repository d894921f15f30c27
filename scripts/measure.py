"""What the benchmarks share: rounds side by side, medians and ratios, as a table and as JSON.

    measures ─► each once a round, in turn ─► medians, and ratios round by round ─► table | JSON

The machines that benchmarks run on are shared and noisy: what is compared is measured in the same rounds.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

__all__ = ["Row", "machine", "measure", "peak_mebibytes", "print_table", "run_python", "write_json"]


@dataclass(frozen=True)
class Row:
    """One measure's outcome."""

    name: str
    value: float
    """Median over the rounds."""
    low: float
    high: float
    unit: str
    ratio: float
    """Median of the value over the baseline's in the same round."""


def measure(
    measures: Mapping[str, Callable[[], float]],
    *,
    unit: str,
    rounds: int,
    baseline: str,
    warm_up: int = 1,
) -> list[Row]:
    """Each measure once a round, in turn, after rounds that don't count."""
    values: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(warm_up + rounds):
        for name, take in measures.items():
            value = take()
            print(f"round {number}: {name}: {value:.4g} {unit}", file=sys.stderr, flush=True)
            if number >= warm_up:
                values[name].append(value)
    return [
        Row(
            name,
            median(taken),
            min(taken),
            max(taken),
            unit,
            median(a / b for a, b in zip(taken, values[baseline], strict=True)),
        )
        for name, taken in values.items()
    ]


def machine() -> dict[str, str]:
    """The machine and the libraries that count, without its name or any path."""
    known = set(_cpu_info("flags").split())
    flags = [flag for flag in ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni") if flag in known]
    names = ("openvino", "torch", "sentence-transformers", "pylance", "pillow", "opensearch-py")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = _cpu_info("model name") or platform.machine()
    return {
        "processor": f"{processor}, {cores} cores, {', '.join(flags) or 'no bf16'}",
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "libraries": libraries,
    }


def _cpu_info(key: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def peak_mebibytes() -> int:
    """The most memory that this process has had resident."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had when it started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) >> 10
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit >> 20


@contextmanager
def sampled(*values: Callable[[], int]) -> Iterator[list[int]]:
    """The highest of each value within it, read every 50 ms."""
    peaks, over = [value() for value in values], Event()

    def watch() -> None:
        while not over.wait(0.05):
            peaks[:] = [max(peak, value()) for peak, value in zip(peaks, values, strict=True)]

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def anonymous_mebibytes() -> int:
    """The memory of this process without the pages of files that the system keeps for it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1]) >> 10


def print_table(title: str, rows: Sequence[Row]) -> None:
    """The rows as a table in Markdown."""
    print(f"\n| {title} | median | range | ratio |\n|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {row.value:.4g} {row.unit} | {row.low:.4g} to {row.high:.4g} | {row.ratio:.2f} |"
        )


def write_json(path: Path, facts: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """The same for programs."""
    data = {"facts": dict(facts), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


def run_python(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """A new Python process with these arguments; what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    return done.stdout
