"""The page in a browser: typing, keys, going back, dropping pictures; and what axe says of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Request, Response, Route, expect

from tests.web_pages import Faults, Site, violations

SHIFTS = """
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) if (!one.hadRecentInput) window.shift += one.value;
    }).observe({type: "layout-shift", buffered: true});
"""
"""Adds up how far what is shown has moved by itself."""

SLOWER = 4
"""Times: what is painted before all of a page is parsed is seen on a slow machine."""


def tile_with_focus(page: Page) -> str:
    """The id of the tile that has the focus."""
    return str(page.evaluate("document.activeElement.closest('.tile')?.id ?? ''"))


def scroll_through(page: Page) -> None:
    """Scroll through a page of 12 until it is four pages long."""
    for _ in range(60):
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        if page.locator(".tile").count() == 48:
            return
        page.wait_for_timeout(100)
    pytest.fail("further pages do not come")


def searched(page: Page, text: str) -> None:
    """Wait until the results are those of a text."""
    expect(page).to_have_title(re.compile(f"^{re.escape(text)} – "))


class TestTyping:
    def test_results_come_while_typing(self, page: Page) -> None:
        """Results follow the text without a key, and it is one entry of the history."""
        page.goto("/")
        entries = page.evaluate("history.length")
        page.keyboard.press("/")
        page.keyboard.type("red", delay=170)
        searched(page, "red")
        assert page.url.endswith("/?q=red")
        assert page.evaluate("history.length") == entries + 1
        page.go_back()
        expect(page.locator("#q")).to_have_value("")
        assert page.url.endswith("/")

    def test_of_fast_keys_the_last_wins(self, page: Page) -> None:
        """However late older answers come, the last text's results are shown, and stay."""
        late: list[Route] = []

        def hold(route: Route) -> None:
            if "q=green" in route.request.url:
                route.continue_()
            else:
                late.append(route)

        page.goto("/")
        page.route("**/*part=results*", hold)
        for text in ("r", "re", "red", "red c", "red ca", "blue", "green"):
            page.evaluate("t => { q.value = t; q.dispatchEvent(new InputEvent('input')); }", text)
            if len(text) % 2:
                page.wait_for_timeout(160)
        searched(page, "green")
        shown = page.locator(".tile").first.get_attribute("data-id")
        for route in late:
            route.continue_()
        page.wait_for_timeout(200)
        assert page.locator(".tile").first.get_attribute("data-id") == shown
        searched(page, "green")
        assert len(late) < 7

    def test_composing_is_waited_for(self, page: Page) -> None:
        """What an input method has not ended is not searched for."""
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/")
        page.evaluate("""() => {
            q.value = "あ";
            q.dispatchEvent(new InputEvent("input", {isComposing: true}));
        }""")
        page.wait_for_timeout(250)
        assert not [url for url in asked if "part=results" in url]
        page.evaluate("() => { q.value = '赤'; q.dispatchEvent(new CompositionEvent('compositionend')); }")
        searched(page, "赤")

    def test_an_error_leaves_the_old_results(self, page: Page, faults: Faults) -> None:
        """What is wrong is said beside the results that are there, and goes away with the next ones."""
        page.goto("/?q=red")
        count = page.locator(".tile").count()
        page.route("**/*q=blue*", lambda route: route.abort())
        page.fill("#q", "blue")
        expect(page.locator("#wrong")).to_have_text("The server can't be reached.")
        assert page.locator(".tile").count() == count
        page.unroute("**/*q=blue*")
        page.locator("summary >> text=Any field").click()
        page.fill("#where", "nope=1")
        page.keyboard.press("Enter")
        expect(page.locator("#wrong")).to_contain_text("no such field")
        assert page.locator(".tile").count() == count
        faults.seen.clear()  # the browser complains of both answers
        page.go_back()
        page.fill("#q", "green")
        searched(page, "green")
        expect(page.locator("#wrong")).to_be_hidden()


