"""An embedded index that an older version made is used as that version used it; see `tests/old_index.py`."""

from __future__ import annotations

import json
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
from tests.sharing import make_once, session_folder


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of the index answers to all that reads, and then to all that writes."""
    folder = make_once(session_folder(tmp_path_factory) / "old", _write_answers)
    found: dict[str, Any] = json.loads((folder / "found.json").read_text("utf-8"))
    return found


def _write_answers(folder: Path) -> None:
    extract_old_index(folder)
    found = {"search": run_steps(SEARCH, folder, str(folder / "store"))}
    for name, (change, steps) in WRITE.items():
        change(folder)
        found[name] = run_steps(steps, folder, str(folder / "store"))
    (folder / "found.json").write_text(json.dumps(found), "utf-8")


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
