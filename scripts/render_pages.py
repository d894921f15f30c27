"""Renders the parts of docs/ that the program knows best: commands, reasons, errors, limits.

    python -m scripts.render_pages          # writes the pages; a test compares them

Each part stands in one page, between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer.main

from esclip import _errors
from esclip._cli.app import app
from esclip._core import analysis, filter_limits, labels, options, settings, types, urls
from esclip._core.captions import MAX_CAPTION_BYTES
from esclip._errors import reasons
from esclip._errors.reasons import Reason
from esclip._fetch import client
from esclip._files import text as text_files
from esclip._images import decode, sanitize
from esclip._ingest import labels as kept_labels
from esclip.encoders.remote import protocol
from esclip.sources import captions
from esclip.sources.memory import source as memory
from esclip.sources.tables import csv_rows
from esclip.sources.unsplash import child_tables
from esclip.stores.engine import queries

__all__ = ["DOCS", "PARTS", "render"]

DOCS = Path(__file__).parent.parent / "docs"


def render(text: str) -> str:
    """A page with its rendered parts made anew."""
    for name in re.findall(r"^<!-- /(\w+) -->$", text, re.MULTILINE):
        pattern = re.compile(rf"^<!-- {name} -->$.*?^<!-- /{name} -->$", re.DOTALL | re.MULTILINE)
        text = pattern.sub(lambda _: f"<!-- {name} -->\n\n{PARTS[name]()}\n\n<!-- /{name} -->", text)  # noqa: B023
    return text


def _reasons() -> str:
    """A table of the closed list of reasons, from the strings below its members."""
    said = _member_docs()
    rows = [f"| `{reason.value}` | {said.get(reason.name, '')} |" for reason in Reason]
    return "\n".join(["| reason | when |", "|---|---|", *rows])


def _member_docs() -> dict[str, str]:
    tree = ast.parse(inspect.getsource(reasons))
    reason = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Reason")
    docs: dict[str, str] = {}
    for member, after in zip(reason.body, reason.body[1:], strict=False):
        if (
            isinstance(member, ast.Assign)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            name = member.targets[0]
            assert isinstance(name, ast.Name)
            docs[name.id] = " ".join(str(after.value.value).split())
    return docs


def _errors_tree() -> str:
    """The tree of the errors, as the module that has them draws it."""
    (tree,) = re.findall(r"^    EsclipError\n(?:    .*\n)+", inspect.getdoc(_errors) or "", re.MULTILINE)
    return "```text\n" + re.sub("^    ", "", tree, flags=re.MULTILINE) + "```"


def _commands() -> str:
    """Each command with its usage, arguments and options."""
    return "\n\n".join(_command(name, command) for name, command in _visible_commands())


def _visible_commands() -> Iterator[tuple[str, Any]]:
    for name, command in vars(typer.main.get_command(app))["commands"].items():
        if not command.hidden:
            yield name, command


def _command(name: str, command: Any) -> str:
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    usage = " ".join(["esclip", name, "[OPTIONS]", *(_value_name(param) for param in arguments)])
    parts = [f"### {name}", _plain(command.help), f"```text\n{usage}\n```"]
    if arguments:
        rows = [f"| {_code(_value_name(param))} | {_meaning(param)} |" for param in arguments]
        parts.append("\n".join(["| argument | meaning |", "|---|---|", *rows]))
    panels: dict[str, list[str]] = {}
    for param in shown:
        if param.param_type_name == "option":
            title = getattr(param, "rich_help_panel", None) or "option"
            panels.setdefault(title, []).append(f"| {_spelled(param)} | {_meaning(param)} |")
    parts += ["\n".join([f"| {title} | meaning |", "|---|---|", *rows]) for title, rows in panels.items()]
    return "\n\n".join(parts)


def _value_name(param: Any) -> str:
    return str(param.metavar or param.human_readable_name).strip("{}")


def _spelled(param: Any) -> str:
    """An option as it is written: its names, its value and its variable."""
    names = ", ".join([*sorted(param.opts, key=len), *param.secondary_opts])
    shown = _code(names + (f" {param.metavar}" if param.metavar else ""))
    return f"{shown} (`{param.envvar}`)" if param.envvar else shown


def _code(text: str) -> str:
    """Code in a cell of a table. A bar in it ends the cell for GitHub, and can't be escaped for the site."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def _meaning(param: Any) -> str:
    """The help of an option or an argument, its default and its bounds."""
    notes = []
    default = param.default
    if isinstance(default, str | int | float) and default not in (None, False, ""):
        notes.append(f"[default: {default}]")
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is not None and high is not None:
        notes.append(f"[{low:,} to {high:,}]")
    return " ".join([_plain(param.help), *notes])


