"""Standard streams as shells, pipes and service managers give them: closed, full, broken, not UTF-8."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from esclip import open_index

NAMES = ("Größe.png", "nb\u00a0sp.png", "日本 😀.png", "tab\t.png")

Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs a line of bash in which `esclip` finds the pictures of `NAMES` by the query red."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in NAMES:
        Image.new("RGB", (8, 8), "red").save(folder / name)
    store = tmp_path / "store"
    with open_index(store, encoder="palette") as index:
        index.ingest(folder)

    def run(line: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
        esclip = f'esclip() {{ "{sys.executable}" -m esclip "$@"; }}\n'
        places = {"HOME": str(tmp_path), "ESCLIP_STORE": str(store)}
        return subprocess.run(
            ["bash", "-c", esclip + line],
            env=os.environ | places | environ,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )

    return run


C_LOCALE = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize(
    ("environ", "encoding"),
    [(C_LOCALE, "ascii"), ({"PYTHONIOENCODING": "cp1252"}, "cp1252")],
    ids=["ascii", "cp1252"],
)
def test_every_hit_is_written_in_any_encoding(shell: Shell, environ: dict[str, str], encoding: str) -> None:
    """Lines escape what the encoding lacks, and JSON is ASCII: nothing is lost, nothing fails."""
    lines = shell("esclip search-text red", **environ)
    assert (lines.returncode, lines.stderr) == (0, b"")
    shown = [line.rsplit("/", 1)[1] for line in lines.stdout.decode(encoding).splitlines()]
    expected = [json.dumps(name)[1:-1] for name in NAMES]
    if encoding == "cp1252":
        expected[:2] = NAMES[:2]
    assert sorted(shown) == sorted(expected)
    found = shell("esclip search-text red --json", **environ)
    assert found.stdout.isascii()
    assert {json.loads(line)["metadata"]["file_name"] for line in found.stdout.splitlines()} == set(NAMES)


@pytest.mark.parametrize(
    ("to", "unbuffered", "says"),
    [
        (">/dev/full", "", "No space left on device"),
        (">/dev/full", "1", "No space left on device"),
        (">&-", "", "Bad file descriptor"),
    ],
    ids=["full", "full-unbuffered", "closed"],
)
def test_results_that_can_not_be_written_are_an_error(
    shell: Shell, to: str, unbuffered: str, says: str
) -> None:
    """A full disk or a closed stdout is one line and exit status 1, whenever the failure comes."""
    ran = shell(f"esclip search-text red {to}", PYTHONUNBUFFERED=unbuffered)
    told = f"esclip: the results can't be written to stdout: {says}\n"
    assert (ran.returncode, ran.stderr.decode()) == (1, told)


def test_help_that_can_not_be_written_is_an_error(shell: Shell) -> None:
    """What Typer prints is treated as what esclip prints."""
    ran = shell("esclip --help >/dev/full")
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1


def test_a_reader_that_has_enough_ends_it_silently(shell: Shell) -> None:
    """With `| head` there is no word on stderr, and the status says that not all was delivered."""
    ran = shell('esclip search-text red | true; exit "${PIPESTATUS[0]}"')
    assert (ran.returncode, ran.stderr) == (1, b"")


@pytest.mark.parametrize("closed", ["2>/dev/full", "<&- 2>&-"])
def test_work_goes_on_without_stderr_and_stdin(shell: Shell, closed: str) -> None:
    """Messages that can't be written fail nothing, and no file takes the place of a closed stream."""
    ran = shell(f"esclip ingest pictures --encoder palette --json {closed}; esclip --no {closed}; echo $?")
    done, status = ran.stdout.splitlines()
    assert json.loads(done)["skipped"] == len(NAMES)
    assert status == b"2"


def test_a_closed_stdin_has_no_queries(shell: Shell) -> None:
    """Queries from a stdin that is closed are one line of error."""
    ran = shell("esclip search-texts - <&-")
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith(b"esclip: queries <stdin>: ")
