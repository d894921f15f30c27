"""The page as HTML, without a browser: what it shows and links, and what it never lets through."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from PIL import Image

import esclip
from esclip._errors.secrets import Secret
from esclip._search.hit_facts import Credit, credit_of, rarity
from esclip._server.http_server import HttpServer
from esclip._server.page.assets import FOLDER as STATIC
from esclip._server.page.assets import Assets
from esclip._server.page.hosts import PictureHosts
from esclip._server.page.rendering import FOLDER as TEMPLATES
from esclip._server.page.words import doubt_in_words, fit_in_words, why_in_words
from esclip._server.search_app import SearchApp
from esclip.stores.memory import MemoryStore
from esclip.testing.pictures import PLAIN
from tests.search_servers import Answer, ask, searching

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Accept-Encoding": "identity"}
HOSTILE = "\"><img src=//evil.example/x onerror=alert(1)>'<script>alert(2)</script>\u202egnp.exe"
MAX_GZIP = 20_000
"""Bytes of HTML, styles and scripts together."""
MAX_SCRIPTS = 15_000
"""Bytes of all modules that the page loads at first."""
COUNT, LARGE = 110, 13
"""Pictures, and the red one that is large enough for crops."""


class Element(dict[str, str]):
    """A tag with its attributes and, where it has no further tags in it, its text."""

    def __init__(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        super().__init__({name: value or "" for name, value in attributes})
        self.tag = tag
        self.text = ""


class Elements(HTMLParser):
    """All elements of a page, in order."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.all: list[Element] = []
        self.feed(answer.body.decode())
        for one in self.all:
            one.text = one.text.strip("\n")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append(Element(tag, attrs))

    def handle_data(self, data: str) -> None:
        if self.all:
            self.all[-1].text += data

    def of(self, tag: str, **attributes: str) -> list[Element]:
        """Elements with these attributes; `cls` is one of the classes."""
        cls = attributes.pop("cls", None)
        return [
            one
            for one in self.all
            if one.tag == tag
            and (cls is None or cls in one.get("class", "").split())
            and all(one.get(name) == value for name, value in attributes.items())
        ]

    def texts(self, tag: str) -> list[str]:
        return [" ".join(one.text.split()) for one in self.of(tag)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of plain pictures, ten of each colour, one with hostile texts in every field."""
    folder = tmp_path_factory.mktemp("page")
    records: list[dict[str, Any]] = []
    for number in range(COUNT):
        color = PLAIN[number % len(PLAIN)]
        file = folder / f"{number}.png"
        size = (640, 480) if number == LARGE else (40 + number % 3 * 20, 30)
        Image.new("RGB", size, color).save(file)
        record = {
            "image": file,
            "id": f"p{number}",
            "description": color,
            "taken_at": datetime(2019, 5, 2, tzinfo=UTC),
            "views": number,
        }
        records.append(
            record | {"photographer": f"Ana {number % 4}", "page": f"https://photos.example/{number}"}
        )
    records[2] |= {
        "id": f"red{HOSTILE[:40]}",
        "description": HOSTILE,
        "photographer": HOSTILE,
        "place": HOSTILE,
    }
    with esclip.open_index(folder / "store", HOST, "palette") as index:
        index.add(records, parts=["crops"])
    return folder


HOST = "photos"


@pytest.fixture(scope="module")
def server(library: Path) -> Iterator[HttpServer[SearchApp]]:
    with searching(esclip.open_index(library / "store", HOST), library / "cache") as server:
        yield server


def get(server: HttpServer[SearchApp], path: str, **headers: str) -> Answer:
    return ask(server, "GET", path, headers=BROWSER | headers)


def see(server: HttpServer[SearchApp], path: str, **parameters: Any) -> Elements:
    """The elements of a page that is a success."""
    answer = get(server, f"{path}?{urlencode(parameters, doseq=True)}" if parameters else path)
    assert answer.status == 200, answer.body
    return Elements(answer)


def state(url: str) -> dict[str, list[str]]:
    """The parameters of a link of the page."""
    return parse_qs(urlsplit(url).query)


class TestResults:
    def test_the_first_html_has_the_results(self, server: HttpServer[SearchApp]) -> None:
        """Hits are in the page as it comes, with the room that they take and what is known of them."""
        page = see(server, "/", q="red")
        assert page.texts("title") == ["red – photos – esclip"]
        assert page.of("input", name="q")[0]["value"] == "red"
        tiles = page.of("li", cls="tile")
        assert len(tiles) == 30
        pictures = [one for one in page.of("img") if one["src"].startswith("pictures/")]
        assert [one["alt"] for one in pictures].count("red") == COUNT // len(PLAIN) - 1
        assert all(int(one["width"]) > 0 < int(one["height"]) for one in pictures)
        assert [one.get("loading") for one in pictures] == [None] * 8 + ["lazy"] * 22
        assert "h=480 2x" in pictures[0]["srcset"]
        assert get(server, f"/{pictures[0]['src']}").headers["Content-Type"] == "image/jpeg"
        assert "https://photos.example/13" in {one.get("href") for one in page.of("a")}

    def test_what_does_not_fit_is_behind_a_button(self, server: HttpServer[SearchApp]) -> None:
        """Hits that are no more than chance are folded up below the others; the rest has its percentile."""
        page = see(server, "/", q="red")
        (weak,) = page.of("details", cls="weak")
        place = page.all.index(weak)
        fitting = [one for one in page.all[:place] if one.tag == "li" and "tile" in one["class"]]
        assert 0 < len(fitting) < 30
        assert "open" not in weak
        assert f"{len(fitting)} fit well" in page.texts("h2")
        assert page.of("span", cls="top")[0].text == "top 0.1\u00a0%"

    def test_nothing_fits(self, server: HttpServer[SearchApp]) -> None:
        """Where no hit fits, the page says so and what to do, and keeps the nearest ones folded up."""
        page = see(server, "/", q="zebra")
        assert "Nothing fits well" in page.texts("h2")
        assert any("Try other words" in text for text in page.texts("p"))
        assert len(page.of("details", cls="weak")) == 1

    def test_a_text_that_says_nothing_to_the_model(self, server: HttpServer[SearchApp]) -> None:
        """Whose words the model does not know is told that the order is chance, and which it knows."""
        assert "name no colour" in " ".join(see(server, "/", q="two dogs").texts("p"))
        assert "name no colour" not in " ".join(see(server, "/", q="rotes Auto").texts("p"))
        assert "not trained on Cyrillic" in doubt_in_words("clip-ViT-B-32", "собака")
        assert doubt_in_words("clip-ViT-B-32-multilingual-v1", "собака") == ""

    def test_nothing_is_left_by_a_filter(self, server: HttpServer[SearchApp]) -> None:
        """An empty result says why, and how to get out."""
        page = see(server, "/", q="red", where="photographer=ana 1")
        assert "Nothing found" in page.texts("h2")
        assert any("did you mean" in text for text in page.texts("p"))
        without = page.of("a", title="Take away")[0]
        assert state(without["href"]) == {"q": ["red"]}

    def test_without_a_query_it_shows_what_there_is(self, server: HttpServer[SearchApp]) -> None:
        """The page without parameters lists pictures, page by page, and each once."""
        ids: list[str] = []
        url = "/"
        while url:
            page = see(server, url)
            assert "110 pictures" in page.texts("h2")
            ids += [one["data-id"] for one in page.of("li", cls="tile")]
            following = page.of("a", rel="next")
            url = f"/{following[0]['href']}" if following else ""
        assert len(ids) == len(set(ids)) == COUNT

    def test_pages_follow_each_other(self, server: HttpServer[SearchApp]) -> None:
        """Links lead through all hits and back, without a script; a script gets the same in parts."""
        first = see(server, "/", q="red", k=40)
        onward = first.of("a", rel="next")[0]["href"]
        assert state(onward) == {"q": ["red"], "k": ["40"], "offset": ["40"]}
        second = see(server, f"/{onward}")
        assert second.of("li", cls="tile")[0]["id"] == "hit-41"
        assert state(second.of("a", rel="prev")[0]["href"]) == {"q": ["red"], "k": ["40"]}
        part = see(server, f"/{onward}&part=results")
        assert [one["id"] for one in part.of("li", cls="tile")] == [
            one["id"] for one in second.of("li", cls="tile")
        ]
        assert not part.of("html")
        assert not any("part=" in one.get("href", "") for one in part.of("a"))
        at_once = see(server, "/", q="red", part="results", shown=80)
        assert len(at_once.of("li", cls="tile")) == 80
        assert state(at_once.of("a", rel="next")[0]["href"]) == {"q": ["red"], "offset": ["80"]}


def test_an_empty_index(tmp_path: Path) -> None:
    """It is told that there is nothing, without a link to pictures that aren't there, or words to try."""
    index = esclip.open_index(MemoryStore(HOST), encoder="palette")
    index.add({"id": "a", "image": Image.new("RGB", (9, 9), "red")})
    index.delete("a")
    with searching(index, tmp_path) as server:
        page = get(server, "/").body.decode()
    assert "There is nothing to show." in page
    assert "0 pictures" in page
    assert "Look at all pictures" not in page
    assert "Try other words" not in page


class TestOrder:
    def test_what_fits_is_ordered_by_a_field(self, server: HttpServer[SearchApp]) -> None:
        """A field orders what fits alone, by a form that works without a script; pages follow."""
        page = see(server, "/", q="red", sort="-views", k=6)
        chosen = [one for one in page.of("option") if "selected" in one]
        assert [(one["value"], one.text) for one in chosen] == [("-views", "views, most first")]
        second = see(server, f"/{page.of('a', rel='next')[0]['href']}")
        ids = [one["data-id"] for shown in (page, second) for one in shown.of("li", cls="tile")]
        views = [int(id[1:]) for id in ids if not id.startswith("red")]
        assert len(ids) == COUNT // len(PLAIN)
        assert views == sorted(views, reverse=True)
        assert all(number % len(PLAIN) == PLAIN.index("red") for number in views)
        hidden = {one["name"]: one["value"] for one in page.of("input", type="hidden")}
        assert hidden["q"] == "red"

    def test_all_pictures_by_a_field(self, server: HttpServer[SearchApp]) -> None:
        """Without a search a field orders all pictures that have it; a viewer follows that order."""
        page = see(server, "/", sort="-views")
        tiles = page.of("a", cls="pic")
        assert [state(one["href"])["view"] for one in tiles[:2]] == [["p109"], ["p108"]]
        viewed = see(server, f"/{tiles[1]['href']}")
        assert state(viewed.of("a", rel="prev")[0]["href"])["view"] == ["p109"]

    def test_fit_is_offered_for_a_search_only(self, server: HttpServer[SearchApp]) -> None:
        """Without a search there is nothing to fit: the pictures are in the order of their ids."""
        assert see(server, "/").of("option", value="relevance")[0].text.strip() == "id"
        assert see(server, "/", q="red").of("option", value="relevance")[0].text.strip() == "fit"

    def test_the_heading_tells_how_many_there_are(self, server: HttpServer[SearchApp]) -> None:
        """All that are listed or ranked; where a filter or an order leaves some out it isn't known."""
        told = {
            "/": f"{COUNT} pictures",
            "/?like=p13": f"The first 30 of {COUNT - 1} pictures",
            "/?like=p13&unlike=p14&k=108": f"{COUNT - 2} pictures",
            "/?like=p13&where=views>1": "The first 30",
            "/?like=p13&is.photographer=Ana+1": "27 pictures",
            "/?sort=views": "The first 30",
        }
        for path, heading in told.items():
            assert see(server, path).of("h2", id="count")[0].text == heading

    def test_examples_have_no_relevance(self, server: HttpServer[SearchApp]) -> None:
        """What no relevance is known of is ordered among the best."""
        assert len(see(server, "/", like="p13", sort="views").of("li", cls="tile")) == 30
        assert get(server, "/?q=red&sort=nope").status == 422


class TestRefining:
    def test_more_and_less_like(self, server: HttpServer[SearchApp]) -> None:
        """Links of a tile add its picture to the search, from its beginning; chips take it away again."""
        page = see(server, "/", q="red", offset=30, where="photographer=Ana*")
        tile = page.of("li", cls="tile")[0]["data-id"]
        more, less = page.of("p", cls="acts"), page.of("a", rel="nofollow")
        assert more
        assert state(less[0]["href"]) == {"q": ["red"], "where": ["photographer=Ana*"], "like": [tile]}
        liked = see(server, f"/{less[0]['href']}")
        assert tile not in {one["data-id"] for one in liked.of("li", cls="tile")}
        chips = liked.of("a", title="Take away")
        assert [state(one["href"]).get("like") for one in chips] == [[tile], None]
        assert len([one for one in liked.of("img") if one.get("width") == "28"]) == 1
        turned = [one["href"] for one in see(server, "/", q="red", unlike=tile).of("a", rel="nofollow")]
        assert all(state(url).get("unlike", [tile])[0] == tile for url in turned)

    def test_the_form_keeps_the_rest(self, server: HttpServer[SearchApp]) -> None:
        """Without a script the form sends filters and examples with another text, not the old place."""
        page = see(server, "/", q="red", like="p13", where="photographer=Ana*", offset=30, k=20)
        hidden = {one["name"]: one["value"] for one in page.of("input", type="hidden")}
        assert hidden == {"q": "red", "like": "p13", "where": "photographer=Ana*", "k": "20"}

    def test_empty_fields_of_the_form_are_none(self, server: HttpServer[SearchApp]) -> None:
        """A form that is sent with empty fields is the same as without them."""
        assert len(see(server, "/?q=red&where=&like=").of("li", cls="tile")) == 30
        assert len(see(server, "/?q=+&where=").of("li", cls="tile")) == 30


class TestViewer:
    def test_a_page_of_its_own(self, server: HttpServer[SearchApp]) -> None:
        """A tile leads to its picture, large, with its neighbours, fields, credit, and the way back."""
        page = see(server, "/", q="red", k=10, offset=10)
        tiles = page.of("li", cls="tile")
        viewed = see(server, f"/{page.of('a', cls='pic')[1]['href']}")
        assert viewed.of("h2")[0].text == page.of("img")[1]["alt"]
        assert "h=1080" in viewed.of("img")[0]["src"]
        previous, following = (state(viewed.of("a", rel=rel)[0]["href"]) for rel in ("prev", "next"))
        assert [previous["view"], following["view"]] == [[tiles[0]["data-id"]], [tiles[2]["data-id"]]]
        back = viewed.of("a", cls="close")[0]["href"]
        assert back.endswith("#hit-12")
        assert state(back) == {"q": ["red"], "k": ["10"], "offset": ["10"]}
        assert any("no more than chance" in text for text in viewed.texts("p"))
        ana = next(one for one in viewed.of("a") if one.get("href", "").startswith("?") and "Ana" in one.text)
        assert state(ana["href"])["where"][0].startswith("photographer=Ana")
        assert see(server, f"/{ana['href']}").of("li", cls="tile")

    def test_why(self, server: HttpServer[SearchApp]) -> None:
        """Of a query of several parts it says what each adds, in words."""
        page = see(server, "/", q="red", unlike="p1")
        viewed = see(server, f"/{page.of('a', cls='pic')[0]['href']}")
        assert len(viewed.of("meter")) == 2
        assert "how much it shows “red”" in viewed.texts("li")

    def test_the_part_that_was_found(self, server: HttpServer[SearchApp]) -> None:
        """The box of a hit among crops is drawn on its tile and in the viewer, without a style."""
        page = see(server, "/", q="red", targets="crops")
        viewed = see(server, f"/{page.of('a', cls='pic')[0]['href']}")
        for shown in (page, viewed):
            (rectangle, *_) = (one for one in shown.of("rect") if "x" in one)
            assert int(rectangle["width"]) > 0

    def test_the_original(self, library: Path) -> None:
        """Where the service sends originals, the viewer has a link to it."""
        index = esclip.open_index(library / "store", HOST)
        with searching(index, library / "cache", originals=True) as server:
            (link,) = (one for one in see(server, "/", view="p13").of("a") if "/original" in one["href"])
            assert get(server, f"/{link['href']}").headers["Content-Type"] == "image/png"

    def test_what_is_no_hit_any_more(self, server: HttpServer[SearchApp]) -> None:
        """A picture that is named is shown all the same; one that the index lacks is an error page."""
        viewed = see(server, "/", q="red", view="p1", at=1)
        assert viewed.of("h2")[0].text == "white"
        assert not viewed.of("a", rel="next")
        gone = get(server, "/?q=red&view=nobody&at=3")
        assert gone.status == 404
        assert "The index has no such document" in Elements(gone).texts("h2")


class TestSafety:
    def test_the_policy(self, server: HttpServer[SearchApp]) -> None:
        """The page allows itself nothing but its own files."""
        assert get(server, "/?q=red").headers["Content-Security-Policy"] == (
            "default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/?q=red",
            "/?q=red&part=results",
            f"/?{urlencode({'q': 'red', 'like': f'red{HOSTILE[:40]}', 'where': HOSTILE})}",
            f"/?{urlencode({'q': HOSTILE, 'min_score': HOSTILE})}",
            f"/?{urlencode({'view': f'red{HOSTILE[:40]}'})}",
            f"/?{urlencode({HOSTILE: HOSTILE})}",
        ],
    )
    def test_hostile_texts_stay_texts(self, server: HttpServer[SearchApp], path: str) -> None:
        """No text of a picture or of the URL becomes markup, a script, a style, or a request elsewhere."""
        answer = get(server, path)
        assert answer.status in (200, 422)
        page = Elements(answer)
        for one in page.all:
            assert not [name for name in one if name.startswith("on") or name == "style"], one
            assert one.tag not in ("style", "iframe", "object", "base")
            for name in ("src", "srcset", "action"):
                assert not re.match(r"(https?:)?//", one.get(name, "")), one
            assert not one.get("href", "").lower().startswith(("javascript:", "data:", "//"))
        assert [one["src"].partition("?")[0] for one in page.of("script")] in ([], ["static/page.js"])
        assert "\u202e" not in answer.body.decode()

    def test_no_text_of_the_index_is_lost(self, server: HttpServer[SearchApp]) -> None:
        """A hostile name is shown as what it is."""
        page = see(server, "/", view=f"red{HOSTILE[:40]}")
        assert HOSTILE.replace("\u202e", "\\u202e") in [one["alt"] for one in page.of("img")]

    @pytest.mark.parametrize(
        ("path", "status", "said"),
        [
            ("/?q=red&k=0", 422, "k"),
            ("/?q=red&k=x&part=results", 422, "k"),
            ("/?q=red&nope=1", 422, "nope"),
            ("/?q=red&where=colour%3Dred", 422, "colour"),
            ("/?like=nobody", 404, "no such document"),
            (f"/?q={'x' * 5000}", 422, "q"),
            ("/?q=red&offset=9990", 422, "offset"),
            ("/?q=%00", 422, ""),
        ],
    )
    def test_errors_are_pages(self, server: HttpServer[SearchApp], path: str, status: int, said: str) -> None:
        """What is wrong is said in the place of the results, with the problem's status; the form stays."""
        answer = get(server, path)
        assert answer.status in (status, 200 if not said else status)
        assert said in answer.body.decode()
        assert answer.headers["Content-Type"].startswith("text/html")

    def test_paths_of_the_machine_are_not_told(self, server: HttpServer[SearchApp], library: Path) -> None:
        """No page names a folder of the machine."""
        for path in ("/", "/?q=red", "/?view=p13&at=1&q=red", "/?q=red&where=nope%3D1"):
            assert str(library) not in get(server, path).body.decode()

    def test_an_index_that_is_not_there(self, tmp_path: Path) -> None:
        """Without an index the page says what to do."""
        with searching(esclip.open_index(tmp_path / "none"), tmp_path / "cache") as server:
            answer = get(server, "/?q=red")
        assert answer.status == 404
        assert "does not exist" in answer.body.decode()


