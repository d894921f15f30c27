"""The library speaks to users of the library; the command line words its hints for its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import esclip
from esclip._cli.hints import HINTS, format_error
from esclip._errors import Hint

PACKAGE = Path(esclip.__file__).parent
EDGES = ("_cli", "_server")
COMMAND_LINE = re.compile(
    r"(?<![\w-])(?<!tar )--[a-z]|\bESCLIP_[A-Z]|\besclip (ingest|rejections|retry|models)\b"
)


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The strings of a module with their lines, without its docstrings."""
    docs = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docs:
            yield node.lineno, node.value


def test_no_message_of_the_library_names_a_flag() -> None:
    """Options of the command line, its commands and its variables are in `_cli` alone; tar's are its own."""
    named = [
        f"{path}:{line}: {text}"
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in EDGES
        for line, text in strings(ast.parse(path.read_text(encoding="utf-8")))
        if COMMAND_LINE.search(text)
    ]
    assert named == []


@pytest.mark.parametrize("hint", Hint)
def test_each_hint_has_words_for_the_command_line(hint: Hint) -> None:
    """An error with a hint ends with what the library advises; on the command line, with its words for it."""
    error = esclip.ConfigError("There is none", hint)
    assert str(error) == f"There is none; {hint.value}"
    assert format_error(error) == f"There is none; {HINTS[hint]}"
