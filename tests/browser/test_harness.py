"""The browser that the other tests use: it shows what it gets, and complains of what must not be."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.web_pages import Faults, violations


def test_a_browser_gets_pictures(page: Page) -> None:
    """A thumbnail is a picture to a browser, of the height that was wanted."""
    shown = "<img src='/pictures/photo-01?h=240'>"
    page.route("**/shown", lambda route: route.fulfill(body=shown, content_type="text/html"))
    page.goto("/shown")
    assert page.evaluate("document.images[0].naturalHeight") == 240


def test_complaints_are_noticed(page: Page, faults: Faults) -> None:
    """An error on the console, an exception, what the policy refuses and another host are each a fault."""
    page.evaluate("""() => {
        console.error("broken");
        setTimeout(() => { throw new Error("thrown"); });
        return fetch("http://elsewhere.example/").catch(() => {});
    }""")
    policy = {"Content-Type": "text/html", "Content-Security-Policy": "style-src 'none'"}
    page.route(
        "**/styled", lambda route: route.fulfill(body="<style>p { color: red }</style>", headers=policy)
    )
    page.goto("/styled")
    seen = "\n".join(faults.seen)
    faults.seen.clear()
    for complaint in (
        "broken",
        "thrown",
        "another host: http://elsewhere.example/",
        "Content Security Policy",
    ):
        assert complaint in seen


def test_violations_are_noticed(page: Page) -> None:
    """Axe finds a picture without a text, and a field without a name."""
    page.set_content("<img src=data:,><input>")
    found = violations(page)
    assert any(violation.startswith("image-alt: <img") for violation in found)
    assert any(violation.startswith("label: <input") for violation in found)