class TestSessions:
    def test_a_browser_is_asked_for_the_token(self, library: Path) -> None:
        """Without a session there is a form, which works without a script and leads back to the search."""
        index = esclip.open_index(library / "store", HOST)
        with searching(index, library / "cache", token=Secret("s3cret")) as server:
            closed = get(server, "/?q=red&where=x%3D%22%3E")
            assert closed.status == 401
            form = Elements(closed)
            assert (form.of("form")[0]["method"], form.of("form")[0]["action"]) == ("post", "session")
            assert not form.of("script")
            back = form.of("input", name="next")[0]["value"]
            sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": server.address}
            wrong = ask(
                server, "POST", "/session", urlencode({"token": "x", "next": back}).encode(), BROWSER | sent
            )
            assert (wrong.status, "Set-Cookie" in wrong.headers) == (401, False)
            assert "not the token" in wrong.body.decode()
            right = {"token": "s3cret", "next": back}
            opened = ask(server, "POST", "/session", urlencode(right).encode(), BROWSER | sent)
            assert (opened.status, opened.headers["Location"]) == (303, "./?q=red&where=x%3D%22%3E")
            cookie = opened.headers["Set-Cookie"].partition(";")[0]
            assert get(server, "/?q=red", Cookie=cookie).status == 200
            for away in ("//evil.example", "https://evil.example/", "\r\nX: y", "/\\evil"):
                sent_away = urlencode({"token": "s3cret", "next": away}).encode()
                led = ask(server, "POST", "/session", sent_away, BROWSER | sent).headers
                assert led["Location"].startswith("./")
                assert "X" not in led
            other = ask(
                server,
                "POST",
                "/session",
                urlencode(right).encode(),
                sent | {"Origin": "https://evil.example"},
            )
            assert other.problem == "forbidden-origin"
            assert ask(server, "POST", "/session", b"token=%ff" + b"&a=1" * 20, sent).status in (400, 401)
            assert get(server, f"/static/page.css?v={Assets().version}").problem == "unauthorized"

    def test_a_link_on_another_site(self, library: Path) -> None:
        """A browser adds no cookie to a link on another site: the form then loads the page again, once."""
        index = esclip.open_index(library / "store", HOST)
        with searching(index, library / "cache", token=Secret("s3cret")) as server:
            from_elsewhere = get(server, "/?q=red", **{"Sec-Fetch-Site": "cross-site"})
            assert len(Elements(from_elsewhere).of("meta", content="0")) == 1
            assert not Elements(get(server, "/?q=red", **{"Sec-Fetch-Site": "same-origin"})).of(
                "meta", content="0"
            )