class TestGoingBack:
    def test_the_same_picture_is_in_view(self, page: Page) -> None:
        """After further pages, a search by a picture and back, it is where it was, with the focus."""
        page.goto("/?k=12")
        scroll_through(page)
        tile = page.locator(".tile").nth(40)
        tile.scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        tile.hover()
        before = tile.bounding_box()
        tile.locator("[data-key=s]").click()
        expect(page.locator(".chip")).to_have_count(1)
        page.go_back()
        expect(page.locator("#hit-41 .pic")).to_be_focused()
        assert page.locator(".chip").count() == 0
        after = page.locator(".tile").nth(40).bounding_box()
        assert before is not None
        assert after is not None
        assert abs(before["y"] - after["y"]) < 2

    def test_after_three_pages_there_is_a_button(self, page: Page) -> None:
        """Three pages come by themselves; then a button brings the next, and the focus to it."""
        page.goto("/?k=12")
        scroll_through(page)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(300)
        expect(page.locator(".tile")).to_have_count(48)
        page.locator("text=Show more").click()
        expect(page.locator(".tile")).to_have_count(60)
        assert tile_with_focus(page) == "hit-49"

    def test_after_a_reload(self, page: Page) -> None:
        """A page that is loaded again shows as many pictures as before, at the same place."""
        page.goto("/?k=12")
        scroll_through(page)
        page.locator(".tile").nth(40).locator(".pic").focus()
        page.wait_for_timeout(300)
        page.reload()
        expect(page.locator("#hit-41 .pic")).to_be_focused()


class TestKeys:
    def test_the_whole_path(self, page: Page) -> None:
        """By keys alone: a search, a picture large, its neighbours, back to it, and more like it."""
        page.goto("/")
        page.keyboard.press("/")
        page.keyboard.type("red")
        page.keyboard.press("Enter")
        searched(page, "red")
        page.keyboard.press("ArrowDown")
        assert tile_with_focus(page) == "hit-1"
        page.keyboard.press("ArrowRight")
        assert tile_with_focus(page) == "hit-2"
        page.keyboard.press("ArrowDown")
        below = tile_with_focus(page)
        boxes = [page.locator(f"#{id}").bounding_box() for id in ("hit-2", below)]
        assert boxes[0] is not None
        assert boxes[1] is not None
        assert boxes[0]["y"] < boxes[1]["y"]
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        viewer = page.locator("#viewer")
        expect(viewer).to_be_visible()
        rank = int(page.url.rpartition("=")[2])
        page.keyboard.press("ArrowRight")
        expect(viewer.locator("[rel=prev]")).to_have_attribute("href", re.compile(f"at={rank}$"))
        page.keyboard.press("Escape")
        expect(viewer).to_be_hidden()
        assert page.url.endswith("/?q=red")
        assert tile_with_focus(page) == f"hit-{rank + 1}"
        page.keyboard.press("m")
        expect(page.locator(".chip")).to_have_count(1)
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()

    def test_the_focus_is_never_lost(self, page: Page) -> None:
        """What had the focus keeps it when results come; where it is gone, their heading has it."""
        page.goto("/?q=red&like=photo-01")
        page.locator("select[name=sort]").focus()
        with page.expect_response("**/*part=results*"):
            page.locator("select[name=sort]").select_option(index=1)
        expect(page.locator("select[name=sort]")).to_be_focused()
        page.locator(".chip a").first.press("Enter")
        expect(page.locator("#count")).to_be_focused()
        expect(page.locator("#told")).to_have_text(re.compile(r"^red\. .*\d"))
        page.keyboard.press("ArrowRight")
        assert tile_with_focus(page) == "hit-1"

    def test_keys_are_turned_off(self, page: Page) -> None:
        """Without single keys letters do nothing, also after a reload; arrows go on."""
        page.goto("/?q=red")
        page.locator("#keys").click()
        page.locator("#use-keys").uncheck()
        page.keyboard.press("Escape")
        for _ in range(2):
            page.locator(".pic").first.focus()
            for key in ("m", "/", "?"):
                page.keyboard.press(key)
            assert page.url.endswith("/?q=red")
            expect(page.locator("#help")).to_be_hidden()
            page.keyboard.press("ArrowRight")
            assert tile_with_focus(page) == "hit-2"
            page.reload()
            page.wait_for_load_state("networkidle")


