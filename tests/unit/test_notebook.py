"""What notebooks and interpreters show of values: one line, or HTML in which nothing from outside is code."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import Hit, ImageIndex, IngestReport, LedgerEntry, Reason, Rejection, Stage
from esclip._core.types import Box, Crop, content_fingerprint
from esclip._search.gallery import MAX_SHOWN
from esclip._search.hits import Hits
from tests.missing import without

EVIL = "</td><script>alert(1)</script>\x1b[31m\u202e\" onerror='alert(1)' \n"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageIndex]:
    """Four pictures, of which two are alike."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, color in (("red", "red"), ("also red", "red"), ("blue", "blue"), ("green", "green")):
        Image.new("RGB", (600, 400), color).save(folder / f"{name}.png")
    with esclip.open_index(folder / "store", "colors", "palette") as index:
        index.ingest(folder)
        yield index


class Parsed(HTMLParser):
    """The elements and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each such element."""
        return [attributes for name, attributes in self.elements if name == tag]


def hit(location: str, **values: object) -> Hit:
    """A hit of a picture there."""
    known: dict[str, object] = {"page": None, "description": "", "metadata": {}, **values}
    return Hit(1, "a", 0.5, location, **known)  # type: ignore[arg-type]


def test_a_picture_has_its_rank_name_and_size(index: ImageIndex) -> None:
    """Each has a text for those who don't see it, and a size, so that a page doesn't move when it comes."""
    page = Parsed(index.search_text("red", k=1)._repr_html_())
    (image,) = page.all("img")
    assert (image["alt"], image["width"], image["height"]) in {
        ("red.png", "360", "240"),
        ("also red.png", "360", "240"),
    }
    assert "1 · 1.0000" in page.texts
    assert image["alt"] in page.texts


@pytest.mark.parametrize(
    ("metadata", "size"),
    [
        ({"width": 6000, "height": 4000}, ("360", "240")),
        ({"width": 9000, "height": 900}, ("480", "48")),
        ({"width": 1, "height": 9_000_000}, ("1", "240")),
        ({"width": 0, "height": "x"}, ("320", "240")),
        ({}, ("320", "240")),
    ],
)
def test_a_picture_on_the_web_keeps_its_place(metadata: dict[str, object], size: tuple[str, str]) -> None:
    """Its size is taken from the metadata; where that is none, it gets the place of an ordinary one."""
    page = Parsed(Hits([hit("https://h/p/a%20b.jpg", metadata=metadata, description="A car")])._repr_html_())
    (image,) = page.all("img")
    assert (image["width"], image["height"]) == size
    assert image["alt"] == "A car"
    assert "a b.jpg" in page.texts


def test_results_of_several_queries_show_each_with_its_query(index: ImageIndex) -> None:
    """They are a list as ever, and galleries in a notebook, as long as nobody changes the list."""
    results = index.search_texts(["red", "<b>blue"], k=2)
    assert results == [index.search_text("red", k=2), index.search_text("<b>blue", k=2)]
    page = Parsed(results._repr_html_())  # type: ignore[attr-defined]
    assert len(page.all("img")) == 4
    assert {"red", "<b>blue"} <= set(page.texts)
    results.pop()
    assert len(Parsed(results._repr_html_()).all("img")) == 2  # type: ignore[attr-defined]
    query = esclip.Query("red", esclip.Text("blue", -0.5), k=1)
    assert "text: red, text: blue x -0.5" in Parsed(index.search_many([query])._repr_html_()).texts  # type: ignore[attr-defined]


def test_a_cell_stays_small(index: ImageIndex) -> None:
    """Of a thousand hits, or of as many queries, a cell shows some, and how many there are further."""
    many = [hit("https://h/a.jpg")] * (MAX_SHOWN + 9)
    page = Parsed(Hits(many)._repr_html_())
    assert len(page.all("img")) == MAX_SHOWN
    assert "and 9 more" in page.texts
    results = index.search_texts(["red"] * MAX_SHOWN, k=4)
    page = Parsed(results._repr_html_())  # type: ignore[attr-defined]
    assert len(page.all("img")) == MAX_SHOWN
    assert f"and {MAX_SHOWN * 3 // 4} more results" in page.texts


def test_groups_of_duplicates_are_galleries(index: ImageIndex) -> None:
    """Each group has its pictures below what they have in common."""
    groups = index.duplicates()
    page = Parsed(groups._repr_html_())  # type: ignore[attr-defined]
    assert len(page.all("img")) == 2
    assert page.texts[0] == "2 pictures, exact, cosines 1.0000 to 1.0000"
    assert Parsed(groups[0]._repr_html_()).texts == page.texts
    assert repr(groups[0]).startswith("<2 pictures, exact, cosines 1.0000 to 1.0000: ")


