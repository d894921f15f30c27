"""The gallery of notebooks in a real browser, with a model that keeps what it is given in Jupyter's place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page

import esclip
from esclip._core.types import Box
from esclip._search.gallery_widget import GalleryWidget
from esclip._search.hits import Hits
from tests.web_pages import HOSTILE, Site, violations

MODEL = """
const values = %s, listeners = [];
window.model = {
  saved: 0,
  get: (name) => values[name],
  set: (name, value) => { values[name] = value; },
  save_changes: () => { model.saved++; },
  on: (name, call) => listeners.push(call),
  off: (name, call) => listeners.splice(listeners.indexOf(call), 1),
  select: (ids) => { values.selected_ids = ids; listeners.forEach((call) => call()); },
  listeners,
};
"""


@pytest.fixture
def shown(page: Page, site: Site) -> Callable[[], list[str]]:
    """A page with the gallery of seven hits, of which one has hostile texts; gives what is selected."""
    with esclip.open_index(site.folder / "store", "photos") as index:
        hits = [*index.search("red")][:6]
        hits[1] = replace(
            hits[1], box=Box(0.25, 0, 0.75, 0.5), description=HOSTILE, metadata={"photographer": HOSTILE}
        )
        hits.append(replace(hits[0], id="gone", location="/nowhere.jpg"))
        widget = GalleryWidget(Hits(hits))
    values = {"items": widget.items, "selected_ids": [], "more": "and 3 more"}
    html = f"""<!doctype html><html lang="en"><title>A notebook</title><style>{widget._css}</style>
<main><h1>A notebook</h1><div id="cell"></div></main>
<script type="module">{MODEL % json.dumps(values).replace("<", chr(92) + "u003c")}
import gallery from "/gallery.js";
window.leave = gallery.render({{ model, el: document.getElementById("cell") }});
</script>"""
    script = str(widget._esm)
    page.route("**/notebook", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.route("**/gallery.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.goto("/notebook")
    page.wait_for_selector(".esclip-gallery")
    return lambda: list(page.evaluate("model.get('selected_ids')"))


def test_pictures_are_selected_by_mouse_and_from_python(page: Page, shown: Callable[[], list[Any]]) -> None:
    """A click on a picture selects it, and Python knows; what Python selects is ticked."""
    page.locator("li img").nth(2).click()
    page.locator("li input").nth(0).click()
    ids = page.eval_on_selector_all("li input", "boxes => boxes.map(box => box.value)")
    assert shown() == [ids[0], ids[2]]
    assert page.get_by_role("status").inner_text() == "2 of 7 selected"
    page.evaluate("ids => model.select(ids)", [ids[3]])
    assert page.locator("li input:checked").count() == 1
    page.get_by_role("button", name="Select all").click()
    assert len(shown()) == 7
    page.get_by_role("button", name="Clear").click()
    assert shown() == []
    assert page.evaluate("model.saved") == 4
    page.evaluate("leave()")
    assert page.evaluate("model.listeners.length") == 0


def test_the_gallery_is_worked_by_keyboard(page: Page, shown: Callable[[], list[Any]]) -> None:
    """Arrows go in two dimensions, the space bar selects; the notebook gets none of these keys."""
    page.evaluate("window.heard = 0; document.addEventListener('keydown', () => heard++)")
    page.set_viewport_size({"width": 900, "height": 800})
    tops = page.eval_on_selector_all("li", "all => all.map(one => one.getBoundingClientRect().top)")
    across = tops.count(tops[0])
    page.locator("li input").first.focus()
    for key in ("ArrowRight", "Space", "ArrowDown", "Space", "Home", "End"):
        page.keyboard.press(key)
    ids = page.eval_on_selector_all("li input", "boxes => boxes.map(box => box.value)")
    assert len(shown()) == 2
    assert ids[1] in shown()
    assert ids.index(shown()[1]) >= across
    assert page.evaluate("document.activeElement.value") == ids[-1]
    page.keyboard.press("ControlOrMeta+a")
    assert len(shown()) == 7
    page.keyboard.press("Escape")
    assert shown() == []
    assert page.evaluate("heard") == 0


def test_texts_are_texts_and_every_picture_has_one(page: Page, shown: Callable[[], list[Any]]) -> None:
    """Hostile texts run nothing, the part that was found is framed, and axe finds nothing."""
    assert page.locator("script").count() == 1
    assert "<script>" in page.locator(".esclip-caption").nth(1).inner_text()
    assert page.locator("code").inner_text() == "/nowhere.jpg"
    frame, image = page.locator(".esclip-frame").bounding_box(), page.locator("li img").nth(1).bounding_box()
    assert frame
    assert image
    assert frame["width"] == pytest.approx(image["width"] / 2, abs=1)
    assert page.get_by_text("and 3 more").is_visible()
    page.locator("li input").first.check()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
