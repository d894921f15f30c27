"""What the page of the search service takes in a browser: its size, first paint, shifts, keys to results.

pictures that we draw ─► index (palette) ──────────────────┬─► esclip serve ─► chromium
made-up Unsplash records, random vectors ─► another index ─┘

python -m scripts.bench_page                     # a full-size model with random weights, made on the spot
python -m scripts.bench_page --models models     # a folder that holds it
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, BrowserContext, Page

import esclip
from esclip import load_encoder
from scripts.bench_encode import models_in
from scripts.bench_query import plant, texts_of, towers
from scripts.browsing import open_browser, serve
from scripts.draw_photos import draw_photos
from scripts.measure import machine

__all__ = ["main"]

INDEX = "photos"
LARGE = "pictures"
QUERIES = 40
FAST_KEYS = "a red dog in the snow"[:20]

Figures = dict[str, float]

WATCH = """
    window.figures = {shift: 0, paint: 0};
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) window.figures.shift += one.value;
    }).observe({type: "layout-shift", buffered: true});
    new PerformanceObserver((list) => {
        window.figures.paint = list.getEntries().at(-1).startTime;
    }).observe({type: "largest-contentful-paint", buffered: true});
"""

TYPE = """(text) => new Promise((done, fail) => {
    const field = document.querySelector("#q");
    field.value = text;
    const began = performance.now();
    new MutationObserver((_, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => done(performance.now() - began));
    }).observe(document.querySelector("#results"), {childList: true});
    const wrong = document.querySelector("#wrong");
    new MutationObserver(() => wrong.textContent && fail(new Error(wrong.textContent)))
        .observe(wrong, {childList: true});
    field.dispatchEvent(new InputEvent("input"));
})"""
"""Milliseconds from the last key to the frame that shows the results, with the pause that typing is given."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Measure the search service's page in a browser.")
    parser.add_argument("--documents", type=int, default=25_000)
    parser.add_argument("--models", type=Path, help="a folder for the model; what it lacks is made")
    given = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-page-") as name:
        folder = Path(name)
        _draw(folder)
        models = given.models or folder / "models"
        models_in(models, "full")
        plant(folder / "large", {LARGE: load_encoder(*map(str, towers(models)))}, given.documents)
        with open_browser() as browser:
            figures = _first_view(browser, folder) | _typing(browser, folder, models)
    for fact, value in machine().items():
        print(f"{fact}: {value}")
    print(f"{given.documents:,} documents for typing\n\n| | |\n|---|---|")
    for figure, number in figures.items():
        print(f"| {figure} | {number:.3g} |")
    print(json.dumps(figures))


def _draw(folder: Path) -> None:
    records = [*draw_photos(folder / "photos", 2)]
    with esclip.open_index(folder / "store", INDEX, "palette") as index:
        index.add(records)


def _first_view(browser: Browser, folder: Path) -> Figures:
    """Of a page of 30 hits, whose thumbnails are made before."""
    with serve(folder / "store", INDEX, folder / "thumbnails") as address:
        for _ in range(2):  # the first one has the thumbnails made
            context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
            figures = _look(context)
            context.close()
    return figures


def _look(context: BrowserContext) -> Figures:
    page = context.new_page()
    page.add_init_script(WATCH)
    sizes: dict[str, int] = {}

    def keep(url: str, size: int) -> None:
        sizes[url] = size

    page.on("requestfinished", lambda request: keep(request.url, request.sizes()["responseBodySize"]))
    page.goto("/?q=red")
    page.wait_for_load_state("networkidle")
    paint = page.evaluate("figures.paint")
    own = {url: size for url, size in sizes.items() if "/pictures/" not in url and "part=" not in url}
    for _ in range(8):
        page.mouse.wheel(0, 300)
        page.wait_for_timeout(100)
    page.wait_for_load_state("networkidle")
    pictures = [size for url, size in sizes.items() if "/pictures/" in url][:30]
    return {
        "HTML, styles and scripts, gzip, kB": sum(own.values()) / 1000,
        "largest contentful paint, ms": paint,
        "cumulative layout shift": page.evaluate("figures.shift"),
        "30 thumbnails, kB": sum(pictures) / 1000,
    }


def _typing(browser: Browser, folder: Path, models: Path) -> Figures:
    """In a large index, whose pictures are elsewhere and not loaded."""
    picture, text = map(str, towers(models))
    encoder = ("--encoder", picture, "--text-encoder", text)
    with serve(folder / "large" / "store", LARGE, folder / "thumbnails", *encoder) as address:
        context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto("/")
        while not page.request.get("/?q=warm", timeout=300_000).ok:  # the model is loaded by the first
            pass
        texts = texts_of(QUERIES + 5)
        taken = [page.evaluate(TYPE, text) for text in texts][5:]
        _type_fast(page)
        context.close()
    return {
        "key to results, p50, ms": median(taken),
        "key to results, p95, ms": quantiles(taken, n=20)[-1],
    }


def _type_fast(page: Page) -> None:
    """Twenty keys, faster than answers: the last one's results are shown, and stay."""
    page.fill("#q", "")
    page.locator("#q").press_sequentially(FAST_KEYS, delay=30)
    page.wait_for_timeout(1500)
    assert page.evaluate("new URLSearchParams(location.search).get('q')") == FAST_KEYS.strip()
    assert page.title().startswith(FAST_KEYS.strip())


if __name__ == "__main__":
    main()
