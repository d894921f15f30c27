"""The name by which a captioner or a detector is known again: that of a model, or of a function."""

from __future__ import annotations

from typing import Any

from esclip._errors import ConfigError
from esclip._errors.escaping import escape

MAX_LENGTH = 200
"""Characters; each document has the name of what has described it."""


def hook_name(given: Any) -> str:
    """A function's attribute `name`, else the name that it was defined with, else that of its class."""
    names = (getattr(given, name, None) for name in ("name", "__name__"))
    return next((name for name in names if isinstance(name, str)), type(given).__name__)


def require_name(name: str, what: str) -> str:
    """The name. Raises `ConfigError`, which says `what` it is of, for one that can't be shown or kept."""
    if not name.strip() or not name.isprintable() or len(name) > MAX_LENGTH:
        raise ConfigError(
            f"{what} {escape(name[:MAX_LENGTH])!r}: its name has to be 1 to {MAX_LENGTH} printable "
            "characters; give it an attribute name"
        )
    return name
