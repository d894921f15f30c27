"""Several processes with one index: two that fill it, and one that searches while another fills it."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from esclip import ImageIndex, load_encoder, open_index
from tests.e2e.test_interrupt import start
from tests.faults.material import Dataset, records_of
from tests.faults.target import AssertWhole, Target

pytestmark = pytest.mark.fault


@pytest.fixture
def parts(dataset: Dataset, tmp_path: Path) -> list[Path]:
    """The dataset's pictures in three folders."""
    folders = [tmp_path / "parts" / name for name in "abc"]
    for folder in folders:
        folder.mkdir(parents=True)
    for at, picture in enumerate(sorted(dataset.images.iterdir())):
        os.link(picture, folders[at % 3] / picture.name)
    return folders


def test_two_ingests_at_once(
    assert_whole: AssertWhole, target: Target, parts: list[Path], tmp_path: Path
) -> None:
    """Two processes that fill one index with overlapping folders end well and leave each picture once."""
    a, b, c = parts
    options = ("--encoder", "palette", *target.options)
    with start(tmp_path, "ingest", a, b, *options) as one, start(tmp_path, "ingest", b, c, *options) as other:
        for running in (one, other):
            _, told = running.communicate(timeout=200)
            assert running.returncode == 0, told
    assert_whole(target, records_of(*parts), load_encoder("palette"))


def test_searches_go_on_while_an_index_is_filled(
    assert_whole: AssertWhole, target: Target, dataset: Dataset, tmp_path: Path
) -> None:
    """Who searches while another process fills the index sees no error, and nothing that was there goes."""
    command: tuple[str | Path, ...] = ("ingest", dataset.images, "--encoder", "palette", *target.options)
    with start(tmp_path, *command, "--limit", "100") as first:
        assert first.wait(timeout=200) == 0
    seen: list[set[str]] = []
    counts: list[int] = []
    with start(tmp_path, *command) as running, open_index(target.store, target.index) as index:
        while running.poll() is None:
            counts.append(index.stats().documents)
            seen.append(found(index))
        assert running.returncode == 0
        seen.append(found(index))
    assert counts == sorted(counts)
    assert all(before <= after for before, after in pairwise(seen))
    assert len(set(map(len, seen))) > 2
    records = records_of(dataset.images)
    assert seen[-1] == records.keys()
    assert_whole(target, records, load_encoder("palette"))


def found(index: ImageIndex) -> set[str]:
    """The ids of all that a search sees."""
    return {hit.id for hit in index.search_text("red", k=10_000)}