class TestAssets:
    def test_files_are_kept_for_ever_by_their_version(self, server: HttpServer[SearchApp]) -> None:
        """Each file of the page comes with its type, compressed where that is taken; others do not exist."""
        page = see(server, "/")
        urls = [one["href"] for one in page.of("link")] + [one["src"] for one in page.of("script")]
        for url in urls:
            if url.startswith("#"):
                continue
            answer = get(server, f"/{url}")
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
            small = get(server, f"/{url}", **{"Accept-Encoding": "gzip"})
            assert gzip.decompress(small.body) == answer.body
        assert "immutable" not in get(server, "/static/page.css").headers["Cache-Control"]
        for name in ("..%2Fassets.py", "nothing.css", "%2Fetc%2Fpasswd"):
            assert get(server, f"/static/{name}").status == 404

    def test_modules_import_their_own_version(self) -> None:
        """A script's imports have the version, too; none is of another host."""
        for name, asset in Assets().by_name.items():
            if name.endswith(".js"):
                for imported in re.findall(rb"""(?:from|import)\s*\(?\s*["']([^"']+)""", asset.body):
                    assert imported.startswith(b"./")
                    assert imported.endswith(b"?v=" + Assets().version.encode())

    def test_the_budget(self, server: HttpServer[SearchApp]) -> None:
        """A page of 30 hits, its styles and the scripts that it loads at first stay small."""
        answer = get(server, "/?q=red")
        page, files = Elements(answer), Assets().by_name
        styles = [name_of(one["href"]) for one in page.of("link", rel="stylesheet")]
        scripts = imported_at_first([name_of(one["src"]) for one in page.of("script")])
        assert sum(len(files[name].body) for name in scripts) <= MAX_SCRIPTS
        sent = [len(gzip.compress(answer.body)), *(len(files[name].gzipped) for name in (*styles, *scripts))]
        assert sum(sent) <= MAX_GZIP

    def test_nothing_is_inline_or_elsewhere(self) -> None:
        """No template has a script, a style or a handler in it, and no file names another host."""
        for file in [*TEMPLATES.iterdir(), *STATIC.iterdir()]:
            text = file.read_text(encoding="utf-8")
            inline = re.findall(
                r"<script(?! type=\"module\" src=)|<style(?!>\{\{)|\sstyle=|\son[a-z]+=", text
            )
            assert not inline or file.suffix == ".js", file
            assert not re.findall(
                r"""(?:src|href|url\(|import|from)\s*[=(]?\s*["']?(?:https?:)?//""", text
            ), file


