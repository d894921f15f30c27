"""The examples of docs/searching.md are run, on an index of a made-up dataset."""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from esclip._cli.app import app
from scripts.make_unsplash import make_dataset

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
    labels = ("--labels", "red,green,dark blue", "--parts", "captions,crops")
    with pytest.MonkeyPatch.context() as patch:
        move_into(folder, patch)
        esclip("ingest", "data", "--images", "images", *labels, "--encoder", "palette")
    return folder


def move_into(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Make it the working directory, and the home of the index."""
    patch.chdir(folder)
    for name in (name for name in os.environ if name.startswith("ESCLIP_")):
        patch.delenv(name)
    patch.setenv("XDG_DATA_HOME", str(folder / "home"))


def esclip(*words: str) -> Result:
    """A command in this process: there are many examples, and a process takes most of a second to start."""
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    return ran


@pytest.fixture
def ids(place: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Ids of the dataset for those in the examples; the examples run beside it."""
    move_into(place, monkeypatch)
    hits = esclip("search-text", "red", "-k", "40", "--json").stdout.splitlines()
    names = sorted(set(re.findall(r"photo\d{6}", TEXT)))
    return {name: json.loads(hit)["id"] for name, hit in zip(names, hits, strict=False)}


def with_ids(text: str, ids: dict[str, str]) -> str:
    """The example with ids that are there."""
    for name, id in ids.items():
        text = text.replace(name, id)
    return text


@pytest.mark.parametrize("command", COMMANDS)
def test_commands(command: str, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A command of the guide finds something, or reads what was made for it."""
    monkeypatch.setenv("ESCLIP_ENCODER", "palette")
    ran = esclip(*shlex.split(with_ids(command, ids))[1:])
    assert ran.stdout.splitlines() or "120 records: " in ran.stderr, ran.stderr


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_programs(number: int, ids: dict[str, str], tmp_path: Path) -> None:
    """A program of the guide runs to its end."""
    script = tmp_path / "example.py"
    script.write_text(with_ids(PROGRAMS[number], ids), encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")
