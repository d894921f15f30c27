"""Write docs/llms.txt, the list of all pages for language models (https://llmstxt.org), from the navigation.

    python -m scripts.render_llms           # writes docs/llms.txt; a test compares it
    python -m scripts.render_llms site      # adds a built site's Markdown, and all of it as llms-full.txt

What a page is about is what its part's `index.md` says behind the link to it.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["LLMS", "add_markdown", "render"]

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
LLMS = DOCS / "llms.txt"

ENTRY = re.compile(r"^- \[.+?\]\(([\w-]+\.md)\)(.*(?:\n  .*)*)", re.MULTILINE)


def render() -> str:
    """The title and summary of the site, then a section for each part."""
    project = _project()
    lines = [f"# {project['site_name']}", "", f"> {project['site_description']}"]
    for part in project["nav"]:
        ((title, pages),) = part.items()
        if not isinstance(pages, str):
            lines += ["", f"## {title}", "", *map(_line, _pages(pages))]
    return "\n".join(lines) + "\n"


def add_markdown(site: Path) -> None:
    """Put each page as Markdown beside the page, and all of them in one file."""
    pages = list(_pages(_project()["nav"]))
    for page in pages:
        shutil.copy(DOCS / page, site / page)
    texts = (f"<!-- {page} -->\n\n{(DOCS / page).read_text(encoding='utf-8')}" for page in pages)
    (site / "llms-full.txt").write_text("\n".join(texts), encoding="utf-8")


def _project() -> dict[str, Any]:
    with (ROOT / "zensical.toml").open("rb") as file:
        project: dict[str, Any] = tomllib.load(file)["project"]
    return project


def _pages(nav: Any) -> Iterator[str]:
    """All pages of a part of the navigation, at any depth."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(part)


def _line(page: str) -> str:
    title = (DOCS / page).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    about = " ".join(_abouts(page).get(page.rpartition("/")[2], "").split()).strip(":,. ")
    return f"- [{title}]({page}){f': {about}' if about else ''}"


def _abouts(page: str) -> dict[str, str]:
    """What the first page of a part says of the others, without the links in it."""
    index = (DOCS / page).parent / "index.md"
    return {
        name: re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", about)
        for name, about in ENTRY.findall(index.read_text(encoding="utf-8"))
    }


def main() -> None:
    """Write llms.txt, or complete a site."""
    if sys.argv[1:]:
        add_markdown(Path(sys.argv[1]))
    else:
        LLMS.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
