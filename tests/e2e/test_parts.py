"""Captions and parts of pictures on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import Esclip
from tests.contracts.parts import SIDE, paint

CORNER = {"left": 0.0, "top": 0.0, "right": 0.5, "bottom": 0.5}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A red picture with a blue corner, and a yellow one that is said to be something else."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    paint(folder / "corner.png", "red", ("blue", (0, 0, SIDE // 2, SIDE // 2)))
    paint(folder / "plain.png", "yellow")
    (folder / "texts.json").write_text(json.dumps({"plain.png": "a green thing"}), encoding="utf-8")
    return folder


def test_crops_and_captions(quick_esclip: Esclip, folder: Path) -> None:
    """An ingest makes them, searches look at them, and the next ingest skips all."""
    ingest = ("ingest", folder, "--encoder", "palette", "--captions", folder / "texts.json", "--json")
    assert quick_esclip(*ingest, "--parts", "crops,captions").json["written"] == 2
    assert quick_esclip(*ingest).json["skipped"] == 2
    (hit,) = quick_esclip("search-text", "blue", "-k", "1", "--in", "crops", "--json").hits
    assert (hit["box"], hit["score"]) == (CORNER, pytest.approx(1, abs=1e-3))
    assert Path(hit["location"]).name == "corner.png"
    (hit,) = quick_esclip("search-text", "green", "-k", "1", "--in", "captions", "--json").hits
    assert (Path(hit["location"]).name, hit["description"]) == ("plain.png", "a green thing")
    lines = quick_esclip("search-text", "green", "--in", "pictures,crops,captions").out.splitlines()
    assert [line.rpartition("/")[2] for line in lines] == ["plain.png", "corner.png"]
    stats = quick_esclip("stats", "--json").json
    assert (stats["documents"], stats["parts"]) == (2, ["captions", "crops"])
    assert "captions, crops" in quick_esclip("stats").out
    quick_esclip("drop", "--yes")
    assert not list(folder.parent.glob("home/data/**/*.lance"))


def test_what_was_given_stays_until_it_is_taken_back(quick_esclip: Esclip, folder: Path) -> None:
    """Captions and templates of labels, through ingests that don't name them."""
    texts = folder / "texts.json"
    given = ("--captions", texts, "--labels", "red,yellow", "--label-template", "{}")
    quick_esclip("ingest", folder, "--encoder", "palette", *given)
    texts.unlink()
    assert quick_esclip("ingest", folder, "--labels", "red,yellow", "--json").json["skipped"] == 2
    (hit,) = quick_esclip("search-text", "yellow", "-k", "1", "--json").hits
    assert (hit["description"], hit["metadata"]["label"]) == ("a green thing", "yellow")
    assert quick_esclip("ingest", folder, "--captions", "", "--json").json["written"] == 1
    (hit,) = quick_esclip("search-text", "yellow", "-k", "1", "--json").hits
    assert (hit["description"], hit["metadata"]["label"]) == ("", "yellow")


def test_what_is_wrong_is_told(quick_esclip: Esclip, folder: Path) -> None:
    """Parts that the index lacks, kinds that there are not, captions that can't be read."""
    quick_esclip("ingest", folder, "--encoder", "palette")
    run = quick_esclip("search-text", "blue", "--in", "crops", status=1)
    assert "esclip ingest PATH --parts crops" in run.err
    assert len(run.err.splitlines()) == 1
    assert "it may be crops" in quick_esclip("search-text", "blue", "--in", "crop", status=2).err
    assert "it may be captions" in quick_esclip("ingest", folder, "--parts", "caption", status=2).err
    run = quick_esclip("ingest", folder, "--captions", folder / "none.json", status=1)
    assert "none.json can't be read" in run.err
