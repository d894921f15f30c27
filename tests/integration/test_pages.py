"""Each page of docs/ does what it shows: `tests/pages.py` runs its examples."""

from __future__ import annotations

from pathlib import Path

import pytest

import esclip
from esclip._cli.demo import draw_pictures
from tests.encoder_servers import served
from tests.pages import PAGES, PLACES, examples_of, places_of, run_page
from tests.search_servers import searching

ELSEWHERE = {
    "contracts": "tests/unit/test_extending.py",
    "docstrings": "tests/meta/test_docstrings.py",
    "elasticsearch": "tests/integration/test_engine_pages.py",
    "opensearch": "tests/integration/test_engine_pages.py",
    "encoder-server": "tests/integration/test_pages.py",
    "search-service": "tests/integration/test_pages.py",
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


@pytest.mark.parametrize("page", [page for page in PAGES if "search-service" in places_of(page)])
def test_pages_on_the_search_service(page: str, tmp_path: Path) -> None:
    """Their examples run against a service of the pictures beside them."""
    draw_pictures(tmp_path / "other")
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        index.ingest(tmp_path / "other")
    index = esclip.open_index(tmp_path / "store")
    with searching(index, tmp_path / "cache", writable=True) as server:
        run_page(page, tmp_path, {"http://127.0.0.1:8080": server.address}, {})


def test_every_place_is_there() -> None:
    """What a page asks for is made by a test."""
    assert {place for page in PAGES for place in places_of(page)} <= PLACES.keys() | ELSEWHERE.keys()


def test_the_guides_have_examples() -> None:
    """No page stands there without an example by a mistake in its blocks."""
    assert "how-to/searching.md" in RUN
    assert len(list(examples_of("how-to/searching.md"))) > 20
