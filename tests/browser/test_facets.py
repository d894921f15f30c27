"""The panel of filters in a browser: values, ranges, without JavaScript, on a narrow screen."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.web_pages import Faults, Site, violations


def test_values_and_ranges(page: Page) -> None:
    """Checks narrow the results, the focus stays, chips take choices away, back brings them back."""
    page.goto("/?q=red")
    ana, ben = page.get_by_role("checkbox", name="Ana Silva"), page.get_by_role("checkbox", name="Ben Okoro")
    expect(ana).to_be_visible()
    ana.check()
    expect(page.locator(".chip span")).to_have_text(["Ana Silva"])
    expect(ana).to_be_focused()
    ben.check()
    expect(page.locator(".chip")).to_have_count(2)
    assert "is.photographer=Ben" in page.url
    names = page.locator(".tile .cap").all_inner_texts()
    assert names
    assert all(name.startswith(("Ana", "Ben")) for name in names)
    page.locator("[name='min.taken_at']").fill("2019-01-01")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(3)
    page.get_by_role("link", name="Take away: photographer Ana Silva").click()
    expect(ana).not_to_be_checked()
    page.go_back()
    expect(ana).to_be_checked()
    assert violations(page) == []


def test_without_javascript(browser: Browser, site: Site) -> None:
    """A link opens the panel, whose form does the same."""
    context = browser.new_context(base_url=site.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/?q=red")
    page.get_by_role("link", name="Filters").click()
    page.get_by_role("checkbox", name="Ana Silva").check()
    page.get_by_label("portrait").check()
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("checkbox", name="Ana Silva")).to_be_checked()
    expect(page.locator(".chip")).to_have_count(2)
    assert page.locator("#q").input_value() == "red"
    assert all(name.startswith("Ana") for name in page.locator(".tile .cap").all_inner_texts())
    context.close()


def test_a_condition_on_fields(page: Page, faults: Faults) -> None:
    """A condition is added to those that are there; a wrong one stays to be mended, and is told once."""
    page.goto("/?q=red&where=width>10")
    page.locator("summary >> text=Any field").click()
    condition = page.get_by_label("a condition on fields")
    condition.fill("countri=Norway")
    condition.press("Enter")
    expect(page.locator("#wrong")).to_contain_text("country")
    faults.seen.clear()  # the browser complains of the answer
    condition.fill("country=Norway")
    condition.press("Enter")
    expect(page.locator(".chip span")).to_have_text(["width>10", "country=Norway"])
    expect(condition).to_have_value("")
    expect(condition).to_be_focused()
    expect(page.locator("#wrong")).to_be_hidden()
    page.goto("/?q=red&where=nope=1")
    expect(page.locator("#results [role=alert]")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#wrong")).to_be_hidden()
    faults.seen.clear()


def test_on_a_narrow_screen(page: Page) -> None:
    """The panel opens and closes above the results, and nothing is wider than the screen."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/?q=red")
    panel = page.locator("form.facets")
    expect(panel).to_have_count(0)
    page.get_by_role("link", name="Filters").click()
    expect(panel).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []
    page.get_by_role("link", name="Filters").click()
    expect(panel).to_be_hidden()


def test_results_do_not_move(page: Page) -> None:
    """The panel has its room before it is there: results don't move when it comes."""
    page.goto("/?q=red")
    before = page.locator(".tile").first.bounding_box()
    expect(page.locator("form.facets")).to_be_visible()
    assert page.locator(".tile").first.bounding_box() == before
