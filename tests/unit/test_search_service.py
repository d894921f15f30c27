"""The search service by HTTP: what it answers, whom it lets in, and what it refuses."""

from __future__ import annotations

import base64
import io
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from http.client import HTTPConnection
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from PIL import Image

import esclip
from esclip import ImageIndex
from esclip._core.types import Pixels, Vectors
from esclip._errors.secrets import Secret
from esclip._server.http import Limits
from esclip._server.http_server import HttpServer
from esclip._server.problems import ProblemType
from esclip._server.search_app import SearchApp
from esclip._server.search_messages import MAX_DEPTH, MAX_K
from esclip.testing.encoder import RecordingEncoder
from esclip.testing.pictures import draw_photos
from tests.plain_pictures import ingest_photos, png
from tests.search_servers import JSON, ask, searching

TOKEN = "s3cret"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class HeldEncoder(RecordingEncoder):
    """Encodes no picture while it is not released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()
        self.released.set()

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Wait, and encode."""
        assert self.released.wait(60)
        return super().encode_images(batch)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of eleven plain pictures."""
    return ingest_photos(tmp_path_factory.mktemp("service"))


@pytest.fixture(scope="module")
def index(pictures: Path) -> Iterator[ImageIndex]:
    with esclip.open_index(pictures / "store") as index:
        yield index


@pytest.fixture(scope="module")
def server(pictures: Path) -> Iterator[HttpServer[SearchApp]]:
    """A service that anybody may use."""
    with searching(esclip.open_index(pictures / "store"), pictures / "cache") as server:
        yield server


@pytest.fixture(scope="module")
def locked(pictures: Path) -> Iterator[HttpServer[SearchApp]]:
    """A service with a token."""
    with searching(esclip.open_index(pictures / "store"), pictures / "cache", token=Secret(TOKEN)) as server:
        yield server


class TestSearching:
    def test_hits_are_those_of_the_library(self, server: HttpServer[SearchApp], index: ImageIndex) -> None:
        """By parameters, by JSON and in a batch the same hits come back, with the library's scores."""
        expected = [(hit.id, pytest.approx(hit.score)) for hit in index.search_text("red", k=3)]
        body = {"parts": [{"text": "red"}], "k": 3}
        answers = [
            ask(server, "GET", "/v1/search?q=red&k=3").json,
            ask(server, "POST", "/v1/search", body).json,
            ask(server, "POST", "/v1/search/batch", {"queries": [body, body]}).json["results"][1],
        ]
        for answer in answers:
            assert [(hit["id"], hit["score"]) for hit in answer["hits"]] == expected
            assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]
            assert answer["next"] == {"offset": 3}

    def test_a_picture_as_the_body(self, server: HttpServer[SearchApp]) -> None:
        """A picture is searched for as it is, or in base64 as a part with a weight."""
        raw = ask(server, "POST", "/v1/search?k=1", png("#ff0000"), {"Content-Type": "image/png"})
        part = {"image": base64.b64encode(png("#ff0000")).decode(), "weight": 0.5}
        as_json = ask(server, "POST", "/v1/search", {"parts": [part], "k": 1})
        assert raw.json["hits"] == as_json.json["hits"]
        assert raw.json["hits"][0]["metadata"]["file_name"] == "red.png"

    def test_all_kinds_of_parts(self, server: HttpServer[SearchApp], index: ImageIndex) -> None:
        """Ids, vectors and words take part with their weights; a picture that is an example is no hit."""
        (red,) = index.search_text("red", k=1)
        vector = esclip.load_encoder("palette").encode_texts(["blue"])[0].tolist()
        parts = [{"id": red.id, "weight": 0.2}, {"vector": vector}, {"text": "green", "weight": -0.5}]
        hits = ask(server, "POST", "/v1/search", {"parts": parts, "k": 3}).json["hits"]
        assert hits[0]["metadata"]["file_name"] == "blue.png"
        assert red.id not in {hit["id"] for hit in hits}
        explained = ask(server, "POST", "/v1/search", {"parts": parts, "k": 1, "explain": True})
        assert len(explained.json["hits"][0]["why"]) == 3

    def test_like_and_similar(self, server: HttpServer[SearchApp], index: ImageIndex) -> None:
        """Pictures like some and unlike others are the library's recommendations."""
        red, blue = (index.search_text(color, k=1)[0].id for color in ("red", "blue"))
        expected = [hit.id for hit in index.recommend([red], [blue], k=4)]
        answer = ask(server, "GET", f"/v1/search?like={red}&unlike={blue}&k=4").json
        assert [hit["id"] for hit in answer["hits"]] == expected
        answer = ask(server, "GET", f"/v1/documents/{red}/similar?k=2").json
        assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in index.similar(red, k=2)]

    def test_a_document_by_its_id(self, server: HttpServer[SearchApp], index: ImageIndex) -> None:
        """A document is read by its id; one that is not there is a problem."""
        (red,) = index.search_text("red", k=1)
        read = ask(server, "GET", f"/v1/documents/{red.id}").json
        assert (read["id"], read["metadata"]["file_name"]) == (red.id, "red.png")
        assert ask(server, "GET", "/v1/documents/nobody").problem == "unknown-document"

    def test_ids_and_documents_by_pages(self, server: HttpServer[SearchApp], index: ImageIndex) -> None:
        """All ids come page by page; documents of ids come in their order, with vectors where asked for."""
        page = ask(server, "GET", "/v1/ids?limit=4").json
        ids: list[str] = page["ids"]
        while page["next"]:
            page = ask(server, "GET", f"/v1/ids?{urlencode({'after': page['next'], 'limit': 4})}").json
            ids += page["ids"]
        assert ids == list(index)
        wanted = [ids[2], "gone", ids[0]]
        query = urlencode({"ids": wanted, "vectors": "true", "fields": "file_name"}, doseq=True)
        answer = ask(server, "GET", f"/v1/documents?{query}").json
        assert [document["id"] for document in answer["documents"]] == [ids[2], ids[0]]
        assert answer["missing"] == ["gone"]
        first = answer["documents"][0]
        vector = np.frombuffer(base64.b64decode(first["vector"]), "<f4")
        np.testing.assert_array_equal(vector, index.get(ids[2])[0].vector)
        assert set(first["metadata"]) == {"file_name"}
        plain = ask(server, "GET", f"/v1/documents?ids={ids[0]}").json["documents"][0]
        assert (plain["vector"], plain["location"]) == (None, None)

    def test_filters_by_values(self, server: HttpServer[SearchApp]) -> None:
        """In JSON a filter may be values by field name, as in the library."""
        wanted = {"where": {"file_name": ["red.png", "blue.png"], "width": 40}, "fields": ["file_name"]}
        hits = ask(server, "POST", "/v1/search", wanted).json["hits"]
        assert sorted(hit["metadata"]["file_name"] for hit in hits) == ["blue.png", "red.png"]

    def test_filters_pages_and_fields(self, server: HttpServer[SearchApp]) -> None:
        """A filter lists by itself, pages follow each other, and only the fields that are wanted come."""
        wanted = {"where": "file_name=red.png,blue.png", "fields": ["file_name"], "k": 1}
        first = ask(server, "POST", "/v1/search", wanted).json
        second = ask(server, "POST", "/v1/search", wanted | first["next"]).json
        names = [page["hits"][0]["metadata"] for page in (first, second)]
        assert sorted(name["file_name"] for name in names) == ["blue.png", "red.png"]
        assert all(set(name) == {"file_name"} for name in names)
        by_url = ask(server, "GET", f"/v1/search?{urlencode({'where': 'file_name=red.png'})}").json
        assert [hit["metadata"]["file_name"] for hit in by_url["hits"]] == ["red.png"]

    def test_nothing_found_says_why(self, server: HttpServer[SearchApp]) -> None:
        """Where a filter leaves nothing, the note names what may have been meant."""
        answer = ask(server, "GET", "/v1/search?q=red&where=file_name%3DRed.png").json
        assert answer["hits"] == []
        assert "did you mean file_name=red.png" in answer["note"]

    def test_times_are_told(self, server: HttpServer[SearchApp]) -> None:
        """Server-Timing and the body name milliseconds of encoding, the store, and all."""
        answer = ask(server, "GET", "/v1/search?q=red")
        took = answer.json["took"]
        assert took["total"] >= took["encode"] + took["store"] > 0
        assert answer.headers["Server-Timing"] == ", ".join(f"{n};dur={v:g}" for n, v in took.items())

    def test_no_path_of_the_machine(self, server: HttpServer[SearchApp], pictures: Path) -> None:
        """No response names a folder of the machine."""
        for path in ("/v1/search?q=red", "/v1/index", "/metrics", "/openapi.json"):
            assert str(pictures) not in ask(server, "GET", path).body.decode()
        with searching(esclip.open_index(pictures / "store"), pictures / "cache", show_paths=True) as open:
            hit = ask(open, "GET", "/v1/search?q=red&k=1").json["hits"][0]
        assert hit["location"] == str(pictures / "photos" / "red.png")


