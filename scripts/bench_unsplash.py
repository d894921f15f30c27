"""How fast an Unsplash dataset is read, and in how much memory: at the size of Lite, and at a multiple.

make_unsplash ─► a folder ─► a process of its own for each round: open_source, all records ─► medians

python scripts/bench_unsplash.py --times 40
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event

__all__ = ["main"]

MAKE = Path(__file__).with_name("make_unsplash.py")
KEYWORDS_PER_PHOTO = 108


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line of medians for each size."""
    parser = argparse.ArgumentParser(description="Measure how an Unsplash dataset is read.")
    parser.add_argument("--photos", type=int, default=25_000)
    parser.add_argument("--times", type=int, default=4, help="the multiple measured as the second size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--read", type=Path, help="measure this folder once, in this process, as JSON")
    given = parser.parse_args(arguments)
    if given.read:
        print(json.dumps(_read(given.read)))
        return
    for photos in (given.photos, given.photos * given.times):
        with TemporaryDirectory(prefix="bench-unsplash-") as folder:
            subprocess.run([sys.executable, MAKE, folder, "--photos", str(photos)], check=True)
            rounds = [_round(Path(folder)) for _ in range(given.rounds)]
        seconds, first, mib = (median(r[name] for r in rounds) for name in ("seconds", "first", "mib"))
        print(
            f"{photos:,} photos, {photos * KEYWORDS_PER_PHOTO:,} keyword rows: {seconds:.1f} s, "
            f"first record after {first:.1f} s, {photos / seconds:,.0f} records/s, {mib:.0f} MiB at most",
            flush=True,
        )


def _round(folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--read", str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    measured: dict[str, float] = json.loads(output)
    return measured


def _read(folder: Path) -> dict[str, float]:
    from esclip.sources import open_source

    start = time.perf_counter()
    first, count = 0.0, 0
    for _ in open_source([folder]).records(Event()):
        count += 1
        first = first or time.perf_counter() - start
    seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"records": count, "seconds": seconds, "first": first, "mib": peak / 2**20}


if __name__ == "__main__":
    main()
