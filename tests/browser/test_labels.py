"""The page of labels in a browser: labelling, corrections by mouse, by keys, without JavaScript."""

from __future__ import annotations

import csv
import io

import pytest
from playwright.sync_api import Browser, Page, expect

from esclip._server.corrections import corrections_path
from tests.web_pages import Faults, Site, violations

LABELS = "red, green\nblue"


@pytest.fixture(autouse=True)
def uncorrected(site: Site) -> None:
    """No correction is left of the test before."""
    path = corrections_path(str(site.folder / "store"), "photos")
    assert path is not None
    path.unlink(missing_ok=True)


def label(page: Page) -> None:
    """Label all pictures of the site, and wait for them."""
    page.goto("/labels")
    page.get_by_label("Labels, one a line").fill(LABELS)
    page.get_by_role("button", name="Label", exact=True).click()
    expect(page.locator(".labelled li").first).to_be_visible()


def table_of(page: Page) -> dict[str, list[str]]:
    """The list as a table: label and who gave it, by id."""
    href = page.get_by_role("link", name="as a table").get_attribute("href")
    rows = csv.reader(io.StringIO(page.request.get(f"/{href}").text()), delimiter="\t")
    assert next(rows) == ["id", "label", "by", "probability"]
    return {id: [label, by] for id, label, by, _ in rows}


def test_labels_and_corrections(page: Page) -> None:
    """All pictures are labelled and counted; corrections by mouse and keys count at once, and stay."""
    label(page)
    counts = page.locator(".chip i").all_inner_texts()
    assert sum(map(int, counts)) == 66
    first, second, third = (page.locator(".labelled li").nth(number) for number in range(3))
    wrong = first.locator("select").input_value()
    right = "blue" if wrong != "blue" else "green"
    with page.expect_response(lambda response: response.request.method == "POST"):
        first.locator("select").select_option(right)
    expect(first.get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "true")
    second.get_by_role("button", name="Right").focus()
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("1")
    expect(third.get_by_role("button", name="Right")).to_be_focused()
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("y")
    page.keyboard.press("p")
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.keyboard.press("u")
    assert page.locator("#checked").inner_text() == "2"
    live = page.locator(".chip i").all_inner_texts()
    ids = [tile.locator("[name=id]").input_value() for tile in (first, second, third)]
    table = table_of(page)
    assert table[ids[0]] == [right, "person"]
    assert table[ids[1]] == ["red", "person"]
    assert table[ids[2]][1] == "model"
    page.reload()
    expect(page.get_by_role("heading", name="66 pictures, 2 checked")).to_be_visible()
    expect(first.locator("select")).to_have_value(right)
    assert page.locator(".chip i").all_inner_texts() == live
    page.get_by_role("link", name="Only unchecked").click()
    assert page.locator(".labelled [name=id]").first.input_value() == ids[2]
    assert violations(page) == []


def test_what_is_not_saved_is_said(page: Page, site: Site, faults: Faults) -> None:
    """Where the file can't be written the page stays as it was, says so, and goes on when it can be."""
    path = corrections_path(str(site.folder / "store"), "photos")
    assert path is not None
    label(page)
    select = page.locator(".labelled li select").first
    before = select.input_value()
    other = "blue" if before != "blue" else "green"
    path.mkdir()
    select.select_option(other)
    expect(page.locator("#wrong")).to_have_text(
        "Not saved. The store, or a file beside it, can't be used: The server's log says why."
    )
    expect(select).to_have_value(before)
    assert page.locator("#checked").inner_text() == "0"
    path.rmdir()
    select.select_option(other)
    expect(page.locator("#checked")).to_have_text("1")
    expect(page.locator("#wrong")).to_be_empty()
    assert "500" in faults.seen.pop()


def test_without_javascript(browser: Browser, site: Site) -> None:
    """Forms do the same, on a narrow screen, too."""
    context = browser.new_context(
        base_url=site.address, java_script_enabled=False, viewport={"width": 320, "height": 640}
    )
    page = context.new_page()
    page.goto("/labels")
    page.get_by_label("Labels, one a line").fill(LABELS)
    page.get_by_role("button", name="Label", exact=True).click()
    first = page.locator(".labelled li").first
    expect(first).to_be_visible()  # the page looks again by itself
    first.locator("select").select_option("blue")
    first.get_by_role("button", name="Right").click()
    expect(first.get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "true")
    assert ["blue", "person"] in table_of(page).values()
    first.get_by_role("button", name="Undo").click()
    expect(first.get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "false")
    assert "person" not in {by for _, by in table_of(page).values()}
    context.close()
