"""Write docs/reference/api.md: the public names with their signatures and docstrings.

python -m scripts.render_api     after a change of a public docstring; a test compares the file
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, is_typeddict

import esclip
from esclip._core.options import Opt, declared
from scripts.signatures import format_annotation, format_default, format_signature

__all__ = ["API", "render"]

API = Path(__file__).parent.parent / "docs" / "reference" / "api.md"

INTRODUCTION = """\
# Python API

<!-- place: docstrings -->

All public names of `esclip`, rendered from their docstrings by `make docs`. Import them from `esclip`: what
begins with an underscore is private. [Searching](../how-to/searching.md) is the guide to queries and filters.
"""

ENTRY = re.compile(r"^    (\*{0,2}\w+): ", re.MULTILINE)


def render() -> str:
    """The whole page."""
    values = {name: getattr(esclip, name) for name in esclip.__all__}
    kinds = {name: _kind(value) for name, value in values.items()}
    parts = [INTRODUCTION]
    for kind, describe in KINDS.items():
        parts.append(f"## {kind}\n")
        parts.extend(describe(name, values[name]) for name in esclip.__all__ if kinds[name] == kind)
    return "\n".join(parts)


def _kind(value: Any) -> str:
    if get_args(value):
        return "Unions"
    if not inspect.isclass(value):
        return "Functions"
    if issubclass(value, Exception):
        return "Errors"
    if issubclass(value, enum.Enum):
        return "Enumerations"
    if getattr(value, "_is_protocol", False) or inspect.isabstract(value):
        return "Protocols"
    if is_typeddict(value):
        return "Options"
    return "Values" if dataclasses.is_dataclass(value) or issubclass(value, tuple) else "Classes"


def _function(name: str, function: Callable[..., Any]) -> str:
    return (
        f"### {name}\n\n```python\n{format_signature(name, function)}\n```\n\n{_markdown(function.__doc__)}\n"
    )


def _class(name: str, cls: type) -> str:
    """A class with its public methods and properties."""
    parts = [f"### {name}\n\n{_markdown(cls.__doc__)}\n"]
    for member, value in _members(cls).items():
        if isinstance(value, property):
            assert value.fget
            result = format_annotation(inspect.signature(value.fget).return_annotation)
            shown, doc = f"{member}: {result}  # property", value.__doc__
        else:
            shown, doc = format_signature(member, getattr(cls, member)), value.__doc__
        parts.append(f"#### {name}.{member}\n\n```python\n{shown}\n```\n\n{_markdown(doc)}\n")
    return "\n".join(parts)


def _members(cls: type) -> dict[str, Any]:
    """Public methods and properties in the order of the code, those that only a base class has first."""
    members: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] == "esclip":
            own = {name: value for name, value in vars(base).items() if _is_documented(name, value)}
            members = {name: value for name, value in members.items() if name not in own} | own
    return members


def _is_documented(name: str, value: Any) -> bool:
    return not name.startswith("_") and (
        isinstance(value, property | classmethod | staticmethod) or inspect.isfunction(value)
    )


def _value(name: str, cls: type) -> str:
    """A class of attributes, each with the help of its declaration as an option, or the text below it."""
    docs = _attribute_docs(cls) | _option_docs(cls)
    written = [base.id for base in _definition(cls).bases if isinstance(base, ast.Name)]
    public = [getattr(esclip, name) for name in written if name in esclip.__all__]
    bases = [base for base in public if is_typeddict(base)]
    inherited = {name for base in bases for name in inspect.get_annotations(base)}
    lines = [
        f"- {shown}{': ' + docs[field] if field in docs else ''}"
        for field, shown in _attributes(cls)
        if field not in inherited
    ]
    lines += [f"- those of `{base.__name__}`" for base in bases]
    return f"### {name}\n\n{_markdown(cls.__doc__)}\n\n" + "\n".join(lines) + "\n"


def _attributes(cls: type) -> Iterator[tuple[str, str]]:
    """The name of each attribute, and its declaration as Markdown."""
    if issubclass(cls, enum.Enum):
        yield from ((member.name, f"`{member.name}` = `{member.value!r}`") for member in cls)
        return
    defaults = {
        field.name: field.default
        for field in (dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ())
        if field.default is not dataclasses.MISSING
    } | getattr(cls, "_field_defaults", {})
    for name, annotation in inspect.get_annotations(cls).items():
        default = f" = {format_default(defaults[name])}" if name in defaults else ""
        yield name, f"`{name}: {format_annotation(annotation)}{default}`"


def _option_docs(cls: type) -> dict[str, str]:
    """The helps of the options that a class declares, with defaults and bounds."""
    if not any("Annotated[" in str(annotation) for annotation in inspect.get_annotations(cls).values()):
        return {}
    return {name: _option_doc(opt) for name, (_, opt) in declared(cls).items() if opt}


def _option_doc(opt: Opt) -> str:
    notes = [] if opt.default in (None, ()) else [f"Default: `{opt.default!r}`."]
    notes += [] if opt.maximum is None else [f"From {opt.minimum:,} to {opt.maximum:,}."]
    return " ".join([re.sub(r"\{(\w+)\}", r"`\1`", opt.help), *notes])


def _attribute_docs(cls: type) -> dict[str, str]:
    """The strings below the attributes of a class, each as one line."""
    body = _definition(cls).body
    docs: dict[str, str] = {}
    for statement, text in pairwise(body):
        target = (
            statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        )
        if (
            isinstance(target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            docs[target.id] = " ".join(str(text.value.value).split())
    return docs


def _definition(cls: type) -> ast.ClassDef:
    """The code of a class, in whichever module defines it."""
    for name, module in sorted(sys.modules.items()):
        if name.startswith("esclip.") and vars(module).get(cls.__name__) is cls:
            for node in ast.parse(inspect.getsource(module)).body:
                if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
                    return node
    raise SystemExit(f"{cls.__name__} is defined in no module of esclip")


def _union(name: str, union: Any) -> str:
    return f"### {name}\n\n{', '.join(f'`{member.__name__}`' for member in get_args(union))}\n"


def _error(name: str, error: type) -> str:
    (base,) = error.__bases__
    return f"### {name}({base.__name__})\n\n{_markdown(error.__doc__)}\n"


def _markdown(doc: str | None) -> str:
    """A docstring with Google sections as Markdown."""
    text, *sections = re.split(r"^(\w+):\n(?=    )", inspect.cleandoc(doc or ""), flags=re.MULTILINE)
    parts = [text.rstrip()]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        parts.append(f"**{title}**\n\n{_section(title, body.rstrip())}")
    return "\n\n".join(parts)


def _section(title: str, body: str) -> str:
    if title == "Example":
        return f"```python\n{textwrap.dedent(body)}\n```"
    if title in ("Returns", "Yields"):
        return " ".join(body.split())
    _, *entries = ENTRY.split(body)
    pairs = zip(entries[::2], entries[1::2], strict=True)
    return "\n".join(f"- `{name}`: {' '.join(text.split())}" for name, text in pairs)


KINDS: dict[str, Callable[[str, Any], str]] = {
    "Functions": _function,
    "Classes": _class,
    "Options": _value,
    "Values": _value,
    "Enumerations": _value,
    "Unions": _union,
    "Protocols": _class,
    "Errors": _error,
}
"""The sections of the page, and how a name of each is described."""


if __name__ == "__main__":
    API.write_text(render(), encoding="utf-8")