WRONG: list[tuple[Any, str, str]] = [
    (b"{", "bad-body", ""),
    (b"\xff", "bad-body", ""),
    (b"[" * 100_000, "bad-body", ""),
    (b'{"k": NaN, "where": "exists(width)"}', "bad-body", ""),
    ([], "bad-query", "/"),
    ({"parts": [{"text": "red"}], "kk": 1}, "bad-query", "/kk"),
    ({"parts": [{"text": "red", "image": "aa"}]}, "bad-query", "/parts/0"),
    ({"parts": [{}]}, "bad-query", "/parts/0"),
    ({"parts": [{"image": "%%"}]}, "bad-query", "/parts/0/image"),
    ({"parts": [{"text": "red", "weight": 1e9}]}, "bad-query", "/parts/0/weight"),
    ({"parts": [{"text": "red"}] * 65}, "bad-query", "/parts"),
    ({"parts": [{"text": "x" * 5000}]}, "bad-query", "/parts/0/text"),
    ({"parts": [{"vector": [1.0] * 5000}]}, "bad-query", "/parts/0/vector"),
    ({"parts": [{"vector": [1.0, 2.0]}]}, "bad-query", ""),
    ({"parts": [{"vector": ["x"]}]}, "bad-query", "/parts/0/vector/0"),
    ({"parts": [{"id": "no-such-id"}]}, "unknown-document", ""),
    ({"parts": [{"image": base64.b64encode(b"<svg/>").decode()}]}, "bad-picture", ""),
    ({"parts": [{"text": "\ud800"}]}, "bad-body", ""),
    ({"parts": [{"text": " "}]}, "bad-query", ""),
    ({}, "bad-query", ""),
    *[
        ({"parts": [{"text": "red"}], "k": k}, "bad-query", "/k")
        for k in (0, -1, 1.5, "x", None, True, MAX_K + 1, 2**63 - 1)
    ],
    ({"parts": [{"text": "red"}], "k": 1000, "offset": MAX_DEPTH - 999}, "bad-query", "/offset"),
    ({"parts": [{"text": "red"}], "where": "colour=red"}, "unknown-field", "/where"),
    ({"parts": [{"text": "red"}], "where": 1}, "bad-query", "/where"),
    ({"parts": [{"text": "red"}], "where": {"width": [None]}}, "bad-query", "/where"),
    ({"parts": [{"text": "red"}, {"text": "red", "weight": -1.0}]}, "bad-query", ""),
    ({"parts": [{"text": "red"}], "targets": ["faces"]}, "bad-query", "/targets/0"),
    ({"parts": [{"text": "red"}], "min_score": 7}, "bad-query", "/min_score"),
]


