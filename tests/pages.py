"""The examples of the pages in docs/: found, and run from top to bottom as a reader runs them.

    <!-- place: pictures, opensearch --> what lies around the examples (PLACES, engines); else nothing
    ```                                  commands, a line each; also `sh`
    ```console                           `$ ` and a command, then what a terminal of 80 columns shows
    ```python                            a program; those of one page share their names
    ```pycon                             `>>> `, and what Python shows
    ```text, json, toml ...              shown, not run
    <!-- not run: why -->                stands above a block that can't be run

What a page shows is compared: scores to 0.01, `...` stands for anything. `tests/integration/test_pages.py`
runs them.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import esclip
from esclip._cli.app import app
from esclip._cli.demo import draw_pictures
from scripts.make_unsplash import make_dataset

__all__ = ["DOCS", "PAGES", "PLACES", "Example", "commands_not_run", "examples_of", "places_of", "run_page"]

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))

BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+?) -->\n\s*)?"
    r"^(?P<indent> *)(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)(?P=fence) *$",
    re.DOTALL | re.MULTILINE,
)
SHELL = ("", "sh", "bash", "console")
SCORE = r"(?<![\d.])-?[01]\.\d{4}(?!\d)"
LOOKS_FOR = re.compile(r"esclip (?:search|similar|recommend|duplicates|classify)\b")
OPERATORS = re.compile(r"[|&;<>()]+$")
CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\x1b\]8;[^\x1b\x07]*(?:\x1b\\|\x07)")
TOUR = "/home/you/esclip-tour"
"""What the tutorial calls its folder: so long that paths stand on lines of their own, as a test's do."""
ID_AND_PATH = re.compile(rf"([0-9a-f]{{20}}).*\n +({TOUR}/.*)")
TERMINAL = {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "0", "NO_COLOR": "1", "COLUMNS": "80"}


@dataclass(frozen=True)
class Example:
    """A block of a page that is run."""

    where: str
    """The page and the line of the block."""
    language: str
    text: str


def examples_of(page: str) -> Iterator[Example]:
    """The blocks of a page, without those that are only shown, or that say why they can't be run."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        if block["language"] in (*SHELL, "python", "pycon") and not block["why"]:
            line = text.count("\n", 0, block.start("fence")) + 1
            yield Example(f"docs/{page}:{line}", block["language"], textwrap.dedent(block["text"]))


def commands_not_run(page: str) -> Iterator[list[str]]:
    """The commands of esclip, as words, in blocks of a page that say why they can't be run."""
    for block in BLOCK.finditer((DOCS / page).read_text(encoding="utf-8")):
        if block["language"] in SHELL and block["why"]:
            for command in _commands(textwrap.dedent(block["text"])):
                if command.startswith("esclip "):
                    yield list(takewhile(lambda word: not OPERATORS.fullmatch(word), _shell_words(command)))


def places_of(page: str) -> set[str]:
    """The names of what a page needs."""
    named = re.findall(r"<!-- place: (.+?) -->", (DOCS / page).read_text(encoding="utf-8"))
    return {name for names in named for name in names.split(", ")}


def run_page(page: str, folder: Path, names: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Run all examples of a page, in a folder with what it needs.

    `names` stand in the page for others, such as the address of an engine.
    """
    with pytest.MonkeyPatch.context() as patch:
        _move_into(folder, patch)
        known = dict(names)
        for place in places_of(page) & PLACES.keys():
            known |= PLACES[place](folder)
        for name, value in environ.items():
            patch.setenv(name, value)
        shared: dict[str, Any] = {"__name__": "__main__"}
        for example in examples_of(page):
            text = example.text
            for name, value in known.items():
                text = text.replace(name, value)
            _run(Example(example.where, example.language, text), shared, patch)


def _move_into(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Make it the working directory and the home, with `palette` as the model where none is named."""
    patch.chdir(folder)
    for name in (name for name in os.environ if name.startswith("ESCLIP_")):
        patch.delenv(name)
    patch.setenv("ESCLIP_ENCODER", "palette")
    patch.setenv("XDG_DATA_HOME", str(folder / "home"))
    patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))


def _run(example: Example, names: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    match example.language:
        case "python":
            exec(compile(example.text, example.where, "exec", dont_inherit=True), names)
        case "pycon":
            _run_session(example, names)
        case "console":
            for number, (command, shown) in enumerate(_dialogue(example.text)):
                _compare(shown, _run_command(command, patch, TERMINAL), f"{example.where} ({number})")
        case _:
            for command in _commands(example.text):
                out, err = _run_command(command, patch, {})
                assert out or not LOOKS_FOR.match(command), f"{example.where}: {command} finds nothing: {err}"


def _commands(text: str) -> Iterator[str]:
    """The lines of a block that are commands, joined where one ends with a backslash."""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def _dialogue(text: str) -> Iterator[tuple[str, str]]:
    """Each command after a `$`, and the lines that it shows."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
        yield command, shown.strip("\n")


def _run_command(command: str, patch: pytest.MonkeyPatch, terminal: dict[str, str]) -> tuple[str, str]:
    """stdout and stderr of a command that succeeds. One of esclip alone runs in this process: most are."""
    words = _shell_words(command)
    if words[0] == "export":
        for name, _, value in (word.partition("=") for word in words[1:]):
            patch.setenv(name, value)
        return "", ""
    if words[0] != "esclip" or "$" in command or any(map(OPERATORS.fullmatch, words)):
        return _run_in_shell(command)
    ran = CliRunner().invoke(app, shlex.split(command, comments=True)[1:], env=terminal)
    assert ran.exit_code == 0, f"{command}\n{ran.output}\n{ran.exception!r}"
    return ran.stdout, ran.stderr


def _shell_words(command: str) -> list[str]:
    """The words of a command; operators of the shell outside of quotes are words of their own."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def _run_in_shell(command: str) -> tuple[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path},
        check=False,
    )
    assert ran.returncode == 0, f"{command}\n{ran.stderr}"
    return ran.stdout, ran.stderr


