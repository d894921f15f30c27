"""The question before something is removed. For the command line only."""

from __future__ import annotations

import sys

import typer

from esclip._errors import ConfigError
from esclip._errors.escaping import escape


def confirm(what: str, *, yes: bool) -> None:
    """Return if `yes` was said beforehand, or is said to `what` on the terminal; else end the program.

    Raises `ConfigError` without a terminal for the question and the answer.
    """
    if not yes and not can_ask():
        raise ConfigError(
            f"this would {what}; nothing was removed, as there is no terminal to ask: add --yes"
        )
    if not yes and not ask(what):
        raise typer.Abort


def ask(what: str) -> bool:
    """Whether a person on the terminal says yes to `what`; Ctrl-C and the end of input are a no."""
    try:
        return typer.confirm(escape(f"{what[0].upper()}{what[1:]}?"), err=True)
    except typer.Abort:
        return False


def can_ask() -> bool:
    """Whether there is a terminal for the question and its answer."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def _is_terminal(stream: object) -> bool:
    """A program that was started without the stream has None."""
    return stream is not None and bool(getattr(stream, "isatty", lambda: False)())
