"""The command line in this process: what is wrong usage is shown safely."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from esclip._cli.app import app

EVIL = "a\x1b[31mb\nforged\tc\x9bd\u202ee"


@pytest.mark.parametrize(
    "arguments",
    [
        [EVIL],
        [f"--{EVIL}"],
        ["search-text", "red", "--in", EVIL],
        ["search-text", "red", "-k", EVIL],
        ["search-texts", EVIL],
        ["rejections", "--reason", EVIL],
    ],
    ids=["command", "option", "choice", "number", "file", "reason"],
)
def test_wrong_usage_repeats_nothing_raw(arguments: list[str]) -> None:
    """An argument that is repeated in an error of usage can neither command a terminal nor forge a line."""
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 2
    assert ran.stderr.replace("\n", "").isprintable()
    assert not any(line.startswith("forged") for line in ran.stderr.splitlines())


def test_a_plan_of_a_store_needs_its_index() -> None:
    """A server that is named without an index is refused: the plan would be of a folder."""
    ran = CliRunner().invoke(app, ["plan", "1000", "--store", "http://127.0.0.1:9"])
    assert ran.exit_code == 2
    assert "--store goes with --index" in ran.stderr
