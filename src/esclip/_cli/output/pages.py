"""Pages with pictures: written, and opened in the browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterable
from pathlib import Path

from esclip._cli.output.console import say
from esclip._core.markup import render_page
from esclip._errors import ConfigError
from esclip._files.user_folders import cache_folder


def show_page(page: Path | None, name: str, sections: Iterable[str], *, open: bool) -> None:
    """Write a page, by default `NAME.html` in the user's cache directory, and open it if wanted.

    Raises `ConfigError` where it can't be written.
    """
    page = page or cache_folder() / f"{name}.html"
    try:
        with page.open("w", encoding="utf-8") as file:
            file.writelines(render_page(f"esclip {name}", sections))
    except OSError as error:
        message = f"--page {page}: {error.strerror}; name a file that can be written"
        raise ConfigError(message) from error
    say(f"the pictures are in {page}")
    if open and not open_in_browser(page.absolute().as_uri()):
        say("no browser could be opened; open this file in one")


def open_in_browser(url: str) -> bool:
    """Whether a browser with a window could be opened."""
    return _has_display() and webbrowser.open(url)


def _has_display() -> bool:
    """Whether a window can be shown: without one, a browser of the terminal would take its place."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in names)