def name_of(url: str) -> str:
    """Of a file of the page."""
    return urlsplit(url).path.rpartition("/")[2]


def imported_at_first(names: list[str]) -> set[str]:
    """Modules with all that they import, but what is imported when it is used."""
    found: set[str] = set()
    while names:
        found.add(name := names.pop())
        text = Assets().by_name[name].body.decode()
        imported = re.findall(r"""(?:from|^import) ["']\./([\w-]+\.js)""", text, re.MULTILINE)
        names += [one for one in imported if one not in found]
    return found


class TestHosts:
    def test_hosts_of_pictures_are_allowed(self) -> None:
        """The policy names the origins of pictures that were found, and nothing that breaks out of it."""
        hosts = PictureHosts()
        hosts.remember(
            [
                "https://images.unsplash.com/photo-1?x=1",
                "http://cdn.example:8080/a.jpg",
                "https://bücher.example/a.png",
                "/home/someone/a.png",
                "https://a;script-src.example/",
                "https://a b/",
                "ftp://files.example/",
                "https://user:pw@secret.example/",
            ]
        )
        images = hosts.policy().split("; ")[1]
        assert images == (
            "img-src 'self' https://images.unsplash.com http://cdn.example:8080 https://xn--bcher-kva.example"
        )
        hosts.remember(f"https://host{number}.example/" for number in range(500))
        assert len(hosts.policy()) < 4000


