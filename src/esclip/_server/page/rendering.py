"""The templates of the page. Each text is escaped: for HTML, and where it would turn letters around."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from esclip import __version__
from esclip._errors.escaping import escape
from esclip._server.page.assets import Assets
from esclip._server.search_messages import MAX_TEXT

FOLDER = Path(__file__).parent / "templates"


@cache
def make_environment() -> Environment:
    """The templates by their names, compiled when they are first used. Thread-safe."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals |= {"v": Assets().version, "version": __version__, "max_text": MAX_TEXT}
    return environment


def render(name: str, **values: Any) -> str:
    """The HTML of a template with these values."""
    return make_environment().get_template(name).render(values)


def _visible(value: object) -> object:
    """A value of a template with what can't be shown, or changes the order of letters, as `\\\\u202e`."""
    return escape(value) if isinstance(value, str) and not isinstance(value, Markup) else value