def _compare(shown: str, printed: tuple[str, str], where: str) -> None:
    """What a page shows is what is printed: on stdout, or with what stderr has before or after it."""
    out, err = ("\n".join(map(str.rstrip, CONTROL.sub("", text).splitlines())) for text in printed)
    pattern = re.compile(_pattern(shown), re.DOTALL)
    for text in (out, err, f"{err}\n{out}", f"{out}\n{err}"):
        if found := pattern.fullmatch(text.strip("\n")):
            scores = list(map(float, re.findall(SCORE, shown)))
            assert list(map(float, found.groups())) == pytest.approx(scores, abs=0.01), where
            return
    pytest.fail(f"{where} shows\n{shown}\nbut printed are\n{out}\nand on stderr\n{err}")


def _pattern(shown: str) -> str:
    """A regular expression for what a page shows: `...` is anything, a score any score."""
    lines = "\n".join(map(str.rstrip, shown.splitlines()))
    parts = re.split(rf"({SCORE}|\.\.\.)", lines)
    return "".join(
        re.escape(part) if number % 2 == 0 else ".*?" if part == "..." else f"({SCORE})"
        for number, part in enumerate(parts)
    )


def _run_session(example: Example, names: dict[str, Any]) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    test = doctest.DocTestParser().get_doctest(example.text, names, example.where, example.where, 0)
    test.globs = names  # those of later examples as well
    told: list[str] = []
    failures, _ = doctest.DocTestRunner(optionflags=flags).run(test, out=told.append, clear_globs=False)
    assert not failures, "".join(told)


def _make_pictures(folder: Path) -> Mapping[str, str]:
    """The folder `pictures` with two dozen pictures, those of `esclip demo`; no index."""
    draw_pictures(folder / "pictures")
    return {}


def _make_unsplash(folder: Path) -> Mapping[str, str]:
    """An Unsplash dataset in `unsplash`, its pictures in `pictures`, and one to search by; no index."""
    make_dataset(folder / "unsplash", photos=120, images=folder / "pictures")
    Image.new("RGB", (40, 30), "blue").save(folder / "photo.jpg")
    return {}


def _make_tour(folder: Path) -> Mapping[str, str]:
    """The folder of the tutorial, empty but for its pictures, whose ids depend on where it is."""
    pictures = folder / "demo" / "pictures"
    draw_pictures(pictures)
    with esclip.open_index(folder / "ids", encoder="palette") as index:
        index.ingest(pictures)
        ids = {hit.location: hit.id for hit in index.search(esclip.Query(where="exists(file_name)", k=99))}
    shown = re.findall(ID_AND_PATH, (DOCS / "tutorial" / "index.md").read_text(encoding="utf-8"))
    return {id: ids[path.replace(TOUR, str(folder))] for id, path in shown} | {TOUR: str(folder)}


def _make_dataset(folder: Path) -> Mapping[str, str]:
    """An Unsplash dataset in `data`, its pictures in `images`, an index of both, and files to search by."""
    make_dataset(folder / "data", photos=120, images=folder / "images")
    Image.new("RGB", (40, 30), "blue").save(folder / "photo.jpg")
    (folder / "queries.txt").write_text("something red\nsomething blue\n", encoding="utf-8")
    (folder / "labels.txt").write_text("red\ngreen\nblue, or nearly so\n", encoding="utf-8")
    (folder / "pictures").mkdir()
    Image.new("RGB", (90, 60), "brown").save(folder / "pictures" / "a.jpg")
    (folder / "pictures" / "a.txt").write_text("a brown boat", encoding="utf-8")
    labels = ("--labels", "red,green,dark blue", "--parts", "captions,crops")
    ran = CliRunner().invoke(app, ["ingest", "data", "--images", "images", *labels])
    assert ran.exit_code == 0, ran.output
    ids = sorted(path.stem for path in (folder / "images").glob("*.jpg"))
    return {f"photo{number:06}": id for number, id in enumerate(ids)}


PLACES: dict[str, Callable[[Path], Mapping[str, str]]] = {
    "pictures": _make_pictures,
    "dataset": _make_dataset,
    "unsplash": _make_unsplash,
    "tour": _make_tour,
}
"""What lies around the examples of a page, by the name that the page gives.

Those that are engines are in `tests/integration/test_engine_pages.py`."""
