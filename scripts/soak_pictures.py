"""Thousands of damaged pictures through the whole pipeline, in bounded memory: each a vector or a rejection.

    python -m scripts.soak_pictures --pictures 100000 --seed 7

    damaged pictures ─► files ─► FolderSource ─► ingest(palette) ─► MemoryStore ─► counts, as JSON

The process may not have more address space than `--megabytes`. The exit status is 1 when a record is lost, a
vector is none, a reason is out of place, or memory did not suffice for a picture.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

from esclip import ImageIndex, Reason, Rejection
from esclip.stores.memory import MemoryStore
from scripts.hostile_pictures import damaged, ordinary
from scripts.picture_bombs import BOMBS, peak_megabytes

__all__ = ["main"]

AT_ONCE = 2_000
"""Files that are on disk at once."""

EXPECTED = {Reason.NOT_AN_IMAGE, Reason.TRUNCATED, Reason.TOO_LARGE}

OUT_OF_MEMORY = ("MemoryError", "allocate")
"""How Python and NumPy say that."""


def main() -> None:
    """Print how often each thing became of a picture, and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--megabytes", type=int, default=6_000)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (options.megabytes * 1_000_000,) * 2)
    originals, bombs = ordinary(), [make() for make in BOMBS.values()]
    began = time.monotonic()
    counts: Counter[str] = Counter()
    for first in range(0, options.pictures, AT_ONCE):
        with tempfile.TemporaryDirectory(prefix="esclip-soak-") as folder:
            for number in range(first, min(first + AT_ONCE, options.pictures)):
                rng = random.Random(f"{options.seed} {number}")
                original = rng.choice(originals if number % 100 else bombs)
                (Path(folder) / f"{number}.jpg").write_bytes(damaged(original, rng))
            counts += ingested(folder)
    seconds = round(time.monotonic() - began)
    print(json.dumps({"seconds": seconds, "megabytes": peak_megabytes(), **counts}))


def ingested(folder: str) -> Counter[str]:
    """What became of the pictures in a folder."""
    counts: Counter[str] = Counter()

    def count(rejection: Rejection) -> None:
        if rejection.reason not in EXPECTED or any(word in rejection.detail for word in OUT_OF_MEMORY):
            raise SystemExit(f"{rejection.location}: {rejection.reason}: {rejection.detail}")
        counts[rejection.reason.value] += 1

    with ImageIndex(MemoryStore("soak"), "palette", None) as index:
        report = index.ingest(folder, on_rejection=count, max_rejection_rate=1)
        files = sum(1 for _ in Path(folder).iterdir())
        if (
            not report.read
            == files
            == report.written + report.rejected
            == index.stats().documents + counts.total()
        ):
            raise SystemExit(f"of {files} pictures some are lost: {report}")
    return counts + Counter(pictures=report.read, written=report.written)


if __name__ == "__main__":
    main()