@pytest.mark.parametrize(("body", "problem", "pointer"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_told(server: HttpServer[SearchApp], body: Any, problem: str, pointer: str) -> None:
    """Each wrong body gets its problem, which points to what is wrong."""
    if isinstance(body, dict) and "\ud800" in str(body):
        body = json.dumps(body).encode()
    answer = ask(server, "POST", "/v1/search", body, JSON)
    assert answer.problem == problem
    if pointer:
        assert pointer in {error["pointer"] for error in answer.json["errors"]} or pointer == "/"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "problem"),
    [
        ("GET", "/v1/search?q=red&k=x", {}, 422, "bad-query"),
        ("GET", "/v1/search?q=red&nope=1", {}, 422, "bad-query"),
        ("GET", "/v1/search", {}, 422, "bad-query"),
        ("GET", "/v1/documents", {}, 422, "bad-query"),
        ("GET", f"/v1/documents?{'ids=x&' * 101}", {}, 422, "bad-query"),
        ("GET", "/v1/ids?limit=1001", {}, 422, "bad-query"),
        ("GET", f"/v1/ids?after={'x' * 600}", {}, 422, "bad-query"),
        ("GET", f"/v1/search?q=red&k={2**70}", {}, 422, "bad-query"),
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("GET", "/v1/documents/nobody/similar", {}, 404, "unknown-document"),
        ("DELETE", "/v1/search", {}, 405, "method-not-allowed"),
        ("POST", "/v1/search", {"Content-Type": "text/plain"}, 415, "unsupported-type"),
        ("POST", "/v1/search", {"Content-Type": "multipart/form-data; boundary=x"}, 415, "unsupported-type"),
        ("POST", "/v1/search", JSON | {"Content-Length": str(1 << 40)}, 413, "too-large"),
        (
            "POST",
            "/v1/search",
            JSON | {"Content-Length": "5", "Transfer-Encoding": "chunked"},
            400,
            "bad-body",
        ),
        ("POST", "/v1/search", JSON | {"Content-Encoding": "gzip"}, 415, "unsupported-type"),
        ("GET", "/livez", {"X": "x" * 17_000}, 431, "head-too-large"),
        ("GET", "/problems/nothing", {}, 404, "not-found"),
    ],
)
def test_wrong_requests(
    server: HttpServer[SearchApp], method: str, path: str, headers: dict[str, str], status: int, problem: str
) -> None:
    """Routes, methods, types and sizes that are not taken are problems, too, and the server goes on."""
    answer = ask(
        server, method, path, b"" if method == "POST" and "Content-Length" not in headers else None, headers
    )
    assert (answer.status, answer.problem) == (status, problem)
    assert ask(server, "GET", "/livez").status == 200