class TestViewer:
    def test_going_back_closes_it(self, page: Page) -> None:
        """It is an entry of the history; going forward opens it again; a link in it leads on."""
        page.goto("/?q=red")
        page.locator(".pic").nth(3).click()
        viewer = page.locator("#viewer")
        expect(viewer.locator("h2")).to_be_visible()
        page.go_back()
        expect(viewer).to_be_hidden()
        assert tile_with_focus(page) == "hit-4"
        page.go_forward()
        expect(viewer).to_be_visible()
        viewer.locator("text=More like this").click()
        expect(viewer).to_be_hidden()
        expect(page.locator(".chip")).to_have_count(1)

    def test_on_a_low_screen(self, page: Page) -> None:
        """At 400 % zoom it begins with the picture, and its way out stays in view."""
        page.set_viewport_size({"width": 320, "height": 256})
        page.goto("/?q=red")
        page.locator(".pic").first.click()
        expect(page.locator("#viewer h2")).to_be_attached()
        assert page.evaluate("document.querySelector('#viewer').scrollTop") == 0
        page.mouse.wheel(0, 900)
        expect(page.locator("#viewer .close")).to_be_in_viewport()

    def test_it_is_a_page_of_its_own(self, page: Page) -> None:
        """Its link opens the picture alone, with keys and the way to the results."""
        page.goto("/?q=red")
        link = page.locator(".pic").nth(1).get_attribute("href")
        page.goto(f"/{link}")
        expect(page.locator("main.viewer h2")).to_be_visible()
        page.keyboard.press("ArrowRight")
        page.wait_for_url(re.compile("at=3"))
        page.locator(".close").click()
        page.wait_for_url(re.compile("/\\?q=red#hit-3$"))

    def test_copies(self, page: Page) -> None:
        """Its link and its credit are copied as text."""
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto("/?q=red")
        page.locator(".pic").first.click()
        page.locator("text=Copy credit").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        credit = page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch(r"Photo by .+ on photos\.example \(https://photos\.example/\d+\)", credit)


