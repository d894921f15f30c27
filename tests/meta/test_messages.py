"""Errors and warnings are worded alike, as CONTRIBUTING.md says."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import esclip
from esclip._cli.hints import HINTS
from esclip._errors import Hint

PACKAGE = Path(esclip.__file__).parent
SHOWN_BY = re.compile(
    r"(Error|Unavailable|NotFound|Exists|Mismatch|TooManyRejections|NotText|BadParameter|HttpError)$"
    r"|^(say|say_error|warning|info|debug|wrong_kind)$"
)
"""What a message is given to: exceptions of ours and built-in ones, the log, the command line's stderr."""

NAMES = {"Prefix"}
"""First words with a capital alone; those with another capital or a sign in them are names anyway."""

RULES: dict[str, Callable[[str], bool]] = {
    "begins with a small letter": lambda text: (
        not re.match(r"[A-Z][a-z]*\b(?<!\bI)(?![\w-])", text) or text.split()[0] in NAMES
    ),
    "ends without a full stop": lambda text: not re.search(r"(?<!\.)\.$", text),
    "is one line without tabs": lambda text: not re.search(r"[\n\t]", text),
    "has its names quoted by !r": lambda text: not re.search(r"'\{[^}']*\}'", text),
    "has the name of an index in quotes": lambda text: not re.search(r"\bindex (\{[^}!]*\}|%s)", text, re.I),
    "counts by pluralize": lambda text: (
        not re.search(r"\(s\)|\{len\([^}]*\}[^}]{0,3} [a-z]+s\b|%d (?!of|more)[a-z]+s\b", text)
    ),
    "has short forms, and asks for nothing": lambda text: (
        not re.search(
            r"\b(cannot|can not|could not|please|failed to|sorry|oops|invalid|illegal)\b",
            re.sub(r"\{[^}]*\}", "", text),
            re.IGNORECASE,
        )
    ),
}


class Message(NamedTuple):
    """A text that users read, with `{name}` or `{name!r}` for what is filled in."""

    where: str
    text: str


def messages() -> Iterator[Message]:
    """The messages of all modules, as far as they stand where they are used."""
    modules = (path for path in PACKAGE.rglob("*.py") if PACKAGE / "testing" not in path.parents)
    for path in sorted(modules):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and SHOWN_BY.search(_name(node.func)):
                for text in filter(None, map(_text, node.args[:2])):
                    yield Message(f"{path.relative_to(PACKAGE)}:{node.lineno}", text)


def _name(function: ast.expr) -> str:
    return getattr(function, "id", "") or getattr(function, "attr", "")


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_part, node.values))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _part(node: ast.expr) -> str:
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}{'!r' if node.conversion == ord('r') else ''}}}"
    return _text(node)


@pytest.fixture(scope="module")
def shown() -> list[Message]:
    """All messages, and all hints."""
    return [*messages(), *(Message("hint", text) for text in (*Hint, *HINTS.values()))]


def test_messages_are_found(shown: list[Message]) -> None:
    """There are hundreds, of errors, of the log and of the command line."""
    assert len(shown) > 350
    assert {"_cli", "stores", "encoders", "sources", "hint"} <= {one.where.split("/")[0] for one in shown}


@pytest.mark.parametrize("rule", RULES)
def test_a_message(rule: str, shown: list[Message]) -> None:
    """Each follows the rule."""
    assert [f"{where}: {text}" for where, text in shown if not RULES[rule](text)] == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("The store is full", "begins with a small letter"),
        ("the store is full.", "ends without a full stop"),
        ("the store\nis full", "is one line without tabs"),
        ("store '{name}' is full", "has its names quoted by !r"),
        ("index {name} is full", "has the name of an index in quotes"),
        ("{len(ids)} documents are lost", "counts by pluralize"),
        ("document(s) lost", "counts by pluralize"),
        ("the store cannot be read", "has short forms, and asks for nothing"),
    ],
)
def test_the_rules_find_what_departs(text: str, rule: str) -> None:
    """Each rule has a message that it is there for."""
    assert [name for name, holds in RULES.items() if not holds(text)] == [rule]


@pytest.mark.parametrize(
    "text",
    ["AWS credentials can't be read", "OpenSearch is away", "{path} is gone; write FIELD~...", "a path: {a}"],
)
def test_the_rules_let_pass_what_is_well(text: str) -> None:
    """Abbreviations and names keep their capitals."""
    assert all(holds(text) for holds in RULES.values())