def test_why_nothing_was_found_names_no_folder(server: HttpServer[SearchApp], pictures: Path) -> None:
    """The values that a filter could have had are told, but not those that are folders of this machine."""
    for path in ("/v1/search?q=red&where=folders%3Dx", "/?q=red&where=folders%3Dx"):
        answer = ask(server, "GET", path).body.decode()
        assert "no document fulfils the filter" in answer
        assert str(pictures) not in answer


def test_head_is_get_without_a_body(server: HttpServer[SearchApp]) -> None:
    """What watches a service asks for heads alone."""
    for path, status in (("/livez", 200), ("/v1/index", 200), ("/", 200), ("/v1/documents/nobody", 404)):
        answer = ask(server, "HEAD", path)
        assert (answer.status, answer.body) == (status, b"")
        assert int(answer.headers["Content-Length"]) > 0


def test_the_description_is_enough_for_a_client(server: HttpServer[SearchApp]) -> None:
    """All that is sent as JSON has a schema, every operation a short name, and how to get in is told."""
    described = ask(server, "GET", "/openapi.json").json
    operations = {
        f"{method} {path}": operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
    }
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) < 30
    for operation, about in operations.items():
        for status, response in about["responses"].items():
            for kind, content in response.get("content", {}).items():
                assert content.get("schema"), f"{operation}: {status} {kind}"
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert described["paths"]["/livez"]["get"]["security"] == []
    assert {"302", "304"} <= described["paths"]["/pictures/{id}"]["get"]["responses"].keys()


def test_every_problem_has_a_page(server: HttpServer[SearchApp]) -> None:
    """The type of each problem is a path that says what to do."""
    for kind in ProblemType:
        answer = ask(server, "GET", f"/problems/{kind.slug}")
        assert answer.status == 200
        assert kind.value.title in answer.body.decode()


