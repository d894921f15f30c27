"""The pages of docs/ whose examples need an engine; see `tests/pages.py`."""

from __future__ import annotations

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
    "proxied": ("proxied", "https://search.example.org:9200"),
}
"""The engine that a page's place stands for, and the address that the page has for it."""

PAGES_OF_ENGINES = [(page, place) for page in PAGES for place in sorted(places_of(page) & ENGINES.keys())]


@pytest.mark.parametrize(("page", "place"), PAGES_OF_ENGINES)
def test_the_examples_of_a_page_run(page: str, place: str, tmp_path: Path) -> None:
    """From top to bottom, in an index of its own, which the page calls esclip-pictures.

    A locked engine's user is alice, who may ingest and no more; its certificate is ca.pem. The nodes of the
    tests make no API keys: a page's key is a user and a password here.
    """
    name, shown = ENGINES[place]
    address, index = engine_address(name), f"esclip-{uuid4().hex}"
    names = {shown: address, "esclip-pictures": index}
    auth = engine_access(address, "ingest" if place == "secured" else "")
    if auth.ca_file:
        shutil.copy(auth.ca_file, tmp_path / "ca.pem")
        names |= {
            "alice": str(auth.user),
            "ESCLIP_PASSWORD=...": f"ESCLIP_PASSWORD={auth.password}",
            "ESCLIP_API_KEY=...": f"ESCLIP_USER={auth.user} ESCLIP_PASSWORD={auth.password}",
            'api_key=os.environ["ESCLIP_API_KEY"]': f'user="{auth.user}", password="{auth.password}"',
        }
    try:
        run_page(page, tmp_path, names, {"ESCLIP_INDEX": index})
    finally:
        with suppress(esclip.IndexNotFound), esclip.open_index(address, index, auth=auth) as opened:
            opened.drop()
