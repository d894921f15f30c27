"""An ingest that is killed, again and again, at moments that it does not choose."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from esclip import load_encoder
from tests.command_line import Esclip
from tests.e2e.test_interrupt import start
from tests.faults.material import Dataset, records_of
from tests.faults.target import AssertWhole, Target

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]  # 25 runs of the command, on any machine

KILLS = 20
IN_A_ROW = 4
"""Kills of one index before it is finished and compared."""


def test_twenty_kills_lose_nothing(
    assert_whole: AssertWhole, esclip: Esclip, target: Target, dataset: Dataset, tmp_path: Path, seed: int
) -> None:
    """After `kill -9` at any moment the same command goes on, and encodes nothing that had been written."""
    command: tuple[str | Path, ...] = ("ingest", dataset.images, "--encoder", "palette", *target.options)
    records = records_of(dataset.images)
    began = time.monotonic()
    esclip(*command)
    seconds = time.monotonic() - began
    chance = random.Random(seed)
    for _ in range(KILLS // IN_A_ROW):
        target.remove()
        killed = 0
        while killed < IN_A_ROW:
            with start(tmp_path, *command) as running:
                try:
                    running.wait(timeout=chance.uniform(0.2, seconds))
                except subprocess.TimeoutExpired:
                    running.kill()
                    killed += 1
        written = target.count()
        report = esclip(*command, "--json").json
        assert report["skipped"] >= written
        assert (report["skipped"] + report["written"], report["rejected"]) == (len(records), 0)
        assert_whole(target, records, load_encoder("palette"))
