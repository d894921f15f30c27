"""What the README shows is what the program does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from scripts import draw_page
from scripts.draw_results import PICTURE, search
from scripts.render_llms import LLMS, render
from tests.pages import run_page

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_picture_of_results_shows_what_is_found(tmp_path: Path) -> None:
    """The searches of docs/results.png find these pictures with these scores, to 0.01."""
    with Image.open(PICTURE) as picture:
        shown = json.loads(picture.info["results"])
    found = search(tmp_path)
    assert [[query, [name for name, _ in hits]] for query, hits in found] == [
        [query, [name for name, _ in hits]] for query, hits in shown
    ]
    for (_, hits), (_, shown_hits) in zip(found, shown, strict=True):
        assert all(abs(a - b) <= 0.011 for (_, a), (_, b) in zip(hits, shown_hits, strict=True))
    assert all(f'"{query}"' in TEXT for query, _ in shown)


def test_the_pictures_of_the_page_show_what_is_found(tmp_path: Path) -> None:
    """Both pictures of the page are small, and show the hits that its search finds."""
    found = draw_page.search(draw_page.plant(tmp_path))
    for picture in draw_page.PICTURES.values():
        assert draw_page.shown_in(picture) == found
        assert picture.stat().st_size < 150_000
        assert f"docs/{picture.name}" in TEXT
    assert draw_page.QUERY in TEXT


def test_its_examples_run(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The README's commands and its Python example do what they say, on a folder of pictures."""
    assert photos.parent == tmp_path
    run_page("../README.md", tmp_path, {}, {})
    assert "red.png 1.0" in capsys.readouterr().out


def test_its_files_are_there() -> None:
    """Each link of the README to a file of the repository leads to one, and to a heading in it."""
    named = [link for link in re.findall(r"\]\(([^)]+)\)", TEXT) if not link.startswith("https://")]
    assert len(named) > 10
    for file, _, anchor in (link.partition("#") for link in named):
        assert (ROOT / file).is_file(), file
        assert not anchor or anchor in headings((ROOT / file).read_text(encoding="utf-8")), f"{file}#{anchor}"


def headings(text: str) -> set[str]:
    """The anchors of a page, as GitHub and the site make them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_list_for_language_models_is_current() -> None:
    """docs/llms.txt is as `scripts/render_llms.py` writes it."""
    assert LLMS.read_text(encoding="utf-8") == render()
