"""Renders the parts of README.md that the program knows best: the rejection reasons and the options.

    python scripts/render_readme.py          # writes README.md; a test compares it

Each part stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import typer.main

from esclip._cli.app import app
from esclip._errors import reasons
from esclip._errors.reasons import Reason

__all__ = ["render"]

README = Path(__file__).parent.parent / "README.md"


def render(text: str) -> str:
    """The README with its rendered parts made anew."""
    for name, part in (("reasons", _reasons()), ("options", _options())):
        pattern = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
        text, found = pattern.subn(lambda _: f"<!-- {name} -->\n{part}\n<!-- /{name} -->", text)  # noqa: B023
        if found != 1:
            raise SystemExit(f"README.md has {found} parts named {name}, not one")
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


def _options() -> str:
    """A table of all options, with the commands that take them."""
    commands = vars(typer.main.get_command(app))["commands"]
    takers: dict[tuple[str, str], list[str]] = {}
    for name, command in commands.items():
        for param in command.params:
            if param.param_type_name == "option":
                flags = ", ".join(sorted(param.opts, key=len))
                spelled = flags + (f" {param.metavar}" if param.metavar else "")
                says = (
                    param.help
                    if param.default in (None, False)
                    else f"{param.help} [default: {param.default}]"
                )
                variable = f" (`{param.envvar}`)" if param.envvar else ""
                takers.setdefault((f"`{spelled}`{variable}", says.replace("<", "&lt;")), []).append(name)
    rows = [f"| {option} | {', '.join(names)} | {says} |" for (option, says), names in takers.items()]
    return "\n".join(["| option | of | meaning |", "|---|---|---|", *rows])


def main() -> None:
    """Write README.md."""
    README.write_text(render(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
