"""The examples of docs/searching.md are run, on an index of a made-up dataset."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from scripts.make_unsplash import make_dataset
from tests.command_line import Esclip, runner

GUIDE = Path(__file__).parents[2] / "docs" / "searching.md"
TEXT = GUIDE.read_text(encoding="utf-8")
COMMANDS = re.findall(r"^esclip .*$", TEXT, re.MULTILINE)
PROGRAMS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples name, beside the home of an index."""
    folder = tmp_path_factory.mktemp("guide")
    make_dataset(folder / "data", photos=120, images=folder / "images")
    Image.new("RGB", (40, 30), "blue").save(folder / "photo.jpg")
    (folder / "queries.txt").write_text("something red\nsomething blue\n", encoding="utf-8")
    (folder / "labels.txt").write_text("red\ngreen\nblue, or nearly so\n", encoding="utf-8")
    (folder / "pictures").mkdir()
    Image.new("RGB", (90, 60), "brown").save(folder / "pictures" / "a.jpg")
    (folder / "pictures" / "a.txt").write_text("a brown boat", encoding="utf-8")
    (folder / "home").mkdir()
    asked = ("--labels", "red,green,dark blue", "--parts", "captions,crops")
    pictures = ("data", "--images", "images")
    runner(folder / "home")("ingest", *pictures, *asked, "--encoder", "palette", cwd=folder)
    return folder


@pytest.fixture
def ids(place: Path) -> dict[str, str]:
    """Ids of the dataset for those in the examples."""
    listed = runner(place / "home")("search-text", "red", "-k", "40", "--json").hits
    names = sorted(set(re.findall(r"photo\d{6}", TEXT)))
    return {name: hit["id"] for name, hit in zip(names, listed, strict=False)}


def with_ids(text: str, ids: dict[str, str]) -> str:
    """The example with ids that are there."""
    for name, id in ids.items():
        text = text.replace(name, id)
    return text


@pytest.fixture
def at_home(place: Path) -> Esclip:
    """`esclip` where the index is."""
    return runner(place / "home")


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, place: Path, at_home: Esclip, ids: dict[str, str]) -> None:
    """A command of the guide finds something, or reads what was made for it."""
    run = at_home(*shlex.split(with_ids(command, ids))[1:], cwd=place, ESCLIP_ENCODER="palette")
    assert run.out.splitlines() or "120 records: " in run.err, run.err


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_programs(number: int, place: Path, at_home: Esclip, ids: dict[str, str], tmp_path: Path) -> None:
    """A program of the guide runs to its end."""
    script = tmp_path / "example.py"
    script.write_text(with_ids(PROGRAMS[number], ids), encoding="utf-8")
    at_home(cwd=place, script=script)
