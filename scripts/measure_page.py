"""What a person waits for on the page of the search service: the first pictures, results while typing, bytes.

    scripts/draw_photos.py, copied ─► index (palette) ─► esclip serve ─► chromium, nothing cached ─► figures

Each round has a profile of its own. The browser, the service and this script share the cores.

    python -m scripts.measure_page                    # needs chromium
    python -m scripts.measure_page --documents 1000 --rounds 3
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

import esclip
from esclip._core.types import StoredDocument, unit_rows
from esclip.stores import open_store
from scripts.browsing import open_browser, serve
from scripts.draw_photos import draw_photos
from scripts.measure import machine

__all__ = ["main"]

INDEX = "photos"
BATCH = 512
FIRST = "/?q=something+red"
TYPED = ("blue house", "green trees", "a grey cat", "purple flowers")
FAST = "yellow field and sun"
"""Twenty keys, pressed at once; the last search wins."""

OBSERVE = """
window.seen = { lcp: 0, cls: 0, waits: [] };
new PerformanceObserver((list) => list.getEntries().forEach((one) => { seen.lcp = one.startTime; }))
  .observe({ type: "largest-contentful-paint", buffered: true });
new PerformanceObserver((list) => list.getEntries().forEach((one) => {
  if (!one.hadRecentInput) seen.cls += one.value;
})).observe({ type: "layout-shift", buffered: true });
let pressed = 0;
document.addEventListener("keydown", () => { pressed = performance.now(); }, true);
document.addEventListener("shown", () => requestAnimationFrame(() => {
  seen.waits.push(performance.now() - pressed);
}));
"""

BYTES = """() => {
  const sizes = { page: performance.getEntriesByType("navigation")[0].transferSize, pictures: 0, count: 0 };
  for (const one of performance.getEntriesByType("resource")) {
    if (one.name.includes("/pictures/")) { sizes.pictures += one.transferSize; sizes.count += 1; }
    else if (/facets|part=/.test(one.name) === false) sizes.page += one.transferSize;
  }
  return sizes;
}"""


def main() -> None:
    """Measure, and print the figures as a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=25_000)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder), given.documents)
        thumbnails = Path(folder) / "thumbnails"
        with serve(Path(folder) / "store", INDEX, thumbnails) as address, open_browser() as browser:
            rounds = [_look(browser, address) for _ in range(given.rounds + 1)][1:]  # the first fills caches
            waits = _type(browser, address)
    print(f"{given.documents:,} documents, {given.rounds} rounds, {machine()['processor']}")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        print(f"{name}: {median(values):,.4g} ({min(values):,.4g} to {max(values):,.4g})")
    print(f"key to results, ms: p50 {np.percentile(waits, 50):.0f}, p95 {np.percentile(waits, 95):.0f}")


def plant(folder: Path, documents: int) -> None:
    """An index of drawn pictures, most of whose documents show one of them under another id."""
    with esclip.open_index(folder / "store", INDEX, "palette") as index:
        index.add([*draw_photos(folder / "photos")])
        drawn = list(index.get(list(index)))
    store = open_store(str(folder / "store"), INDEX)
    with store.bulk_load():
        copies = islice(_copies(drawn), max(documents - len(drawn), 0))
        while page := list(islice(copies, BATCH)):
            assert store.upsert(page) == []
    store.close()


def _copies(drawn: list[StoredDocument]) -> Iterator[StoredDocument]:
    """Documents of the same pictures, without end: other ids, vectors that differ a little."""
    random = np.random.default_rng(0)
    number = 0
    while True:
        for document in drawn:
            number += 1
            noise = random.normal(0, 0.02, (1, len(document.vector)))
            record = replace(document.record, id=f"copy-{number:07}")
            yield replace(document, record=record, vector=unit_rows(document.vector[None] + noise)[0])


@contextmanager
def _page(browser: Browser, address: str) -> Iterator[Page]:
    """Context manager: a tab of a new profile, which observes what it waits for."""
    context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
    context.add_init_script(OBSERVE)
    yield context.new_page()
    context.close()


def _look(browser: Browser, address: str) -> dict[str, float]:
    """Figures of a page that is opened for the first time and scrolled to the end of its first thirty."""
    with _page(browser, address) as page:
        page.goto(FIRST)
        page.wait_for_load_state("networkidle")
        seen: dict[str, Any] = page.evaluate("() => seen")
        sizes: dict[str, Any] = page.evaluate(BYTES)
        for tile in page.locator(".tile img").all()[:30]:
            tile.scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        urls = page.eval_on_selector_all(".tile img", "all => all.slice(0, 30).map((one) => one.currentSrc)")
        pictures = sum(len(page.request.get(url).body()) for url in urls)
        shift = page.evaluate("() => seen.cls")
    return {
        "largest contentful paint, ms": seen["lcp"],
        "layout shift": shift,
        "HTML, styles and scripts, bytes": sizes["page"],
        "30 thumbnails, bytes": pictures,
    }


def _type(browser: Browser, address: str) -> list[float]:
    """Milliseconds from a key to its results, of keys with pauses; of fast keys the last has to win."""
    with _page(browser, address) as page:
        page.goto("/")
        page.wait_for_load_state("networkidle")
        field = page.locator("#q")
        for text in TYPED:
            field.fill("")
            page.wait_for_timeout(700)
            for key in text:
                shown = page.evaluate("() => seen.waits.length")
                field.press_sequentially(key)
                if key != " ":  # which changes no search
                    page.wait_for_function("(shown) => seen.waits.length > shown", arg=shown)
        waits: list[float] = page.evaluate("() => seen.waits")
        field.fill("")
        field.press_sequentially(FAST)
        page.wait_for_function("(text) => document.title.startsWith(text)", arg=FAST)
        expected = page.request.get("/v1/search", params={"q": FAST, "k": 1}).json()["hits"][0]["id"]
        assert page.locator(".tile").first.get_attribute("data-id") == expected
    return waits


if __name__ == "__main__":
    main()