def hit(**values: Any) -> dict[str, Any]:
    return {"metadata": {}, "page": None, "location": None, "relevance": None, "percentile": None} | values


def credit(**values: Any) -> Credit | None:
    """The credit of a hit."""
    shown = hit(**values)
    return credit_of(shown["location"], shown["page"], shown["metadata"])


class TestWords:
    def test_credits(self) -> None:
        """Photographers of the dataset are linked as its host asks for; others by their page."""
        unsplash = credit(
            metadata={"photographer": "Ana Ü", "photographer_username": "ana/.."},
            page="https://unsplash.com/photos/x",
            location="https://images.unsplash.com/photo-1",
        )
        assert unsplash is not None
        assert unsplash.url == "https://unsplash.com/@ana%2F..?utm_source=esclip&utm_medium=referral"
        assert unsplash.text.startswith("Photo by Ana Ü on Unsplash (https://unsplash.com/photos/x?utm")
        other = credit(page="https://www.museum.example/7")
        assert other is not None
        assert (other.name, other.site, other.url) == ("", "museum.example", "https://www.museum.example/7")
        assert credit(page="javascript:alert(1)", metadata={"photographer": 7}) is None

    @pytest.mark.parametrize(
        ("percentile", "said"),
        [
            (None, ""),
            (20.0, ""),
            (100.0, "top 0.1\u00a0%"),
            (99.8, "top 0.2\u00a0%"),
            (80.0, "top 20\u00a0%"),
        ],
    )
    def test_rarity(self, percentile: float | None, said: str) -> None:
        """A percentile is said as the share that fits as well."""
        assert rarity(percentile) == said

    def test_reasons(self) -> None:
        """Each part of a query is a sentence with its share, the strongest first."""
        details = [
            {"part": "text: a beach", "weight": 1.0, "score": 0.2, "rank": None, "adds": 0.1},
            {"part": "id: x", "weight": -0.5, "score": 0.6, "rank": None, "adds": -0.3},
            {"part": "words: oslo", "weight": 1.0, "score": None, "rank": None, "adds": 0.0},
        ]
        first, second, third = why_in_words(details)
        assert (first.text, round(first.share, 2)) == ("how unlike it is to the picture x", -0.75)
        assert (second.text, round(second.share, 2)) == ("how much it shows “a beach”", 0.25)
        assert third.text == "“oslo” in its texts: not among the best by this alone"
        assert "no more than chance" in fit_in_words(hit(relevance=0.1, percentile=70.0))
        assert fit_in_words(hit()) == ""