class TestGuard:
    def routes(self, server: HttpServer[SearchApp]) -> list[tuple[str, str]]:
        """All methods of all routes, as the server itself describes them."""
        paths = ask(server, "GET", "/openapi.json", headers=BEARER).json["paths"]
        assert len(paths) > 8
        described = [(m.upper(), p.replace("{id}", "x")) for p, item in paths.items() for m in item]
        return [*described, ("GET", "/openapi.json"), ("GET", "/nowhere"), ("PUT", "/")]

    def test_no_route_is_forgotten(self, locked: HttpServer[SearchApp]) -> None:
        """Without the token every route but /livez and /session is closed, and a wrong one opens none."""
        for method, path in self.routes(locked):
            if path in ("/livez", "/session"):
                continue
            for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "esclip-session=x"}):
                answer = ask(locked, method, path, headers=headers)
                assert (answer.status, answer.problem) == (401, "unauthorized"), (method, path)
        assert ask(locked, "GET", "/livez").status == 200
        assert ask(locked, "GET", "/v1/search?q=red", headers=BEARER).status == 200

    def test_a_browser_gets_a_cookie(self, locked: HttpServer[SearchApp]) -> None:
        """The token is exchanged for a cookie that scripts can't read, which opens what the token opens."""
        assert ask(locked, "POST", "/session", {"token": "wrong"}).problem == "unauthorized"
        opened = ask(locked, "POST", "/session", {"token": TOKEN})
        cookie = opened.headers["Set-Cookie"]
        assert opened.status == 204
        assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in cookie.split(";")}
        assert TOKEN not in cookie
        given = {"Cookie": cookie.partition(";")[0]}
        assert ask(locked, "GET", "/v1/search?q=red", headers=given).status == 200
        closed = ask(locked, "DELETE", "/session", headers=given)
        assert "Max-Age=0" in closed.headers["Set-Cookie"]

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "127.0.0.1.evil.example",
            "evil@127.0.0.1",
            "127.0.0.1:80:80",
            "localhost/evil",
            "",
            "[::1",
            "localhost.:80",
        ],
    )
    def test_other_names_are_refused(self, server: HttpServer[SearchApp], host: str) -> None:
        """A page whose name resolves to this machine reads nothing."""
        assert ask(server, "GET", "/livez", headers={"Host": host}).problem == "wrong-host"

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "[::1]:8080", "127.0.0.1"])
    def test_own_names(self, server: HttpServer[SearchApp], host: str) -> None:
        """Names of this machine are accepted, whatever the port."""
        assert ask(server, "GET", "/livez", headers={"Host": host}).status == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://["},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_pages_of_other_origins_write_nothing(
        self, server: HttpServer[SearchApp], headers: dict[str, str]
    ) -> None:
        """What a page of another origin posts is refused, and it is told no origin that may."""
        answer = ask(server, "POST", "/v1/search", {"parts": [{"text": "red"}]}, headers)
        assert answer.problem == "forbidden-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers

    def test_every_response_has_the_headers_of_safety(self, server: HttpServer[SearchApp]) -> None:
        """Successes and problems alike forbid what a browser might do with them."""
        for path in ("/livez", "/v1/search?q=red", "/nowhere", "/pictures/x"):
            headers = ask(server, "GET", path).headers
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"


def test_texts_beside_pictures(tmp_path: Path) -> None:
    """A text document has its kind and its words, and no picture; either kind can be asked for alone."""
    with esclip.open_index(tmp_path / "store", encoder="palette") as index:
        index.ingest(draw_photos(tmp_path / "photos"))
        index.add({"id": "t", "text": "a red <b>door</b>", "location": "https://example.org/t.jpg"})
    with searching(esclip.open_index(tmp_path / "store"), tmp_path / "cache") as server:
        hits = ask(server, "GET", "/v1/search?q=red&k=2").json["hits"]
        assert [(hit["kind"], hit["picture"] is None) for hit in hits] == [("picture", False), ("text", True)]
        assert hits[1]["description"] == "a red <b>door</b>"
        assert ask(server, "GET", "/v1/documents/t").json["kind"] == "text"
        assert ask(server, "GET", "/pictures/t").problem == "unknown-document"
        for target, kind in (("texts", "text"), ("pictures", "picture")):
            body = {"parts": [{"text": "red"}], "targets": [target]}
            answer = ask(server, "POST", "/v1/search", body).json
            assert {hit["kind"] for hit in answer["hits"]} == {kind}
        assert ask(server, "GET", "/v1/documents/t/similar?k=1").json["hits"][0]["kind"] == "picture"
        about = ask(server, "GET", "/v1/index").json
        assert (about["documents"], about["texts"], about["targets"]) == (12, 1, ["pictures", "texts"])


