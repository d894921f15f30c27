"""Write man/esclip.1, the manual page, from the help of all commands.

python -m scripts.render_man     after a change of the command line; a test compares the file

click-man reads programs of Click, which Typer's are no longer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer.main

from esclip._cli.app import app
from esclip._cli.commands import CommandGroup
from esclip._cli.help import argument_name, describe_param, is_argument, panel_of, spell_option, usage_words
from esclip._core.options import Panel

__all__ = ["MAN", "render"]

MAN = Path(__file__).parent.parent / "man" / "esclip.1"

HEAD = r""".\" Rendered by scripts/render_man.py from the help of the commands.
.TH ESCLIP 1
.SH NAME
esclip \- finds pictures by what they show
.SH SYNOPSIS
.B esclip
.I COMMAND
[\fIOPTIONS\fR] [\fIARGUMENTS\fR]
.SH DESCRIPTION
Ingests pictures into an index of CLIP vectors, in a folder or in OpenSearch or Elasticsearch, and searches
it by texts, pictures and filters.
Results go to stdout, all else to stderr.
Options that several commands have are described once, under COMMON OPTIONS."""

FOOT = r""".SH FILES
.TP
.I ~/.config/esclip/config.toml
Options by name, for all commands or in a command's table: below variables and the command line.
.B ESCLIP_CONFIG
names another file; empty, none.
.SH EXIT STATUS
.TP
0
Done.
.TP
1
An error, told in one line on stderr.
.TP
2
Wrong usage.
.TP
130, 143
Ended by Ctrl\-C or SIGTERM.
.SH SEE ALSO
.B esclip
.I COMMAND
.B \-\-help"""

COMMON_FROM = 5
"""Options that so many commands have are described once."""


def render() -> str:
    """The page in the language of man(7)."""
    commands: dict[str, Any] = vars(typer.main.get_command(app))["commands"]
    owners: dict[tuple[str, str], list[Any]] = {}
    for command in commands.values():
        for option in command.params:
            if not is_argument(option):
                owners.setdefault(_described(option), []).append(option)
    common = {row: options[0] for row, options in owners.items() if len(options) >= COMMON_FROM}
    lines = [HEAD, ".SH COMMANDS"]
    for group in CommandGroup:
        for name, command in commands.items():
            if (command.rich_help_panel or CommandGroup.MACHINE) == group:
                lines += _command(name, command, set(common))
    lines.append(".SH COMMON OPTIONS")
    for panel in Panel:
        for row, option in common.items():
            if panel_of(option) is panel:
                lines += _entry(*row)
    return "\n".join([*lines, FOOT, ""])


def _command(name: str, command: Any, common: set[tuple[str, str]]) -> list[str]:
    usage = " ".join(usage_words(command.params))
    lines = [f".SS esclip {_escape(name)} {_escape(usage)}", _escape(" ".join(command.help.split()))]
    for param in command.params:
        if is_argument(param):
            lines += _entry(argument_name(param), describe_param(param))
    for panel in Panel:
        for option in command.params:
            if not is_argument(option) and panel_of(option) is panel and _described(option) not in common:
                lines += _entry(*_described(option))
    return lines


def _described(option: Any) -> tuple[str, str]:
    return spell_option(option), describe_param(option)


def _entry(term: str, text: str) -> list[str]:
    return [".TP", rf"\fB{_escape(term)}\fR", _escape(" ".join(text.split()))]


def _escape(text: str) -> str:
    r"""Text as roff reads it: `\` and `-` are commands of its own, as are `.` and `'` that begin a line."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("~", r"\(ti")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


def main() -> None:
    """Write the page."""
    MAN.parent.mkdir(exist_ok=True)
    MAN.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
