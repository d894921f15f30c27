"""Any arguments, in this process: an exit status of the command line's contract, and lines of its own."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from esclip import open_index
from esclip._cli.app import app
from tests.fuzzing import fuzz_settings

ODD = (
    *(
        "",
        " ",
        "-",
        "--",
        "---",
        "\0",
        "a\nb",
        "\t",
        "\x1b[31m",
        "\udcff",
        "\ud800\udfff",
        "\u202e",
        "😀" * 60,
    ),
    *("1", "0", "-1", "1.5", "nan", "inf", "1e999", "9" * 25, "0x10", "٣", "True", "a,b", ",", "," * 3000),
    *("(", "((a", ")", "[red]", "{}", "%s", "*", "?", "a" * 5000, "a=b", "a:b", "0.5:red", "-2:", ":", "red"),
    *("file_name=red.png", "file_name=\udcff", "file_size>" + "9" * 30, "modified>9999-12-31", "!" * 40),
    *(
        "~",
        "~nobody-here/x",
        ".",
        "..",
        "/",
        "/dev/null",
        "/dev/full",
        "nowhere/deep/er",
        "pictures",
        "texts",
    ),
    *(
        "pictures/red.png",
        "http:/x",
        "localhost:9200",
        "//x",
        "palette",
        "sidecar",
        "crops",
        "pictures,crops",
    ),
)
"""What users mistype, paste and are given; nothing that is asked over a network, and no folder of others."""

COMMANDS = {
    "ingest": ["pictures", "--encoder", "palette"],
    "rejections": [],
    "retry": ["--encoder", "palette"],
    "forget": ["pictures"],
    "search-text": ["red"],
    "search-texts": ["texts"],
    "search-image": ["pictures/red.png"],
    "search": ["--text", "red"],
    "similar": ["0"],
    "recommend": ["0", "1"],
    "duplicates": [],
    "embed": ["red", "pictures/red.png", "--encoder", "palette"],
    "classify": ["pictures/red.png", "--labels", "red,blue", "--encoder", "palette"],
    "facets": ["color"],
    "audit": ["--queries", "2"],
    "evaluate": ["--field", "file_name"],
    "reencode": ["--encoder", "palette", "--to", "another"],
    "compare": ["image_search", "image_search", "--queries", "2"],
    "stats": [],
    "plan": ["1000", "--encoder", "palette"],
    "drop": [],
    "adopt": ["--encoder", "palette"],
    "export": ["--out", "exported"],
    "import": ["cache"],
    "encode": ["pictures", "--out", "encoded", "--encoder", "palette"],
    "manifest": ["pictures", "--out", "listed"],
    "models": [],
    "indexes": [],
    "switch": ["image_search"],
    "--version": [],
}
"""Each with words that it works with."""

COMMANDS_THAT_WAIT = {"mcp", "serve", "serve-encoder", "demo", "doctor"}
"""They listen, draw, or ask the network: not for hundreds of tries."""
WALKS = {"/", "~", "."}
"""What an ingest would walk for long."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with three pictures, and an index of them in `store`."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "pictures").mkdir()
    for color in ("red", "green", "blue"):
        Image.new("RGB", (8, 8), color).save(folder / "pictures" / f"{color}.png")
    (folder / "texts").write_text("red\nblue\n", "utf-8")
    with open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder / "pictures")
        index.export(folder / "cache")
    return folder


def _commands() -> dict[str, Any]:
    return typer.main.get_command(app).commands  # type: ignore[attr-defined,no-any-return]


def _options(command: str) -> list[tuple[str, bool]]:
    """A command's options, and which take a value; without clusters' addresses, what drops, what writes."""
    params = _commands()[command].params if command in _commands() else []
    names = {(name, not param.is_flag) for param in params for name in param.opts if name.startswith("-")}
    return sorted(
        names - {("--store", True), ("--copy-to", True), ("--out", True), ("--yes", False), ("-y", False)}
    )


values = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=()), max_size=12))


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command that works, with options of its own whose values may fit or not, or with other words."""
    command = draw(st.sampled_from(sorted(COMMANDS)))
    words = COMMANDS[command] if draw(st.integers(0, 3)) else draw(st.lists(values, max_size=3))
    line = [command, *words]
    if options := _options(command):
        for name, takes_value in draw(st.lists(st.sampled_from(options), max_size=3)):
            line += [name, draw(values)] if takes_value else [name]
    return [word for word in line if command != "ingest" or word not in WALKS]


def test_every_command_is_tried() -> None:
    """A new command is in the list, or among those that wait."""
    assert set(_commands()) <= COMMANDS.keys() | COMMANDS_THAT_WAIT


def check(line: list[str], place: Path) -> None:
    """Run one command line, and compare how it ends with the contract."""
    environ = {"ESCLIP_STORE": str(place / "store"), "HF_HUB_OFFLINE": "1", "HOME": str(place)}
    with chdir(place):
        ran = CliRunner().invoke(app, line, env=environ, catch_exceptions=True)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), repr(ran.exception)
    assert ran.exit_code in (0, 1, 2)
    assert "Traceback" not in ran.stderr
    if ran.exit_code == 1:
        assert ran.stderr
        assert all(told.startswith("esclip: ") for told in ran.stderr.splitlines()), ran.stderr


@fuzz_settings(40)
@given(line=command_lines())
def test_any_arguments_end_as_they_should(line: list[str], place: Path) -> None:
    """Exit status 0, 1 with lines of esclip's own, or 2: never a traceback."""
    check(line, place)
