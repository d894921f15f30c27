"""Break ingests for hours: the tests of `tests/faults/`, again and again, each round with another seed.

    round ─► pytest, ESCLIP_FAULT_SEED=n ─► per test: rounds, failures, seconds, documents compared

    eval "$(python3 scripts/engines env)"; python scripts/soak_faults.py --rounds 20

What fails is shown with its seed, which fails again as far as chance is the seed's:

    ESCLIP_FAULT_SEED=7 python -m pytest tests/faults -k kills_lose_nothing
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
FAULTS = "tests/faults"


@dataclass
class Line:
    """What has become of one test in all rounds."""

    seconds: list[float] = field(default_factory=list)
    documents: int = 0
    failed: list[int] = field(default_factory=list)
    """The seeds that it failed with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds and print a table after each; 1 if anything failed, or nothing ran."""
    parser = argparse.ArgumentParser(description="Run the tests of faults again and again, with other seeds.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("tests", nargs="*", default=[FAULTS], help=f"what to run ({FAULTS})")
    asked = parser.parse_args(arguments)
    table: defaultdict[str, Line] = defaultdict(Line)
    for seed in range(asked.seed, asked.seed + asked.rounds):
        _run(seed, asked.tests, table)
        _show(seed - asked.seed + 1, table)
    return 1 if not table or any(line.failed for line in table.values()) else 0


def _run(seed: int, tests: Sequence[str], table: defaultdict[str, Line]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "--show-capture=no",
            "-p",
            "no:cacheprovider",
        ]
        environ = os.environ | {"ESCLIP_FAULT_SEED": str(seed)}
        done = subprocess.run(
            [*command, f"--junitxml={report}", *tests],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"seed {seed}:", done.stdout[-5000:], sep="\n", file=sys.stderr)
        for case in ElementTree.parse(report).iter("testcase"):
            _count(case, seed, table)


def _count(case: ElementTree.Element, seed: int, table: defaultdict[str, Line]) -> None:
    if case.find("skipped") is not None:
        return
    line = table[case.attrib["name"]]
    line.seconds.append(float(case.attrib["time"]))
    line.documents += sum(
        int(each.attrib["value"]) for each in case.iter("property") if each.attrib["name"] == "documents"
    )
    if case.find("failure") is not None or case.find("error") is not None:
        line.failed.append(seed)


def _show(rounds: int, table: defaultdict[str, Line]) -> None:
    print(f"\n{rounds} rounds\n{'test':88}{'runs':>6}{'mean s':>8}{'compared':>10}  failed with seed")
    for name, line in table.items():
        mean = sum(line.seconds) / len(line.seconds)
        failed = ", ".join(map(str, line.failed)) or "-"
        print(f"{name:88}{len(line.seconds):>6}{mean:>8.1f}{line.documents:>10,}  {failed}")
    print(f"{'all':88}{'':14}{sum(line.documents for line in table.values()):>10,}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
