"""Help pages: options in panels, what matters first, each with its default, bounds and variable.

declaration of an option (its panel) ─► format_options ─► Options · Index · Model · Output · ...
"""

from __future__ import annotations

import shutil
from typing import Any

from typer.core import TyperCommand

from esclip._core.options import Panel

MAX_WIDTH = 80
"""Longer lines are hard to read."""
MIN_WIDTH = 30
NARROW = 60
"""In narrower terminals what an option does stands below its name."""
NAME_COLUMNS = 26
"""The longest name that has what it does beside it."""


class HelpedCommand(TyperCommand):
    """Shows its usage as people write it, and its options in panels."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write the line of usage; what follows has the terminal's width."""
        fit_terminal(formatter)
        formatter.write_usage(ctx.command_path, " ".join(usage_words(self.get_params(ctx))))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and panels."""
        params = self.get_params(ctx)
        arguments = [(argument_name(param), describe_param(param)) for param in params if is_argument(param)]
        if arguments:
            write_section(formatter, "Arguments", arguments)
        write_panels(formatter, params)


def fit_terminal(formatter: Any) -> None:
    """Let a help page have the terminal's width, but not more than is readable."""
    columns = shutil.get_terminal_size().columns
    formatter.width = max(min(columns, MAX_WIDTH) - 2, MIN_WIDTH)


def usage_words(params: list[Any]) -> list[str]:
    """What stands behind a command's name in its usage; what may be left out in brackets."""
    arguments = [param for param in params if is_argument(param)]
    names = [(argument_name(argument), argument.required) for argument in arguments]
    return ["[OPTIONS]", *(name if required or name[0] == "[" else f"[{name}]" for name, required in names)]


def write_panels(formatter: Any, params: list[Any]) -> None:
    """Write options in their panels, in the panels' order."""
    options = [param for param in params if not is_argument(param) and not param.hidden]
    for panel in Panel:
        rows = [
            (spell_option(option), describe_param(option)) for option in options if panel_of(option) is panel
        ]
        if rows:
            write_section(formatter, panel.value, rows)


def write_section(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
    """Write a title and a list of names with what they are."""
    with formatter.section(title):
        formatter.write_dl(rows, col_max=4 if formatter.width < NARROW else NAME_COLUMNS)


def panel_of(option: Any) -> Panel:
    """The panel that an option is declared for; those that Typer adds are the last."""
    panel = getattr(option, "rich_help_panel", None)
    if panel is None:
        return Panel.OUTPUT if option.name in _TYPERS_OWN else Panel.OPTIONS
    return Panel(panel)


_TYPERS_OWN = ("help", "version", "install_completion", "show_completion")


def spell_option(option: Any) -> str:
    """An option's names, the short one first, and what its value is called."""
    names = ", ".join(sorted(option.opts, key=lambda name: name.startswith("--")))
    return f"{names} {option.metavar}" if option.metavar else names


def is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def argument_name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def describe_param(param: Any) -> str:
    """What a parameter is, its default, its bounds and its variable."""
    notes = [f"env var: {param.envvar}"] if param.envvar else []
    if param.default not in (None, False) and not param.required:
        notes.append(f"default: {param.default}")
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if low is not None and high is not None:
        notes.append(f"{_number(low)} to {_number(high)}")
    return f"{param.help or ''}  [{'; '.join(notes)}]" if notes else param.help or ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