class TestOwnPictures:
    def drop(self, page: Page, file: Path, event: str = "drop") -> None:
        """Drop a file onto the page, or paste it."""
        page.evaluate(
            """([bytes, name, event]) => {
                const held = new DataTransfer();
                held.items.add(new File([new Uint8Array(bytes)], name, {type: "image/jpeg"}));
                const given = {bubbles: true, cancelable: true};
                if (event === "paste") {
                    document.body.dispatchEvent(new ClipboardEvent(event, {...given, clipboardData: held}));
                } else for (const kind of ["dragover", event]) {
                    document.body.dispatchEvent(new DragEvent(kind, {...given, dataTransfer: held}));
                }
            }""",
            [list(file.read_bytes()), file.name, event],
        )

    def test_dropped_pictures(self, page: Page, site: Site) -> None:
        """Pictures are made small here and searched with by their weights, and the URL does not change."""
        sent: list[list[dict[str, float]]] = []

        def keep(request: Request) -> None:
            if request.method == "POST":
                sent.append(json.loads(request.post_data or "")["parts"])

        page.on("request", keep)
        page.goto("/")
        files = sorted((site.folder / "photos").glob("*.jpg"))
        self.drop(page, files[0])
        expect(page.locator("#sent .chip")).to_have_count(1)
        expect(page.locator(".tile").first).to_have_attribute("data-id", files[0].stem)
        self.drop(page, files[7], event="paste")
        expect(page.locator("#sent .chip")).to_have_count(2)
        with page.expect_response("**/*part=results*"):
            page.locator("#sent select").nth(1).select_option("unlike it")
        expect(page.locator("body.busy")).to_have_count(0)  # the results are those of the new weights
        assert [part["weight"] for part in sent[-1]] == [0.5, -0.25]
        assert page.url == f"{site.address}/"
        page.locator(".pic").first.click()
        expect(page.locator("#viewer meter")).to_have_count(2)
        page.keyboard.press("Escape")
        page.locator("#sent button").first.click()
        expect(page.locator("#sent .chip")).to_have_count(1)
        page.go_back()
        expect(page.locator("#sent .chip")).to_have_count(2)

    def test_what_is_no_picture(self, page: Page, site: Site, faults: Faults, tmp_path: Path) -> None:
        """A file that is no picture is refused by its name, which stays beside the others' results.

        Nothing of it stays in the search, also where only the server could tell.
        """
        page.goto("/")
        (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
        (tmp_path / "broken.tiff").write_bytes(b"II*\0 cut off")
        picture = min((site.folder / "photos").glob("*.jpg"))
        page.locator("#file").set_input_files([tmp_path / "notes.txt", picture, tmp_path / "broken.tiff"])
        expect(page.locator(".tile").first).to_have_attribute("data-id", picture.stem)
        expect(page.locator("#wrong")).to_contain_text("notes.txt: This is no picture. broken.tiff: ")
        expect(page.locator("#wrong")).to_contain_text("can't be decoded")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#wrong")).to_be_visible()
        expect(page.locator("#sent .chip")).to_have_count(1)
        with page.expect_response("**/*part=results*") as answer:
            page.fill("#q", "red")
        assert answer.value.status == 200
        assert "422" in faults.seen.pop()  # the browser complains of the answer about the picture


STATES = {
    "results": "/?q=red&like=photo-01&unlike=photo-07&where=width>10&k=5",
    "all": "/?k=5",
    "nothing": "/?q=red&where=country=Norge",
    "error": "/?q=red&where=nope=1",
    "viewer": "/?q=red&view=photo-01&at=2",
}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 320)])
def test_axe_finds_nothing(
    browser: Browser, site: Site, scheme: Literal["light", "dark"], width: int
) -> None:
    """In no state anything breaks WCAG 2.2 AA, in light and dark, and nothing is cut off on a phone."""
    context = browser.new_context(
        base_url=site.address, color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    for name, path in STATES.items():
        page.goto(path)
        assert violations(page) == [], name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    page.goto("/?q=red&k=5")
    page.locator(".pic").first.click()
    expect(page.locator("#viewer h2")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.evaluate("document.querySelector('#help').showModal()")
    assert violations(page) == []
    context.close()


class TestFigures:
    def test_nothing_shifts(self, page: Page) -> None:
        """From the first paint to the last picture, and while pages come, nothing moves, however slowly."""
        page.add_init_script(SHIFTS)
        page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        page.goto("/?k=12")
        page.wait_for_load_state("networkidle")
        for _ in range(4):
            page.mouse.wheel(0, 700)
            page.wait_for_timeout(150)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.shift") < 0.001

    def test_thumbnails_are_small(self, page: Page) -> None:
        """The pictures of a page of 30 hits take less than 500 kB."""
        sizes: list[int] = []

        def keep(answer: Response) -> None:
            if "/pictures/" in answer.url:
                sizes.append(int(answer.headers["content-length"]))

        page.on("response", keep)
        page.goto("/?q=red")
        for _ in range(6):
            page.mouse.wheel(0, 500)
            page.wait_for_timeout(60)
        page.wait_for_load_state("networkidle")
        assert len(sizes) >= 30
        assert sum(sizes[:30]) < 500_000


def test_without_scripts(browser: Browser, site: Site) -> None:
    """Without a script the form, the links of tiles, the viewer, filters and pages work."""
    context = browser.new_context(base_url=site.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.fill("#q", "red")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=red"))
    page.locator(".pic").nth(1).click()
    page.locator("main.viewer >> text=Ana Silva").or_(page.locator(".credit a")).first.wait_for()
    page.locator("main.viewer >> text=More like this").click()
    expect(page.locator(".chip")).to_have_count(1)
    page.get_by_role("link", name="Filters").click()
    page.locator("summary >> text=Any field").click()
    page.fill("#where", "country=Norway")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_have_count(2)
    page.locator(".chip a").first.click()
    expect(page.locator(".chip")).to_have_count(1)
    page.goto("/?k=20")
    page.locator("text=Show more").click()
    expect(page.locator("#hit-21")).to_be_visible()
    assert page.locator("#keys").is_hidden()
    context.close()