class TestPictures:
    def test_a_hit_shows_its_picture(self, server: HttpServer[SearchApp]) -> None:
        """The thumbnail of a hit is a JPEG that may be kept for ever; asked again, it has not changed."""
        hit = ask(server, "GET", "/v1/search?q=red&k=1").json["hits"][0]
        shown = ask(server, "GET", hit["picture"])
        assert (shown.status, shown.headers["Content-Type"]) == (200, "image/jpeg")
        assert "immutable" in shown.headers["Cache-Control"]
        with Image.open(io.BytesIO(shown.body)) as image:
            pixel = np.asarray(image.convert("RGB"))[0, 0]
        assert pixel[0] > 200 > pixel[1]
        again = ask(server, "GET", hit["picture"], headers={"If-None-Match": shown.headers["ETag"]})
        assert (again.status, again.body) == (304, b"")
        assert ask(server, "GET", hit["picture"]).body == shown.body

    @pytest.mark.parametrize("id", ["x", "../../etc/passwd", "/etc/passwd", "\0", "a" * 600, "%s"])
    def test_nothing_is_shown_but_by_an_id(self, server: HttpServer[SearchApp], id: str) -> None:
        """What is no id of the index is a problem; no request names a file."""
        assert ask(server, "GET", f"/pictures/{quote(id, safe='')}").status in (404, 422)

    def test_another_file_in_its_place_is_not_shown(self, tmp_path: Path) -> None:
        """A file that was changed after the ingest is not shown in place of the picture."""
        photos = draw_photos(tmp_path / "photos")
        with esclip.open_index(tmp_path / "store", encoder="palette") as index:
            index.ingest(photos)
        (photos / "red.png").write_bytes(png("blue"))
        with searching(esclip.open_index(tmp_path / "store"), tmp_path / "cache") as server:
            hit = ask(server, "GET", "/v1/search?q=red&k=1").json["hits"][0]
            assert ask(server, "GET", hit["picture"]).problem == "unknown-document"


class TestLoad:
    def test_too_many_are_told_to_come_again(self, pictures: Path) -> None:
        """More searches than may wait are refused at once with Retry-After; health is answered all along."""
        held = HeldEncoder()
        with esclip.open_index(pictures / "held", encoder=held) as index:
            index.ingest(pictures / "photos")
        held.released.clear()
        index = esclip.open_index(pictures / "held", encoder=held)
        with (
            searching(index, pictures / "cache", threads=1, max_waiting=2) as server,
            ThreadPoolExecutor(12) as pool,
        ):
            picture = (png("red"), {"Content-Type": "image/png"})
            asked = [pool.submit(ask, server, "POST", "/v1/search", *picture) for _ in range(12)]
            refused = [one.result() for one in islice(as_completed(asked), 9)]
            assert ask(server, "GET", "/livez").status == 200
            assert ask(server, "GET", "/readyz").status == 200
            held.released.set()
            answers = [one.result() for one in asked]
        assert {answer.problem for answer in refused} == {"overloaded"}
        assert all(answer.headers["Retry-After"] for answer in refused)
        assert sorted(answer.status for answer in answers) == [200] * 3 + [503] * 9

    def test_stopping_finishes_what_is_in_flight(self, pictures: Path) -> None:
        """A search that has arrived is answered after the stop; readiness ends first."""
        slow = RecordingEncoder(seconds=1)
        with esclip.open_index(pictures / "stop", encoder=slow) as index:
            index.ingest(pictures / "photos")
        index = esclip.open_index(pictures / "stop", encoder=slow)
        with searching(index, pictures / "cache") as server, ThreadPoolExecutor(1) as pool:
            before = len(slow.batches)
            asked = pool.submit(ask, server, "POST", "/v1/search", png("red"), {"Content-Type": "image/png"})
            while len(slow.batches) == before:
                time.sleep(0.01)
            server.stop()
            time.sleep(0.3)
            assert ask(server, "GET", "/readyz").problem == "overloaded"
            assert asked.result().status == 200


