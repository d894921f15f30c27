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
from tests.faults.material import Dataset, made, records_of
from tests.faults.target import AssertWhole, Target
from tests.faults.whole import RawDocument

pytestmark = [pytest.mark.fault, pytest.mark.timeout(900)]  # 25 runs of the command, on any machine

IN_A_ROW = 4
"""Kills of one index before it is finished and compared."""


def test_kills_lose_nothing(
    assert_whole: AssertWhole, esclip: Esclip, target: Target, dataset: Dataset, tmp_path: Path, seed: int
) -> None:
    """After `kill -9` at any moment the same command goes on, and encodes nothing that had been written."""
    command: tuple[str | Path, ...] = ("ingest", dataset.images, "--encoder", "palette", *target.options)
    records = records_of(dataset.images)
    began = time.monotonic()
    esclip(*command)
    seconds = time.monotonic() - began
    chance = random.Random(seed)
    # engines keep what they have acknowledged: twenty kills for files of our own, eight for an engine
    for _ in range(2 if target.is_engine else 5):
        target.remove()
        _kill(IN_A_ROW, chance, seconds, tmp_path, command)
        written = target.count()
        report = esclip(*command, "--json").json
        assert report["skipped"] >= written
        assert (report["skipped"] + report["written"], report["rejected"]) == (len(records), 0)
        assert_whole(target, records, load_encoder("palette"))


def test_kills_leave_no_picture_without_its_parts(
    esclip: Esclip, target: Target, tmp_path: Path, seed: int
) -> None:
    """After kills and the same command once more, crops and labels are those of an undisturbed ingest."""
    images = made(tmp_path / "few", photos=200).images
    parts = Target(target.store, f"{target.index}_parts")
    kept: tuple[str, ...] = ("--parts", "crops", "--labels", "red,green,blue")
    command: tuple[str | Path, ...] = ("ingest", images, "--encoder", "palette", *kept, *target.options)
    chance, began = random.Random(seed), time.monotonic()
    try:
        esclip(*command)
        seconds = time.monotonic() - began
        expected = _by_id(target), _by_id(parts)
        assert len(expected[0]) == 200 < len(expected[1])
        assert all("p_green" in document for document in expected[1].values())
        for _ in range(2):
            target.remove()
            parts.remove()
            _kill(2, chance, seconds, tmp_path, command)
            esclip(*command)
            assert (_by_id(target), _by_id(parts)) == expected
    finally:
        parts.remove()


def _kill(
    times: int, chance: random.Random, seconds: float, home: Path, command: tuple[str | Path, ...]
) -> None:
    """Run the command so often that it was killed so many times, within the seconds that it takes."""
    killed = 0
    while killed < times:
        began = time.monotonic()
        with start(home, *command) as running:
            try:
                running.wait(timeout=chance.uniform(0.2, seconds))
            except subprocess.TimeoutExpired:
                running.kill()
                killed += 1
            else:
                seconds = time.monotonic() - began  # there is less left to do


def _by_id(target: Target) -> dict[str, RawDocument]:
    return {document["id"]: document for document in target.held()}
