"""Decisions about near-duplicates: their file, which a kill or other processes may have touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

import esclip
from esclip._errors import ConfigError, StoreError
from esclip._server.corrections import Corrections, corrections_path
from esclip._server.decisions import Decision, Decisions, Keep, decisions_path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "photos.decisions.jsonl"


def told(decisions: Decisions) -> list[tuple[str, str, Keep]]:
    return [decision[:3] for decision in decisions.all()]


def test_the_last_decision_about_two_pictures_counts(file: Path) -> None:
    """A decision replaces that about the same pictures, however they stand, and can be taken back."""
    decisions = Decisions(file)
    decisions.save("a", "b", Keep.LEFT)
    decisions.save("a", "c", Keep.BOTH)
    decisions.save("b", "a", Keep.LEFT)
    expected = [("a", "c", Keep.BOTH), ("b", "a", Keep.LEFT)]
    assert told(decisions) == told(Decisions(file)) == expected
    decisions.save("a", "c", Keep.UNDECIDED)
    assert told(decisions) == told(Decisions(file)) == expected[1:]
    found = decisions.about([("a", "b"), ("c", "a")])
    assert [one and one.keep for one in found] == [Keep.LEFT, None]


def test_what_is_kept_and_what_is_dropped() -> None:
    """The picture to keep is named with the other; nothing is dropped where both are kept."""
    named = {keep: Decision("a", "b", keep, "").kept_and_dropped for keep in Keep}
    assert named == {Keep.LEFT: ("a", "b"), Keep.RIGHT: ("b", "a"), Keep.BOTH: None, Keep.UNDECIDED: None}


def test_two_processes_see_each_other(file: Path) -> None:
    """What another process has saved is read with the next question."""
    ours, theirs = Decisions(file), Decisions(file)
    ours.save("a", "b", Keep.LEFT)
    assert told(theirs) == [("a", "b", Keep.LEFT)]
    theirs.save("a", "c", Keep.RIGHT)
    ours.save("a", "d", Keep.BOTH)
    assert told(ours) == told(theirs)
    assert len(told(ours)) == 3


def test_a_line_that_was_cut_off_costs_no_other(file: Path) -> None:
    """After a kill in the middle of a line those before it are there, and those after it, too."""
    Decisions(file).save("a", "b", Keep.LEFT)
    Decisions(file).save("a", "c", Keep.LEFT)
    file.write_bytes(file.read_bytes()[:-20])
    decisions = Decisions(file)
    decisions.save("a", "d", Keep.RIGHT)
    assert told(decisions) == told(Decisions(file)) == [("a", "b", Keep.LEFT), ("a", "d", Keep.RIGHT)]


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\xff",
        b"[]",
        b"7",
        b'{"left": "a"}',
        b'{"left": 1, "right": 2, "keep": "left", "at": ""}',
        b'{"left": "a", "right": "b", "keep": "delete", "at": ""}',
        b'{"left": "' + b"x" * 600 + b'", "right": "b", "keep": "left", "at": ""}',
    ],
)
def test_what_is_no_decision_is_skipped(file: Path, line: bytes) -> None:
    """An index may come from a stranger: lines of other things are no decisions."""
    file.parent.mkdir()
    file.write_bytes(line + b'\n{"left": "a", "right": "c", "keep": "both", "at": ""}\n')
    assert told(Decisions(file)) == [("a", "c", Keep.BOTH)]


@pytest.mark.parametrize(("left", "right"), [("a", "a"), ("", "b"), ("a", "\ud800"), ("a", "x" * 600)])
def test_a_decision_is_about_two_pictures(file: Path, left: str, right: str) -> None:
    """What can be no ids of two pictures is refused, and not written."""
    with pytest.raises(ConfigError):
        Decisions(file).save(left, right, Keep.LEFT)
    assert not file.exists()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """A named pipe blocks nobody, a link is not followed, a folder is no file: errors name them."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    for name in ("pipe", "folder", "link"):
        with pytest.raises(StoreError, match=name):
            Decisions(tmp_path / name).save("a", "b", Keep.LEFT)
    assert not (tmp_path / "secret").exists()


def test_where_they_are_kept(tmp_path: Path) -> None:
    """Beside the ledger of the index: in its folder, or in the user's for a cluster; else in memory."""
    assert decisions_path(str(tmp_path), "photos") == tmp_path / "photos.decisions.jsonl"
    assert decisions_path("memory", "photos") is None
    in_memory = Decisions(None)
    in_memory.save("a", "b", Keep.LEFT)
    assert told(in_memory) == [("a", "b", Keep.LEFT)]


def test_they_go_with_the_index(tmp_path: Path) -> None:
    """Of an index that was dropped nothing is left, also where a service has read it; others keep theirs."""
    with esclip.open_index(tmp_path, "photos", "palette") as index:
        index.add([{"id": "a", "image": Image.new("RGB", (9, 9), "red")}])
        decisions = Decisions(decisions_path(str(tmp_path), "photos"))
        corrections = Corrections(corrections_path(str(tmp_path), "photos"))
        other = Decisions(decisions_path(str(tmp_path), "others"))
        for one in (decisions, other):
            one.save("a", "b", Keep.LEFT)
        corrections.save("a", "cat")
        index.drop()
    assert [file.name for file in tmp_path.glob("*.jsonl")] == ["others.decisions.jsonl"]
    assert (decisions.all(), corrections.all()) == ([], {})
