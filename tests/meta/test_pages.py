"""Each page of docs/ does what it shows: `tests/pages.py` runs its examples."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

import esclip
from esclip._cli.app import app
from esclip._cli.demo import draw_pictures
from tests.encoder_servers import served
from tests.pages import DOCS, PAGES, PLACES, commands_not_run, examples_of, places_of, run_page
from tests.search_servers import searching

PROGRAM: Any = typer.main.get_command(app)

ELSEWHERE = {
    "contracts": "tests/unit/test_extending.py",
    "docstrings": "tests/meta/test_docstrings.py",
    "elasticsearch": "tests/integration/test_engine_pages.py",
    "opensearch": "tests/integration/test_engine_pages.py",
    "encoder-server": "tests/meta/test_pages.py",
    "search-service": "tests/meta/test_pages.py",
    "proxied": "tests/integration/test_engine_pages.py",
    "secured": "tests/integration/test_engine_pages.py",
}
"""The tests that run the pages which need another place than those of `PLACES`."""

RUN = [page for page in PAGES if list(examples_of(page)) and not places_of(page) & ELSEWHERE.keys()]


@pytest.mark.parametrize("page", RUN)
def test_the_examples_of_a_page_run(page: str, tmp_path: Path) -> None:
    """From top to bottom, with what it shows of their output."""
    run_page(page, tmp_path, {}, {})


def test_the_page_on_encoder_servers(tmp_path: Path) -> None:
    """Its examples run against a server that wants a token."""
    with served(token="a-secret-of-your-own") as server:
        run_page("how-to/gpu-encoder.md", tmp_path, {"http://gpu-box:8090": server.address}, {})


def test_the_page_on_the_search_service(tmp_path: Path) -> None:
    """Its examples run against a service of the pictures beside it."""
    draw_pictures(tmp_path / "other")
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        index.ingest(tmp_path / "other")
    with searching(esclip.open_index(tmp_path / "store"), tmp_path / "cache") as server:
        run_page("how-to/serve.md", tmp_path, {"http://127.0.0.1:8080": server.address}, {})


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


def test_every_place_is_there() -> None:
    """What a page asks for is made by a test."""
    assert {place for page in PAGES for place in places_of(page)} <= PLACES.keys() | ELSEWHERE.keys()


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


def test_the_guides_have_examples() -> None:
    """No page stands there without an example by a mistake in its blocks."""
    assert "how-to/searching.md" in RUN
    assert len(list(examples_of("how-to/searching.md"))) > 20
