"""The reference in docs/ says what the code says."""

from __future__ import annotations

import re

import pytest

from esclip._core.schema import Field
from esclip._ingest.labels import LABEL, PROBABILITY
from esclip.sources import folder
from esclip.sources.unsplash import fields as unsplash
from scripts.render_pages import DOCS, PARTS, render
from tests.pages import PAGES

FIELDS = (DOCS / "reference/fields.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_rendered_parts_are_current(page: str) -> None:
    """Commands, reasons, errors and limits are as `scripts/render_pages.py` writes them."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert render(text) == text


def test_every_part_stands_in_one_page() -> None:
    """What can be rendered is rendered, once."""
    texts = [(DOCS / page).read_text(encoding="utf-8") for page in PAGES]
    rendered = [name for text in texts for name in re.findall(r"^<!-- /(\w+) -->$", text, re.MULTILINE)]
    assert sorted(rendered) == sorted(PARTS)


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("Pictures of a folder", folder.FIELDS),
        ("Photos of the Unsplash dataset", unsplash.FIELDS),
        ("Labels", (LABEL, PROBABILITY)),
    ],
)
def test_every_field_has_a_row(title: str, fields: tuple[Field, ...]) -> None:
    """The tables have the fields of each source with their types, and no others."""
    section = FIELDS.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", section, re.MULTILINE))
    assert rows == {field.name: field.type.value for field in fields}


@pytest.mark.parametrize("part", ["tutorial", "how-to", "reference", "explanation"])
def test_the_first_page_of_a_part_names_the_others(part: str) -> None:
    """Who opens a folder of docs/ sees what is in it."""
    linked = re.findall(r"\]\(([\w-]+\.md)\)", (DOCS / part / "index.md").read_text(encoding="utf-8"))
    others = [page.rpartition("/")[2] for page in PAGES if page.startswith(f"{part}/")]
    assert sorted(set(linked)) == sorted(set(others) - {"index.md"})
