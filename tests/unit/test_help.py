"""What `--help` shows on terminals of several widths."""

from __future__ import annotations

import re
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from esclip._cli.app import app

PROGRAM: Any = typer.main.get_command(app)
WIDTHS = (40, 80, 200)


def shown(width: int, *words: str) -> str:
    """The help as a terminal of this width shows it, without blanks: lines end anywhere."""
    ran = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(width), "FORCE_COLOR": "1"})
    assert ran.exit_code == 0
    return squeezed(ran.output)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PROGRAM.commands)
def test_help_shows_every_word_of_a_command(name: str, width: int) -> None:
    """Each option's help stands there whole, with its name, its default and its variable."""
    text = shown(width, name)
    command = PROGRAM.commands[name]
    assert squeezed(command.help) in text
    for param in command.params:
        assert squeezed(param.help) in text
        assert (
            squeezed(max(param.opts, key=len) if param.param_type_name == "option" else param.metavar) in text
        )
        if param.default not in (None, False) and not param.required:
            assert f"default:{param.default}" in text
        if param.envvar:
            assert f"[envvar:{param.envvar}" in text


@pytest.mark.parametrize("width", WIDTHS)
def test_help_lists_commands_with_whole_sentences(width: int) -> None:
    """What each command is for is not cut off at the end of a line."""
    text = shown(width)
    for name, command in PROGRAM.commands.items():
        assert squeezed(name + command.help) in text


def test_help_tells_defaults_in_words() -> None:
    """A default that is no single value is told as well."""
    text = shown(80, "ingest")
    assert "[default:afolderinyourdatadirectory]" in text
    assert "[default:whattheindexwasmadewith;clip-ViT-B-32foranewone]" in text
    assert "[default:thoseofthelastingest,atfirst:aphotoofa{}]" in text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PROGRAM.commands)
def test_help_fits_its_terminal(name: str, width: int) -> None:
    """No line is wider than the terminal, but for one word that is; and none names types."""
    output = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": str(width)}).output
    assert not [line for line in output.splitlines() if len(line) > width and " " in line.strip()]
    assert not re.search(r"<(bool|str|int|float|list)|\{", output.replace("{}", ""))


def test_what_matters_comes_first() -> None:
    """What a command is about comes before where the index is, the model, the output, servers and tuning."""
    titles = re.findall(
        r"^(\w[\w ]+):$", CliRunner().invoke(app, ["search-text", "--help"]).output, re.MULTILINE
    )
    assert titles == [
        "Arguments", "Options", "Index", "Model", "Output", "Access to servers", "Fine tuning",
    ]  # fmt: skip
    ingest = CliRunner().invoke(app, ["ingest", "--help"]).output
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", ingest, re.MULTILINE)
    assert {"--store", "--index", "--labels", "--prune"} <= {*options[:13]}
