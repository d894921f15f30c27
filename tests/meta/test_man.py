"""The manual page says what the help of the commands says, and comes with a wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer.main

from esclip._cli.app import app
from scripts.render_man import MAN, render

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    """man/esclip.1 is as `scripts/render_man.py` writes it."""
    assert MAN.read_text(encoding="utf-8") == render()


def test_every_command_and_option_is_in_it() -> None:
    """Each command has a section, and each of its options is described."""
    page = MAN.read_text(encoding="utf-8").replace("\\-", "-")
    for name, command in vars(typer.main.get_command(app))["commands"].items():
        assert re.search(rf"^\.SS esclip {name} ", page, re.MULTILINE)
        for param in command.params:
            for option in param.opts if param.param_type_name == "option" else ():
                assert re.search(rf"^\\fB(.*, )?{option}\b", page, re.MULTILINE), option


def test_a_wheel_has_it() -> None:
    """It is installed where `man` looks in the environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"man/esclip.1": "share/man/man1/esclip.1"}


@pytest.mark.skipif(shutil.which("groff") is None, reason="there is no groff")
def test_it_is_read_without_warnings() -> None:
    """The roff program has nothing to say about it."""
    command = ["groff", "-man", "-Tascii", "-ww", str(MAN)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "COMMON" in done.stdout
