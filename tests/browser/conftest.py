"""A real browser for the tests of the page: Debian's chromium, which reaches this machine's loopback only.

pictures that we draw ─► index (palette) ─► search service in a thread ─► Site ─► Page of one test
                                                                                   └► faults: none, at its end

A test takes `page` and goes to a path of the site. What the browser complains of fails it: see `Faults`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

import esclip
from scripts.browsing import find_chromium, open_browser
from scripts.draw_photos import draw_photos
from tests.search_servers import searching
from tests.sharing import make_once, session_folder
from tests.web_pages import HOSTILE, Faults, Site

TIMEOUT_MS = 15_000
"""For one step of a test, also while other tests take the cores."""


expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program. Without it tests are skipped, or fail if ESCLIP_REQUIRE_BROWSER is set."""
    found = find_chromium()
    if found is None:
        missing = pytest.fail if os.environ.get("ESCLIP_REQUIRE_BROWSER") else pytest.skip
        missing("there is no chromium on the PATH (apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A browser, of one module: the event loop that it needs would be in the way of other tests."""
    with open_browser(chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures and their index, made once for all workers; each has a copy, beside which it decides."""
    shared = session_folder(tmp_path_factory) / "library"
    make_once(shared.with_name("library-made"), lambda _: make_library(shared))
    return shutil.copytree(shared, tmp_path_factory.mktemp("library"), dirs_exist_ok=True)


def make_library(folder: Path) -> None:
    """An index of drawn pictures with metadata, one of which has hostile texts."""
    records = [*draw_photos(folder / "photos", 0.5)]
    records[-1] |= {"description": HOSTILE, "photographer": HOSTILE}
    with esclip.open_index(folder / "store", "photos", "palette") as index:
        index.add(records)


@pytest.fixture(scope="session")
def site(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service of the library that anybody on this machine may use."""
    index = esclip.open_index(library / "store", "photos")
    with searching(index, tmp_path_factory.mktemp("thumbnails")) as server:
        yield Site(server.address, library)


@pytest.fixture
def faults(site: Site) -> Faults:
    """What the browser complains of in a test; what is left at its end fails it."""
    return Faults(site.address)


@pytest.fixture
def context(browser: Browser, site: Site, faults: Faults) -> Iterator[BrowserContext]:
    """A profile of the browser, new, 1280 pixels wide."""
    context = browser.new_context(base_url=site.address, viewport={"width": 1280, "height": 800})
    context.set_default_timeout(TIMEOUT_MS)
    faults.watch(context)
    yield context
    context.close()
    assert faults.seen == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A tab of it."""
    return context.new_page()
