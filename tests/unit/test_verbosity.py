"""How much is said on stderr: everything, what matters, or nothing but errors."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from esclip._cli.app import app


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a red picture, and a broken one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    (folder / "broken.png").write_bytes(b"nothing")
    return folder


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    """An index that needs no model, named by the alias of --encoder."""
    return ["--store", str(tmp_path / "store"), "--model", "palette"]


def run(*words: str, exit_code: int = 0) -> tuple[str, str]:
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == exit_code, ran.output
    return ran.stdout, ran.stderr


@pytest.mark.parametrize("place", ["before", "behind"])
def test_quiet_and_verbose(pictures: Path, options: list[str], place: str) -> None:
    """Before the command's name or behind it: no summary with -q, the time of a search with -v."""

    def said(flag: str, *words: str) -> tuple[str, str]:
        return run(flag, *words) if place == "before" else run(*words, flag)

    stdout, stderr = said("--quiet", "ingest", str(pictures), *options, "--json")
    assert '"written":1' in stdout
    assert stderr == ""
    assert said("-q", "search-text", "no colour at all", *options)[1] == ""
    stdout, stderr = said("-v", "search-text", "red", *options)
    assert "red.png" in stdout
    assert "esclip: query vectors took" in stderr


def test_neither(pictures: Path, options: list[str]) -> None:
    """Without both, an ingest says how it went, and a search no times; -v holds for one command."""
    assert "1 rejected" in run("ingest", str(pictures), *options)[1]
    run("-v", "search-text", "red", *options)
    assert "took" not in run("search-text", "red", *options)[1]
    assert logging.getLogger("esclip").level == logging.NOTSET


def test_errors_are_said_quietly_too(options: list[str]) -> None:
    """With -q a failure still has its line on stderr."""
    assert "does not exist" in run("-q", "stats", *options[:2], exit_code=1)[1]


def test_both_are_wrong_usage(options: list[str]) -> None:
    """Nobody can want both."""
    assert "--verbose and --quiet" in run("-v", "stats", "-q", *options[:2], exit_code=2)[1]


def test_an_id_before_a_flag(pictures: Path, options: list[str]) -> None:
    """A flag that takes no value leaves the id behind it alone, where ids may begin with a dash."""
    run("ingest", str(pictures), *options)
    assert "no document" in run("similar", "-v", "-x", *options[:2], exit_code=1)[1].lower()
