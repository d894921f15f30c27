"""The site is built without a warning and without a network, and no link in it is dead."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from scripts.render_llms import add_markdown

ROOT = Path(__file__).parents[2]
ATTRIBUTES = ("href", "src", "srcset", "poster", "data")
LOADED = ("link", "script", "img", "iframe", "source", "video", "audio", "object", "embed")


class Page(HTMLParser):
    """The anchors of a page, where it links to, and what a browser loads with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            if name in ATTRIBUTES and value:
                (self.loaded if tag in LOADED else self.links).append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    """All pages of the site, built from a copy: the build writes beside its configuration."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "zensical.toml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    add_markdown(folder / "site")
    return {path: Page(path) for path in (folder / "site").rglob("*.html")}


def test_every_page_is_built(site: dict[Path, Page]) -> None:
    """Each file of docs/ became a page."""
    (top,) = {path.parent for path in site if path.name == "404.html"}
    built = {path.relative_to(top).with_suffix(".md") for path in site} - {Path("404.md")}
    assert built == {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}


def test_no_link_is_dead(site: dict[Path, Page]) -> None:
    """Each link inside of the site leads to a file, and where it names an anchor, to one that is there."""
    links = [(path, link) for path, page in site.items() for link in page.links + page.loaded]
    inside = [(path, link) for path, link in links if not urlsplit(link).scheme]
    assert len(inside) > 100
    assert not [f"{path.name}: {link}" for path, link in inside if is_dead(path, link, site)]


def is_dead(path: Path, link: str, site: dict[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.netloc:
        return True
    (top,) = {page.parent for page in site if page.name == "404.html"}
    base = top if path.name == "404.html" else path.parent  # which is shown at any address
    target = (base / unquote(parts.path).lstrip("/")) if parts.path else path
    target = (target / "index.html" if target.is_dir() else target).resolve()
    if not target.is_file():
        return True
    anchor = unquote(parts.fragment)
    return bool(anchor) and not anchor.startswith("__") and anchor not in site[target].anchors


def test_no_table_shows_an_escaped_bar(site: dict[Path, Page]) -> None:
    """A bar in the code of a table is `<code>&#124;</code>`: of a backslash before it the site shows both."""
    assert not [path.name for path in site if re.search(r"<code>[^<]*\\\|", path.read_text(encoding="utf-8"))]


def test_language_models_find_the_pages(site: dict[Path, Page]) -> None:
    """Each page that llms.txt lists is there as Markdown, and stands in llms-full.txt."""
    (top,) = {path.parent for path in site if path.name == "404.html"}
    pages = re.findall(r"\]\(([^)]+)\)", (top / "llms.txt").read_text(encoding="utf-8"))
    whole = (top / "llms-full.txt").read_text(encoding="utf-8")
    assert len(pages) > 20
    assert not [page for page in pages if (top / page).read_text(encoding="utf-8") not in whole]


def test_links_to_other_hosts_are_well_formed(
    site: dict[Path, Page], record_property: Callable[[str, object], None]
) -> None:
    """No network is there to follow them: each is an https URL, or a mail address."""
    links = {link for page in site.values() for link in page.links if urlsplit(link).scheme}
    record_property("links to other hosts", "\n".join(sorted(links)))  # for a person with a network to follow
    assert not [
        link
        for link in sorted(links)
        if not re.fullmatch(r"https://[a-z0-9.-]+\.[a-z]{2,}(/[^\s\"<>]*)?|mailto:[^\s@]+@[^\s@]+", link)
    ]


def test_a_reader_of_the_site_asks_no_other_host(site: dict[Path, Page]) -> None:
    """Fonts, scripts, styles and pictures come with the pages."""
    loaded = {link for page in site.values() for link in page.loaded}
    assert loaded
    assert not [link for link in loaded if urlsplit(link).netloc]
