"""What `esclip search` takes its argument for, and pictures on standard input."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import esclip
from esclip._cli.app import app
from esclip._core.settings import MAX_PICTURE_BYTES
from tests.plain_pictures import png
from tests.servers import PictureServer, body

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory beside an index of a red and a blue picture."""
    folder = tmp_path_factory.mktemp("argument")
    for name in ("photos", "dogs"):
        (folder / name).mkdir()
    for color in ("red", "blue"):
        (folder / "photos" / f"{color}.png").write_bytes(png(color))
    (folder / "red").write_bytes(png("blue"))  # a file that is called like a text
    (folder / "notes.txt").write_text("red")
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder / "photos")
    return folder


@pytest.fixture
def run(place: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on that index, and returns which picture is the best hit."""
    monkeypatch.setenv("ESCLIP_STORE", str(place / "store"))
    monkeypatch.chdir(place)

    def run(*words: str, status: int = 0, stdin: bytes | None = None) -> Result:
        ran = CliRunner().invoke(app, list(words), input=stdin)
        assert ran.exit_code == status, ran.output
        return ran

    return run


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("something red", "red.png"),
        ("photos/blue.png", "blue.png"),
        ("./photos/red.png", "red.png"),
        ("dogs, blue", "blue.png"),
        ("blue as node.js", "blue.png"),
    ],
)
def test_an_argument_is_a_file_or_a_text(run: Run, argument: str, found: str) -> None:
    """An existing file is looked for as a picture, all else as a text."""
    ran = run("search", argument, "-k", "1", "--paths")
    assert Path(ran.stdout.strip()).name == found


def test_an_address_is_a_picture(run: Run) -> None:
    """What begins with http:// is fetched."""
    with PictureServer({"/a.png": body(png("blue"))}) as server:
        ran = run("search", server.url("/a.png"), "-k", "1", "--paths")
    assert ran.stdout.endswith("blue.png\n")


def test_either_can_be_forced(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    """A file's name is a text with `--text`; a file that is called like a text is told."""
    assert run("search", "--text", "red", "-k", "1", "--paths").stdout.endswith("red.png\n")
    assert not caplog.text
    assert run("search", "red", "-k", "1", "--paths").stdout.endswith("blue.png\n")
    assert '"red" is a file here' in caplog.text
    assert "--text red" in caplog.text
    run("search", "./red")
    assert caplog.text.count("is a file here") == 1


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("nowhere.jpg", "no such file"),
        ("AC/DC", "no such file"),
        ("my photos/a b.jpg", "no such file"),
        ("IMG.CR2", "no such file"),
        ("~/nowhere", "no such file"),
        ("ftp://host/a", "no such file"),
        ("http:/localhost/a.jpg", "as an address it is http://localhost/a.jpg"),
        ("dogs/", "a folder"),
        ("file:///tmp/a.png", "without file://"),
        ("a\x1b[31m/b", "no such file"),
        ("/" + "a" * 5000, "no such file"),
    ],
)
def test_a_path_without_a_file_is_told(run: Run, argument: str, told: str) -> None:
    """It isn't searched for as a text; the error says how that is done."""
    error = run("search", argument, status=1).stderr
    assert told in error
    assert error.count("\n") == 1
    assert error.rstrip("\n").isprintable()
    if "file://" not in argument and argument.isprintable() and len(argument) < 200:
        option, value = shlex.split(error.partition("as a text: ")[2])
        assert (option, value) == ("--text", argument)
        run("search", option, value)


def test_a_picture_that_is_none_is_told(run: Run) -> None:
    """A text file in the place of a picture is an error that names it."""
    assert "notes.txt" in run("search", "notes.txt", status=1).stderr


def test_the_argument_stands_beside_options(run: Run) -> None:
    """It is one of the query's parts, and weighs 1."""
    ran = run(
        "search", "blue", "--text:0.5", "red", "--words", "png", "--image", "red", "--explain", "--json"
    )
    for part in (
        '"text: blue","weight":1.0',
        '"text: red","weight":0.5',
        '"image: red","weight":1.0',
        "words: png",
    ):
        assert part in ran.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["red", "car"], "in quotes"),
        (["-"], "search-image -"),
        ([""], "is empty"),
        ([], "a text, a picture's path or URL"),
    ],
)
def test_other_arguments_are_wrong_usage(run: Run, words: list[str], told: str) -> None:
    """Several words without quotes, a dash, and nothing at all."""
    assert told in " ".join(run("search", *words, status=2).stderr.split())


def test_a_picture_comes_from_standard_input(run: Run) -> None:
    """`-` stands for its bytes, alone or as a part of a query."""
    for words in (["search-image", "-"], ["search", "--image", "-"], ["search", "--image:2", "-"]):
        ran = run(*words, "-k", "1", "--paths", stdin=png("blue"))
        assert ran.stdout.endswith("blue.png\n")


@pytest.mark.parametrize(
    ("stdin", "told"),
    [
        (b"", "standard input is empty"),
        (b"<html>", "not_an_image: standard input: "),
        (png("red")[:40], "standard input: "),
        (bytes(MAX_PICTURE_BYTES + 1), "too_large: standard input: "),
    ],
    ids=["empty", "html", "cut off", "too large"],
)
def test_what_is_no_picture_on_standard_input_is_told(run: Run, stdin: bytes, told: str) -> None:
    """The error says where the bytes came from; no more of them is read than a picture may have."""
    for words in (["search-image", "-"], ["search", "red car", "--image", "-"]):
        assert told in run(*words, status=1, stdin=stdin).stderr