def test_what_takes_too_long_is_told(pictures: Path) -> None:
    """A search beyond its time is a problem; its thread counts as busy until it is done, as /health tells."""
    slow = RecordingEncoder(seconds=1)
    with esclip.open_index(pictures / "late", encoder=slow) as index:
        index.ingest(pictures / "photos")
    index = esclip.open_index(pictures / "late", encoder=slow)
    with searching(index, pictures / "cache", search_seconds=0.2) as server:
        assert ask(server, "GET", "/health").json["searches"] == 0
        late = ask(server, "POST", "/v1/search", png("red"), {"Content-Type": "image/png"})
        assert (late.status, late.problem) == (504, "timeout")
        health = ask(server, "GET", "/health").json
        assert (health["status"], health["searches"], health["documents"]) == ("ok", 1, 11)


def test_a_refused_request_without_a_body_keeps_its_connection(pictures: Path) -> None:
    """After a refusal the next request may come on the same connection; what was not read ends it."""
    index = esclip.open_index(pictures / "store")
    with searching(index, pictures / "cache", token=Secret("right")) as server:
        connection = HTTPConnection(server.address.removeprefix("http://"))
        for body, kept in ((None, True), (None, True), (b"{}", False)):
            connection.request("POST" if body else "GET", "/v1/search?q=red", body)
            response = connection.getresponse()
            assert json.loads(response.read())["type"] == "/problems/unauthorized"
            assert response.getheader("Connection") == (None if kept else "close")
        connection.close()


def test_a_client_that_never_finishes_is_cut_off(pictures: Path) -> None:
    """The limits of unfinished heads and bodies hold for this service, too."""
    limits = Limits(head_seconds=0.5, body_seconds=0.5)
    with searching(esclip.open_index(pictures / "store"), pictures / "cache", limits=limits) as server:
        host, _, port = server.address.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(
                b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 100\r\n\r\n{"
            )
            assert b" 408 " in connection.recv(4096)


class TestHealth:
    def test_a_store_that_is_gone(self, tmp_path: Path) -> None:
        """Without an index the service lives, is not ready, and says what is missing."""
        with searching(esclip.open_index(tmp_path / "none"), tmp_path / "cache") as server:
            assert ask(server, "GET", "/livez").status == 200
            assert ask(server, "GET", "/readyz").problem == "store-unavailable"
            assert ask(server, "GET", "/v1/search?q=red").problem == "index-not-found"

    def test_metrics(self, server: HttpServer[SearchApp]) -> None:
        """Requests are counted by route and status; what clients send is no label."""
        ask(server, "GET", "/v1/search?q=red")
        ask(server, "GET", "/some/where")
        text = ask(server, "GET", "/metrics").body.decode()
        assert 'http_route="/v1/search",http_response_status_code="200"' in text.replace(" ", "") or (
            'http_route="/v1/search"' in text
        )
        assert 'esclip_search_stage_duration_seconds_count{stage="encode"}' in text
        assert "/some/where" not in text

    def test_the_index(self, server: HttpServer[SearchApp]) -> None:
        """Model, fields, counts and limits are told."""
        about = ask(server, "GET", "/v1/index").json
        assert (about["documents"], about["encoder"], about["limits"]["k"]) == (11, "palette", MAX_K)
        assert {"name": "file_name", "type": "keyword"} in about["fields"]


def test_a_response_waits_for_no_acknowledgement(server: HttpServer[SearchApp]) -> None:
    """On a kept connection the body comes with the head, not after the client's delayed acknowledgement."""
    connection = HTTPConnection(server.address.removeprefix("http://"), timeout=60)
    seconds = []
    for _ in range(10):
        began = time.monotonic()
        connection.request("GET", "/livez")
        assert connection.getresponse().read() == b"ok\n"
        seconds.append(time.monotonic() - began)
    connection.close()
    assert min(seconds) < 0.03


def test_many_at_once(server: HttpServer[SearchApp]) -> None:
    """64 clients at once are all answered, each with its own hits."""
    colors = ["red", "green", "blue", "yellow"] * 16
    wrong: list[str] = []

    def one(color: str) -> None:
        hit = ask(server, "GET", f"/v1/search?q={color}&k=1").json["hits"][0]
        if hit["metadata"]["file_name"] != f"{color}.png":
            wrong.append(color)

    threads = [threading.Thread(target=one, args=(color,)) for color in colors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
