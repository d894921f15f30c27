"""The help of every command as text, on a terminal of 80 columns without colours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache

__all__ = ["render_flags", "render_help"]

PROGRAM = """
import contextlib, runpy, sys

for words in sys.argv[1:]:
    sys.argv = ["esclip", *words.split(), "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_module("esclip", run_name="__main__")
    print("=" * 80, flush=True)
"""
"""Shows the help of several commands in one process: each would take a third of a second to start."""


@cache
def render_help() -> str:
    """`esclip --help`, then that of each command that it lists."""
    main = _show_help("")
    commands = re.findall(r"^  ([a-z]\S*)  ", main, re.MULTILINE)
    assert commands, main
    return main + _show_help(*commands)


def render_flags() -> str:
    """Of each help the usage, and flags with their values and environment variables: what scripts rely on."""
    lines: list[str] = []
    for shown in render_help().split(f"{'=' * 80}\n"):
        lines += re.findall(r"^Usage: .*", shown, re.MULTILINE)
        for option in re.split(r"\n(?=  -|\S|$)", shown):
            variable = re.search(r"env\s+var:\s+(\w+)", option)
            flag = re.match(r"  (-.*?)(?:  |\n|$)", option)
            lines += [f"    {flag[1]}{f'  ({variable[1]})' if variable else ''}"] if flag else []
    return "\n".join(lines) + "\n"


def _show_help(*commands: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_")}
    environ |= {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-c", PROGRAM, *commands]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout
