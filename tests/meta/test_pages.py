"""The pages of docs/ are whole; `integration/test_pages.py` runs their examples."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from esclip._cli.app import app
from tests.pages import DOCS, PAGES, commands_not_run

PROGRAM: Any = typer.main.get_command(app)


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_not_run_are_spelled_right(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their commands and options exist, and their values are of the right kind."""
    (tmp_path / "queries.txt").touch()
    monkeypatch.chdir(tmp_path)
    for command in commands_not_run(page):
        _, name, *words = command
        if name.startswith("-"):  # of the program itself
            assert name in {flag for param in PROGRAM.params for flag in param.opts}
        else:
            with PROGRAM.commands[name].make_context(name, words):  # raises what is wrong; closes files
                pass


def test_every_page_is_in_the_navigation() -> None:
    """Each page of docs/ stands once in zensical.toml, and each that stands there exists."""
    with (DOCS.parent / "zensical.toml").open("rb") as file:
        nav = tomllib.load(file)["project"]["nav"]
    assert sorted(pages_in(nav)) == PAGES


def pages_in(nav: Any) -> list[str]:
    """All pages of the navigation, at any depth."""
    if isinstance(nav, str):
        return [nav]
    return [page for part in (nav.values() if isinstance(nav, dict) else nav) for page in pages_in(part)]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    """Each link to another page or a picture leads to one; anchors are checked where the site is built."""
    text = (DOCS / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)\s#]+)", text)
    assert not [link for link in links if not ((DOCS / page).parent / link).is_file()]