def test_a_report_and_stats_are_tables(index: ImageIndex) -> None:
    """Their values stand beside their names; reasons of rejections with their numbers."""
    texts = Parsed(index.stats()._repr_html_()).texts
    assert texts[:4] == ["documents", "4", "index", "colors"]
    assert "access" not in texts
    report = report_of(rejections={Reason.HTTP_404: 1234}, rejected=1234, pruned=0)
    texts = Parsed(report._repr_html_()).texts
    assert texts[texts.index("rejected: http_404") + 1] == "1,234"
    assert texts[texts.index("pruned") + 1] == "0"
    assert "stopped" not in texts


def report_of(**values: object) -> IngestReport:
    known: dict[str, object] = {
        **dict.fromkeys(("read", "skipped", "written", "rejected"), 0),
        "rejections": {},
        "seconds": 1.0,
        "index": "x",
        "store": "/store",
        "encoder": "palette",
    }
    return IngestReport(**{**known, **values})  # type: ignore[arg-type]


def test_nothing_shown_is_code(index: ImageIndex) -> None:
    """Names, texts and addresses of whoever made an index can't bring elements into a notebook."""
    stats = index.stats()
    object.__setattr__(stats, "encoder", EVIL)
    metadata = {"file_name": EVIL, "photographer": EVIL}
    pages = [
        stats._repr_html_(),
        report_of(index=EVIL, store=EVIL, passed_over={EVIL: 1})._repr_html_(),
        Hits([hit(EVIL, page=EVIL, description=EVIL, metadata=metadata)])._repr_html_(),
        Hits([hit("https://h/a.jpg", description=EVIL, metadata=metadata)])._repr_html_(),
        Hits([], note=EVIL)._repr_html_(),
        index.search_texts([EVIL], k=1)._repr_html_(),  # type: ignore[attr-defined]
    ]
    for page in pages:
        assert not Parsed(page).all("script")
        assert not any("onerror" in attributes for _, attributes in Parsed(page).elements)
        assert not re.search("[\x00-\x1f\u202e]", page)


def test_an_index_tells_where_it_is_and_what_it_holds(index: ImageIndex, tmp_path: Path) -> None:
    """Name, store and number of documents; also where there is no index yet, and when it is closed."""
    place = index.stats().store
    assert repr(index) == f"<ImageIndex 'colors' in {place}: 4 documents, encoder palette>"
    assert Parsed(index._repr_html_()).texts[-4:] == ["holds", "4 documents", "encoder", "palette"]
    other = esclip.open_index(tmp_path / "none", "x")
    assert repr(other) == f"<ImageIndex 'x' in {tmp_path / 'none'}: does not exist yet>"
    other.close()
    assert repr(other) == f"<ImageIndex 'x' in {tmp_path / 'none'}: closed>"


