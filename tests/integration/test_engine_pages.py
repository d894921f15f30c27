"""The pages of docs/ whose examples need an engine; see `tests/pages.py`."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

import esclip
from tests.engines import engine_access, engine_address
from tests.pages import PAGES, places_of, run_page

pytestmark = pytest.mark.engine

ENGINES = {
    "opensearch": ("opensearch2", "http://localhost:9200"),
    "elasticsearch": ("elasticsearch", "http://localhost:9201"),
    "secured": ("secured", "https://search.example.org:9200"),
}
"""The engine that a page's place stands for, and the address that the page has for it."""

PAGES_OF_ENGINES = [(page, place) for page in PAGES for place in sorted(places_of(page) & ENGINES.keys())]


@pytest.mark.parametrize(("page", "place"), PAGES_OF_ENGINES)
def test_the_examples_of_a_page_run(page: str, place: str, tmp_path: Path) -> None:
    """From top to bottom, in an index of its own. A locked engine's user is alice, its certificate ca.pem."""
    name, shown = ENGINES[place]
    address = engine_address(name)
    names = {shown: address}
    if place == "secured":
        shutil.copy(os.environ["ESCLIP_TEST_CA_FILE"], tmp_path / "ca.pem")
        password = os.environ["ESCLIP_TEST_PASSWORD"]
        names |= {
            "alice": os.environ["ESCLIP_TEST_USER"],
            "ESCLIP_PASSWORD=...": f"ESCLIP_PASSWORD={password}",
        }
    index = f"test-{uuid4().hex}"
    try:
        run_page(page, tmp_path, names, {"ESCLIP_INDEX": index})
    finally:
        auth = engine_access(address)
        with suppress(esclip.IndexNotFound), esclip.open_index(address, index, auth=auth) as opened:
            opened.drop()
