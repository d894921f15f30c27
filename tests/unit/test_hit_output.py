"""Paths of hits alone, for other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import esclip
from esclip._cli.app import app
from esclip._files.paths import path_of, path_text

NAMES = (
    b"a b.png",
    b"line\nend.png",
    b"color\x1b[31med.png",
    b"caf\xe9.png",
    "café.png".encode(),
    b"back\\xe9slash.png",
)
SEARCHES = (
    ["search-text", "red"],
    ["search", "red"],
    ["search-texts", "queries"],
    ["search-image", "red.png"],
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with an index of red pictures whose names no line can have."""
    folder = tmp_path_factory.mktemp("paths")
    (folder / "photos").mkdir()
    Image.new("RGB", (8, 8), "red").save(folder / "red.png")
    for name in NAMES:
        (folder / "photos" / os.fsdecode(name)).write_bytes((folder / "red.png").read_bytes())
    (folder / "queries").write_text("red\n")
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder / "photos")
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ESCLIP_STORE", str(place / "store"))
    monkeypatch.chdir(place)

    def run(*words: str, status: int = 0) -> Result:
        ran = CliRunner().invoke(app, list(words))
        assert ran.exit_code == status, ran.output
        return ran

    return run


@pytest.mark.parametrize("words", SEARCHES, ids=lambda words: words[0])
def test_null_gives_names_as_they_are(run: Callable[..., Result], place: Path, words: list[str]) -> None:
    """Whatever bytes a file's name has, `-0` gives them, and nothing else."""
    ended = run(*words, "-0").stdout_bytes.split(b"\0")
    assert ended.pop() == b""
    assert {os.path.basename(path) for path in ended} == set(NAMES)  # noqa: PTH119
    assert all(os.path.isfile(path) for path in ended)  # noqa: PTH113


@pytest.mark.parametrize("words", SEARCHES, ids=lambda words: words[0])
def test_paths_are_lines(run: Callable[..., Result], words: list[str]) -> None:
    """`--paths` has one line for each hit, without what commands a terminal; stderr tells which differ."""
    ran = run(*words, "--paths")
    lines = ran.stdout.splitlines()
    assert len(lines) == len(NAMES)
    assert all(line.isprintable() and line.startswith("/") for line in lines)
    assert any(line.endswith("/a b.png") for line in lines)
    assert "shown escaped: 3; --null gives them as they are" in ran.stderr


def test_stored_pictures_have_paths_too(run: Callable[..., Result], place: Path) -> None:
    """`similar` and `recommend` have the same options."""
    id = run("search-text", "red", "-k", "1").stdout.split("\t")[1]
    for command in ("similar", "recommend"):
        assert len(run(command, id, "--null").stdout_bytes.split(b"\0")) == len(NAMES)


@pytest.mark.parametrize("flag", ["--paths", "--null", "-0"])
def test_paths_are_no_json(run: Callable[..., Result], flag: str) -> None:
    """Both at once are wrong usage."""
    assert "give one of them" in run("search-text", "red", "--json", flag, status=2).stderr


def test_no_hits_are_no_paths(run: Callable[..., Result]) -> None:
    """Nothing is written; why stands on stderr."""
    ran = run("search-text", "red", "-0", "--where", "file_size>9000")
    assert ran.stdout == ""
    assert "file_size" in ran.stderr


def test_locations_lead_back_to_their_files(place: Path) -> None:
    """The path of a location is the file's, also where a name isn't UTF-8, or looks as if it weren't."""
    for name in NAMES:
        file = place / "photos" / os.fsdecode(name)
        assert path_of(path_text(file)) == file
    for odd in ("/nowhere/\\xe9", "\\xff\0", "\ud800\\xe9", "https://host/\\xe9.png"):
        assert str(path_of(odd)) == odd.replace("//", "/")