def test_an_index_shows_itself_while_its_server_is_away() -> None:
    """A server that says nothing is not waited for, and its password not shown."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with esclip.open_index(f"http://me:secret@127.0.0.1:{port}", "x") as index:
            repr(index)  # imports the client
            started = time.monotonic()
            assert repr(index) == (
                f"<ImageIndex 'x' in http://127.0.0.1:{port}: an unknown number of documents>"
            )
            assert time.monotonic() - started < 5


def test_values_are_one_short_line(index: ImageIndex) -> None:
    """No vectors, no bytes, no defaults; what is from outside is escaped."""
    document = esclip.StoredDocument(
        esclip.ImageRecord("a", "/a.jpg", Path("/a.jpg"), "1"),
        np.ones(512, np.float32),
        crops=(Crop(1, np.ones(512, np.float32)),),
    )
    now = datetime.now(UTC)
    rejection = Rejection(EVIL, EVIL, Stage.FETCH, Reason.TIMEOUT, EVIL)
    entry = LedgerEntry("a", "/a", Stage.READ, Reason.BAD_ROW, "no url", attempts=2, last_attempt=now)
    expected = {
        "<Hit 1: a, score 0.5000, /a.jpg>": hit("/a.jpg"),
        "<Hit 1: a, score 0.5000, https://***@h/a>": hit("https://u:pw@h/a"),
        "<0 hits>": Hits([]),
        "<1 hit: a 0.500>": Hits([hit("/a.jpg")]),
        "<LedgerEntry bad_row: a, /a: no url>": entry,
        "LabelScore('dog', 0.9346)": esclip.LabelScore("dog", 0.934562384),
        "Query(Text(text='a', weight=1.0), k=3)": esclip.Query("a", k=3),
        "VectorQuery(<shape (512,)>, weight=1.0)": esclip.VectorQuery(np.ones(512)),
        "ImageQuery(<bytes>, weight=1.0)": esclip.ImageQuery(b"GIF" * 9999),
        "<IngestReport: 1 record, 1 written, 0 skipped, 0 rejected in 1.0 s, index 'x' in /store>": report_of(
            read=1, written=1
        ),
        "<CancelToken>": esclip.CancelToken(),
    }
    assert {repr(value): value for value in expected.values()} == expected
    for value in (rejection, document, index.stats(), report_of(store=EVIL), hit(EVIL)):
        assert len(repr(value)) < 300
        assert repr(value).isprintable()


def test_a_gallery_of_photos_stays_small(tmp_path: Path) -> None:
    """Thirty pictures with more detail than any photo has are at most 600 kB: notebooks keep them."""
    file = tmp_path / "noise.jpg"
    Image.effect_noise((480, 320), 100).convert("RGB").save(file, quality=90)
    page = Hits([hit(str(file), content=content_fingerprint(file.read_bytes()))] * 30)._repr_html_()
    assert page.count("data:image/jpeg") == 30
    assert len(page) <= 600_000


def test_a_gallery_is_readable_without_its_styles(index: ImageIndex) -> None:
    """Where a notebook isn't trusted, styles go: sizes, texts and links are there all the same."""
    on_web = hit("https://h/a.jpg", page="https://h/a", description="A car")
    hits = Hits([*index.search_text("red", k=2), on_web])
    stripped = Parsed(re.sub(r' style="[^"]*"', "", hits._repr_html_()))
    assert all(image["width"] and image["height"] and image["alt"] for image in stripped.all("img"))
    assert [link["href"] for link in stripped.all("a")] == ["https://h/a"]
    assert {"A car", "a.jpg", "1 · 0.5000"} <= set(stripped.texts)
    assert not stripped.all("script")


def test_the_part_that_was_found_is_drawn(index: ImageIndex) -> None:
    """A frame lies over the picture, and the part is told in words, too; wild numbers stay in the picture."""
    (red,) = index.search_text("red", k=1)
    for box in (Box(0.25, 0, 0.75, 0.5), Box(-1e9, 0.5, 1e9, 0.5)):
        page = Hits([replace(red, box=box)])._repr_html_()
        assert "left:25.0%" in page or "left:0.0%;top:50.0%;width:100.0%;height:0.0%" in page
        assert "found in the part" in page


@pytest.mark.parametrize(
    "location",
    ["", "\0", "/", "a\0b", "/dev/zero", "memory:x", "file:///etc/passwd", "https://[", "\ud800", "x" * 9999],
)
def test_a_gallery_raises_never(location: str) -> None:
    """What can't be shown is a text."""
    odd = hit(location, page=location, description=EVIL, metadata={"file_name": EVIL, "width": float("nan")})
    page = Parsed(Hits([odd], True)._repr_html_())
    assert not page.all("script")
    assert "".join(page.texts).isprintable()


def test_hits_are_selected_in_a_gallery(index: ImageIndex) -> None:
    """What the browser or Python selects are hits, in their order; whoever wants to know is told."""
    hits = index.search_text("red", k=3)
    gallery, told = hits.gallery(), list[Hits]()
    gallery.on_change(told.append)
    assert list(gallery.selected) == []
    gallery.widget.selected_ids = [hits[2].id, hits[0].id]  # as its message from the browser does
    assert list(gallery.selected) == [hits[0], hits[2]]
    gallery.select([hits[1], "no such hit"])
    assert list(gallery.selected) == [hits[1]]
    gallery.select([])
    assert [len(selected) for selected in told] == [2, 1, 0]
    assert repr(gallery) == "<Gallery of 3 hits, 0 selected>"
    data, _ = gallery._repr_mimebundle_()
    assert {"text/plain", "application/vnd.jupyter.widget-view+json"} == data.keys()


def test_a_gallery_without_its_extra_shows_the_pictures(index: ImageIndex) -> None:
    """Without anywidget it is the HTML of hits, says what lacks, and can be selected from Python."""
    hits = index.search_text("red", k=2)
    with without("anywidget", "esclip._search.gallery_widget"):
        gallery, told = hits.gallery(), list[Hits]()
    gallery.on_change(told.append)
    gallery.select(hits[1])
    gallery.select(hits[1])
    assert list(gallery.selected) == [hits[1]]
    assert len(told) == 1
    data = gallery._repr_mimebundle_()
    assert "pip install 'esclip[notebook]'" in data["text/html"]
    assert data["text/html"].count("<img") == 2
