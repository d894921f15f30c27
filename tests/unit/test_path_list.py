"""`ingest -`: the paths and URLs of pictures on standard input."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from esclip._cli.app import app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of which has a name with a line break."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("red", "green", "b\nlue"):
        Image.new("RGB", (40, 30), name.replace("\n", "")).save(folder / f"{name}.png")
    return folder


def ingest(folder: Path, given: bytes, *words: str, exit_code: int = 0) -> tuple[dict[str, Any], str]:
    """The report of an ingest of standard input, and what it says on stderr."""
    store = ("--store", str(folder.with_name("store")), "--encoder", "palette")
    ran = CliRunner().invoke(app, ["ingest", "-", *words, *store, "--json"], input=given)
    assert ran.exit_code == exit_code, ran.output
    return json.loads(ran.stdout) if ran.stdout else {}, ran.stderr


def counts(report: dict[str, Any]) -> list[int]:
    return [report[name] for name in ("read", "skipped", "written", "rejected")]


def test_paths_one_a_line(folder: Path) -> None:
    """Blank lines and the line ends of Windows don't count; what can't be read is counted."""
    lines = f"{folder}/red.png\r\n\n  \r\n{folder}/gone.png\nhttps://example.org/x.jpg\n{folder}/green.png"
    report, _ = ingest(folder, lines.encode(), "--max-rejection-rate", "1")
    assert counts(report) == [4, 0, 2, 2]
    assert report["rejections"] == {"file_not_found": 1, "bad_url": 1}


def test_paths_with_nul_between(folder: Path) -> None:
    """Names of any bytes, as `find -print0` writes them; they are the files that the folder's ingest has."""
    names = [os.fsencode(path) for path in sorted(folder.iterdir())]
    assert counts(ingest(folder, b"\0".join(names) + b"\0")[0]) == [3, 0, 3, 0]
    assert counts(ingest(folder, b"", str(folder))[0]) == [3, 3, 0, 0]


def test_utf_16(folder: Path) -> None:
    """A list that PowerShell has written is text, though it has NULs."""
    assert counts(ingest(folder, f"{folder}/red.png\n".encode("utf-16"))[0]) == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"pictures/\xff.png\n", "-print0"),
        (b"a\0" + b"x" * 100_000, "longer than 65,536 bytes"),
        (b"x" * 2_000_000, "longer than 1,048,576 characters"),
    ],
)
def test_what_is_no_list(folder: Path, given: bytes, told: str) -> None:
    """Bytes that are no text and names without an end are errors of one line."""
    assert told in ingest(folder, given, exit_code=1)[1].splitlines()[-1]


@pytest.mark.parametrize("words", [["-"], ["--prune"]])
def test_wrong_usage(folder: Path, words: list[str]) -> None:
    """Standard input is read once, and is no folder to be pruned."""
    assert "standard input" in ingest(folder, b"", *words, exit_code=2)[1]
