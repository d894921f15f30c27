"""The page of near-duplicates in a browser: comparing, deciding by mouse, keys, without JavaScript."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import Browser, Page, expect

import esclip
from esclip._server.decisions import decisions_path
from tests.web_pages import Faults, Site, violations


@pytest.fixture(autouse=True)
def undecided(site: Site) -> None:
    """No decision is left of the test before."""
    path = decisions_path(str(site.folder / "store"), "photos")
    assert path is not None
    path.unlink(missing_ok=True)


def compare(page: Page, where: str = "") -> None:
    """Compare the pictures of the site that a filter leaves, and wait for the pairs."""
    page.goto("/duplicates")
    page.get_by_label("Only pictures").fill(where)
    page.get_by_label("Alike from cosine").fill("0.999")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".pair").first).to_be_visible()


def table_of(page: Page) -> list[list[str]]:
    """The list of decisions as a table, without its heading and times."""
    rows = [
        *csv.reader(io.StringIO(page.request.get("/duplicates/decisions?format=tsv").text()), delimiter="\t")
    ]
    assert rows[0] == ["drop", "keep", "decided"]
    return [row[:2] for row in rows[1:]]


def test_pairs_side_by_side(page: Page, site: Site) -> None:
    """All pairs are compared; both pictures have the same room, and what differs between them is bold."""
    compare(page)
    with esclip.open_index(site.folder / "store", "photos") as index:
        groups = index.duplicates(0.999, show_progress=False)
    pairs = sum(len(group.hits) - 1 for group in groups)
    expect(page.get_by_role("heading", name=f"{pairs} pairs in {len(groups)} groups")).to_be_visible()
    pair = page.locator(".pair").first
    left, right = (pane.bounding_box() for pane in pair.locator(".pane").all())
    assert left
    assert right
    assert [left[side] for side in ("y", "width", "height")] == [
        right[side] for side in ("y", "width", "height")
    ]
    page.wait_for_function(
        "() => [...document.querySelectorAll('.pair:first-of-type img')].every(i => i.naturalWidth)"
    )
    assert "×" in pair.locator("tr", has_text="size").locator("b").first.inner_text()


def test_zoomed_pictures_move_together(page: Page) -> None:
    """Both pictures are zoomed alike, and moving one moves the other."""
    compare(page)
    page.get_by_label("4×").check()
    left, right = page.locator(".pair").first.locator(".pane").all()
    left.evaluate("pane => pane.scrollTo(200, 100)")
    page.wait_for_function(
        "pane => pane.scrollLeft === 200 && pane.scrollTop === 100", arg=right.element_handle()
    )


def test_a_decision_is_saved_at_once(page: Page) -> None:
    """A click saves a decision, which the page shows and counts at once and later, and the list has."""
    compare(page)
    expect(page.get_by_role("link", name="as a table")).to_have_count(0)
    pair = page.locator(".pair").first
    left, right = (pair.locator(f"[name={side}]").get_attribute("value") for side in ("left", "right"))
    with page.expect_response(lambda response: response.request.method == "POST"):
        pair.get_by_role("button", name="Keep right").click()
    expect(pair.get_by_role("button", name="Keep right")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#decided")).to_have_text("1")
    expect(page.get_by_role("link", name="as a table")).to_be_visible()
    page.reload()
    expect(page.locator("#decided")).to_have_text("1")
    expect(pair.get_by_role("button", name="Keep right")).to_have_attribute("aria-pressed", "true")
    assert table_of(page) == [[left, right]]
    page.get_by_role("link", name="Only undecided").click()
    expect(page.locator("#pair-1")).to_have_count(0)


def test_decisions_by_keys(page: Page) -> None:
    """Keys decide about the pair that has the focus, take back, and go on; elsewhere they do nothing."""
    compare(page)
    page.keyboard.press("l")
    first, second = page.locator("#pair-1"), page.locator("#pair-2")
    first.get_by_role("button", name="Keep left").focus()
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("r")
    page.keyboard.press("n")
    expect(second).to_be_focused()
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("b")
    page.keyboard.press("p")
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("u")
    expect(first.locator("[aria-pressed=true]")).to_have_count(0)
    decisions = page.request.get("/duplicates/decisions").json()["decisions"]
    assert [decision["keep"] for decision in decisions] == ["both"]


def test_without_javascript(browser: Browser, site: Site) -> None:
    """Forms do the same: compare, decide, undo; after a decision the browser is at the same pair."""
    context = browser.new_context(base_url=site.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/duplicates")
    page.get_by_label("Alike from cosine").fill("0.999")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".pair").first).to_be_visible()  # the page looks again by itself
    page.locator("#pair-2").get_by_role("button", name="Keep left").click()
    assert page.url.endswith("#pair-2")
    expect(page.locator("#pair-2 [aria-pressed=true]")).to_have_text("Keep left")
    assert len(table_of(page)) == 1
    page.locator("#pair-2").get_by_role("button", name="Undo").click()
    expect(page.locator("#pair-2 [aria-pressed=true]")).to_have_count(0)
    assert table_of(page) == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(page: Page, scheme: str) -> None:
    """WCAG 2.2 AA holds in both colour schemes, zoomed and decided, and on a narrow screen."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    compare(page, "file_name=photo-19.jpg,photo-20*")
    page.get_by_label("2×").check()
    page.locator(".pair").first.get_by_role("button", name="Keep both").click()
    expect(page.locator("#pair-1 [aria-pressed=true]")).to_have_count(1)
    if scheme == "dark":
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []


def test_errors_are_pages(page: Page, faults: Faults) -> None:
    """A job that is not kept any more, and a filter that can't be used, are said on the page."""
    with page.expect_response("**/duplicates?job=gone") as response:
        page.goto("/duplicates?job=gone")
    assert response.value.status == 404
    expect(page.get_by_role("alert")).to_contain_text("There is no such job")
    page.get_by_label("Only pictures").fill("nothing like that >")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("alert")).to_contain_text("The query can't be used")
    assert violations(page) == []
    assert all("status of 4" in fault for fault in faults.seen)
    faults.seen.clear()
