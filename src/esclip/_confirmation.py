"""The question before something is removed. For the command line only."""

from __future__ import annotations

import sys

import typer

from esclip._errors import ConfigError
from esclip._escaping import escaped

__all__ = ["confirm"]


def confirm(what: str) -> None:
    """Ask a person on the terminal whether to do `what`; a "no" ends the program.

    Raises `ConfigError` where nobody can be asked, because input or messages go elsewhere.
    """
    if not _is_terminal(sys.stdin) or not _is_terminal(sys.stderr):
        raise ConfigError(
            f"this would {what}; nothing was removed, as there is no terminal to ask: add --yes"
        )
    typer.confirm(escaped(f"{what[0].upper()}{what[1:]}?"), abort=True, err=True)


def _is_terminal(stream: object) -> bool:
    """A program that was started without the stream has None."""
    return stream is not None and bool(getattr(stream, "isatty", lambda: False)())
