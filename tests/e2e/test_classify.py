"""Labels on the command line: pictures without an index, and those that an ingest keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from esclip.testing.pictures import PLAIN
from tests.command_line import Esclip

PALETTE = ("--encoder", "palette")


def test_lines_of_labels(quick_esclip: Esclip, photos: Path) -> None:
    """A line is a probability, a label and a picture, the most probable label of each picture first."""
    pictures = [str(photos / "red.png"), str(photos / "more" / "blue.png")]
    ran = quick_esclip("classify", *pictures, "--labels", "红, 蓝,rouge pâle,vert", "-k", "2", *PALETTE)
    rows = [line.split("\t") for line in ran.out.splitlines()]
    assert [row[2] for row in rows] == [pictures[0]] * 2 + [pictures[1]] * 2
    assert {row[1] for row in rows[:2]} == {"红", "rouge pâle"}
    assert rows[2][:2] == ["0.9999", "蓝"]


def test_objects_of_labels(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """With --json an object a picture; labels may come from a file, and be put into templates."""
    (tmp_path / "labels.txt").write_text("red\nblue, or green\n", encoding="utf-8")
    templates = ("--template", "all {}", "--template", "{}")
    picture = photos / "red.png"
    ran = quick_esclip(
        "classify", picture, "--labels", tmp_path / "labels.txt", *templates, "--json", *PALETTE
    )
    assert ran.json["image"] == str(picture)
    assert [one["label"] for one in ran.json["labels"]] == ["red", "blue, or green"]
    assert sum(one["probability"] for one in ran.json["labels"]) == pytest.approx(1)


def test_pictures_that_can_not_be_read(quick_esclip: Esclip, photos: Path, tmp_path: Path) -> None:
    """Each is a line on stderr; the others are labelled, and the exit status is 1."""
    (tmp_path / "text.png").write_text("no picture")
    pictures = ["missing.png", photos / "red.png", tmp_path / "text.png", photos / "yellow.png"]
    ran = quick_esclip("classify", *pictures, "--labels", "red,yellow", "-k", "1", *PALETTE, status=1)
    assert [line.split("\t")[1] for line in ran.out.splitlines()] == ["red", "yellow"]
    first, second = ran.err.splitlines()
    assert "file_not_found" in first
    assert "missing.png" in first
    assert "not_an_image" in second


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--labels", "a,a"], "'a' is given twice"),
        (["--labels", " "], "empty"),
        (["--labels", "nothing.txt"], "nothing.txt"),
        (["--labels", "a,b", "--template", "a photo"], "{}"),
        ([], "--labels"),
    ],
)
def test_wrong_usage(quick_esclip: Esclip, photos: Path, options: list[str], said: str) -> None:
    """Labels and templates that can't be used are wrong usage, and say why."""
    assert said in " ".join(
        quick_esclip("classify", photos / "red.png", *options, *PALETTE, status=2).err.split()
    )


def test_labels_are_kept_by_an_ingest(quick_esclip: Esclip, photos: Path) -> None:
    """Labels filter searches; the next ingest goes on with them, other ones replace them, '' ends them."""
    first = quick_esclip(
        "ingest", photos, "--labels", "red,blue", "--label-template", "{}", *PALETTE, "--json"
    ).json
    assert first["written"] == len(PLAIN)
    (hit,) = quick_esclip("search-text", "blue", "--where", "p_blue>=0.9", "--json").hits
    assert Path(hit["location"]).stem == hit["metadata"]["label"] == "blue"
    assert quick_esclip("ingest", photos, "--json").json["skipped"] == len(PLAIN)
    assert quick_esclip("stats", "--json").json["labels"] == ["red", "blue"]
    assert quick_esclip("ingest", photos, "--labels", "noir,blanc", "--json").json["written"] == len(PLAIN)
    (hit,) = quick_esclip("search-text", "black", "--where", "label=noir & p_noir>0.9", "--json").hits
    assert Path(hit["location"]).stem == "black"
    assert quick_esclip("ingest", photos, "--labels", "", "--json").json["written"] == len(PLAIN)
    assert quick_esclip("search-text", "black", "--where", "exists(label)").out == ""
    assert "--labels" in quick_esclip("ingest", photos, "--label-template", "{}", status=2).err