def _plain(text: str | None) -> str:
    """A help text as Markdown, in a cell of a table or outside of one."""
    return re.sub(r"([|*_])", r"\\\1", (text or "").replace("<", "&lt;"))


def _variables() -> str:
    """A table of the variables that are read in place of an option."""
    takers: dict[str, set[str]] = {}
    for _, command in _visible_commands():
        for param in command.params:
            if isinstance(param.envvar, str):
                takers.setdefault(param.envvar, set()).add(max(param.opts, key=len))
    lines = [f"| `{name}` | {', '.join(f'`{opt}`' for opt in opts)} |" for name, opts in takers.items()]
    return "\n".join(["| variable | in place of |", "|---|---|", *lines])


def _limits() -> str:
    """A table of what there may be at most, with the numbers of the code."""
    lines = []
    for subject, limits in LIMITS.items():
        lines += [f"| **{subject}** | | |"]
        lines += [f"| {what} | {shown} | {then} |" for what, shown, then in limits]
    return "\n".join(["| | at most | beyond it |", "|---|---|---|", *lines])


def _size(number: int) -> str:
    """A number of bytes."""
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number >= 1 << power and number % (1 << power) == 0:
            return f"{number >> power:,} {unit}"
    return f"{number:,} bytes"


LIMITS: dict[str, list[tuple[str, str, str]]] = {
    "Pictures": [
        ("a file", _size(settings.MAX_PICTURE_BYTES), "`too_large`"),
        ("pixels", f"{decode.MAX_PIXELS:,}", "`too_large`"),
        ("a side", f"{sanitize.MAX_SIDE:,} pixels", "`too_large`"),
        ("redirects to a picture", str(client.MAX_REDIRECTS), "`bad_redirect`"),
        ("a URL", f"{urls.MAX_URL:,} characters", "`bad_url`"),
    ],
    "Records": [
        ("an id", f"{types.MAX_ID_BYTES} bytes", "`bad_id`"),
        (
            "records of an iterator that are read ahead for their fields",
            f"{memory.HEAD_RECORDS:,}, {_size(memory.HEAD_BYTES)} of pictures",
            "a field that comes later: `bad_row`",
        ),
        (
            "a PIL image or an array",
            f"{_size(settings.MAX_PICTURE_BYTES)} as RGB",
            "it is reduced by a whole factor",
        ),
    ],
    "The Unsplash dataset": [
        ("a row", _size(csv_rows.MAX_ROW_BYTES), "`bad_row`"),
        ("collections of a photo", str(child_tables.MAX_COLLECTIONS), "others are not kept"),
    ],
    "Texts": [
        ("a line of a text file", f"{text_files.MAX_LINE_CHARS:,} characters", "an error"),
        ("a caption", _size(MAX_CAPTION_BYTES), "it is cut off"),
        ("a file of captions", _size(captions.MAX_FILE_BYTES), "an error"),
    ],
    "Labels": [
        ("labels of `classify`", f"{labels.MAX_LABELS:,}", "an error"),
        ("labels that an ingest keeps", str(kept_labels.MAX_LABELS), "an error"),
        ("a label", f"{labels.MAX_LABEL_LENGTH} characters", "an error"),
        ("templates", str(labels.MAX_TEMPLATES), "an error"),
        ("a file of labels", _size(labels.MAX_FILE_SIZE), "an error"),
    ],
    "Searches": [
        ("tests of all filters of a search", str(filter_limits.MAX_TESTS), "an error"),
        ("levels of `&` and <code>&#124;</code> in them", str(filter_limits.MAX_LEVELS), "an error"),
        ("values in them", f"{filter_limits.MAX_VALUES:,}", "an error"),
        ("words of a query by keywords", str(analysis.MAX_QUERY_WORDS), "further ones are not looked for"),
        ("the weight of a clause", f"{options.MAX_WEIGHT:,.0f}", "an error"),
        ("hits of an engine's vector index", f"{queries.MAX_HITS:,}", "the search compares every vector"),
    ],
    "An encoder server": [
        ("a request, by default", f"{settings.MAX_BODY_MIB} MiB", "status 413"),
        ("texts of a request", f"{protocol.MAX_TEXTS:,}", "an error; clients send more requests"),
    ],
}
"""What there may be at most, and what becomes of what is more."""

PARTS: dict[str, Callable[[], str]] = {
    "commands": _commands,
    "variables": _variables,
    "reasons": _reasons,
    "errors": _errors_tree,
    "limits": _limits,
}
"""How each part is rendered, by its name in a page."""


def main() -> None:
    """Write the pages."""
    for page in DOCS.rglob("*.md"):
        page.write_text(render(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
