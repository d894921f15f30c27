"""An embedded index that an older version made is used as that version used it; see `tests/old_index.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from esclip._core.picture_color import COLOR, is_color
from tests.old_index import (
    SEARCH,
    WRITE,
    differences,
    extract_old_index,
    read_answers,
    run_steps,
    without_colors,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the index, of the dataset and of the pictures."""
    folder = tmp_path_factory.mktemp("old")
    extract_old_index(folder)
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    """What the index answers to all that reads, and then to all that writes."""
    found = {"search": run_steps(SEARCH, folder, str(folder / "store"))}
    for name, (change, steps) in WRITE.items():
        change(folder)
        found[name] = run_steps(steps, folder, str(folder / "store"))
    return found


@pytest.mark.parametrize("name", SEARCH)
def test_an_old_index_is_read(name: str, found: dict[str, Any]) -> None:
    """Each kind of search finds what it found, with the same scores."""
    assert differences(read_answers()["search"][name], found["search"][name]) == []


@pytest.mark.parametrize("name", WRITE)
def test_an_old_index_is_written(name: str, found: dict[str, Any]) -> None:
    """What has not changed is skipped, what was rejected is tried again, and what is deleted is gone."""
    assert differences(read_answers()[name], without_colors(found[name])) == []


def test_an_old_index_gets_colors(found: dict[str, Any]) -> None:
    """Before an ingest no picture has a colour, and after one each has, with its vector as it was."""
    for name, known in (("search", False), ("dataset changed", True)):
        hits = found[name]["text"]["lines"]
        assert len(hits) == 5
        assert all(is_color(hit["metadata"].get(COLOR)) is known for hit in hits)
        assert (COLOR in found[name]["stats"]["lines"][0]["fields"]) is known
