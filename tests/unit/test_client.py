"""The client of a search service: the facade over HTTP, CLIP-as-service's names, and other servers."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import esclip
from esclip import Client, Document, ImageIndex, Query, StoreError, StoreUnavailable
from esclip._client.encoding import Embedder
from esclip._core.schema import public_runtime
from esclip._errors.secrets import Secret
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from esclip.stores.memory import MemoryStore
from tests.contracts.facade import Facade, FacadeContract, Serve, plain
from tests.odd_answers import variants
from tests.plain_pictures import png
from tests.search_servers import ask, searching
from tests.servers import (
    PictureServer,
    Route,
    body,
    cut_off,
    drip,
    endless,
    hang_up,
    in_turn,
    raw,
    redirect,
    status,
)
from tests.unit.test_arguments import TAKEN, WRONG, Call

TOKEN = "s3cret-token-of-a-service"


class TestClient(FacadeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def serve(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
        """A client of a service of the index."""
        cache = tmp_path_factory.mktemp("thumbnails")
        with ExitStack() as stack:

            def serve(index: ImageIndex) -> Facade:
                server = stack.enter_context(searching(index, cache, show_paths=True, writable=True))
                return stack.enter_context(Client(server.address))

            yield serve

    @pytest.fixture(scope="class")
    @classmethod
    def its(cls, own: ImageIndex, index: Facade, photos: Path) -> Any:
        """What a notebook has at hand, with a client in place of the index."""
        red, green = (own.search_text(color, 1)[0] for color in ("red", "green"))
        return SimpleNamespace(
            lib=esclip,
            index=index,
            photos=photos,
            red=red,
            green=green,
            picture=photos / "red.png",
            array=np.full((8, 8, 3), (255, 0, 0), np.uint8),
            vector=own.get(red)[0].vector,
        )

    @pytest.mark.parametrize("call", TAKEN.values(), ids=TAKEN.keys())
    def test_what_is_taken(self, its: Any, call: tuple[Call, str]) -> None:
        """All kinds of values that an index takes."""
        hits = call[0](its)
        assert hits
        assert not call[1] or hits[0].metadata["file_name"] == call[1]

    @pytest.mark.parametrize(
        "name",
        [
            name
            for name in WRONG
            if name.startswith(
                ("search", "similar", "recommend", "get", "ids", "facets", "add(None", "add(5")
            )
            if name != "search([...])"  # a list of queries, as CLIP-as-service has it
        ],
    )
    def test_what_is_not_taken(self, its: Any, name: str) -> None:
        """The errors are those of an index."""
        call, told = WRONG[name]
        with pytest.raises(esclip.ConfigError, match=re.escape(told)):
            call(its)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def server(cache: Path) -> Iterator[HttpServer[SearchApp]]:
    """A writable service of three pictures in memory, with a token."""
    index = esclip.open_index(MemoryStore("three"), encoder="palette")
    index.add({"id": color, "image": plain(color)} for color in ("red", "green", "blue"))
    with searching(index, cache, token=Secret(TOKEN), writable=True) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: HttpServer[SearchApp]) -> Iterator[Client]:
    with Client(server.address, TOKEN) as client:
        yield client


class TestClipAsService:
    def test_a_list_of_queries(self, client: Client, tmp_path: Path) -> None:
        """Texts, paths, bytes and documents in a list give a list of hits; a text is never a path."""
        (tmp_path / "blue.png").write_bytes(png("blue"))
        queries = [
            "red",
            tmp_path / "blue.png",
            png("green"),
            Document(text="red"),
            Document(blob=png("blue")),
        ]
        results = client.search(queries, limit=2)
        assert [[len(hits), hits[0].id] for hits in results] == [
            [2, color] for color in ("red", "blue", "green", "red", "blue")
        ]
        assert client.search("something red", limit=1)[0].id == "red"
        assert [hits[0].id for hits in client.search(f"{color}.png" for color in ("red", "blue"))] == [
            "red",
            "blue",
        ]
        assert len(client.search([Query("red", k=3)], limit=1)[0]) == 1

    def test_encode(self, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Texts and pictures become rows in order; a bad one is a row of NaN, and told."""
        rejected: list[esclip.Rejection] = []
        inputs: list[Any] = [
            "red",
            plain("red"),
            b"no picture",
            tmp_path / "gone.png",
            " ",
            Document(text="blue"),
            "x" * 9999,
        ]
        rows = client.encode(inputs, on_rejection=rejected.append)
        assert rows.dtype == np.float32
        assert rows.shape == (7, 12)
        assert np.isnan(rows).all(axis=1).tolist() == [False, False, True, True, True, False, True]
        assert rows[0] @ rows[1] > 0.9 > 0.1 > rows[0] @ rows[5]
        assert sorted(one.reason.value for one in rejected) == [
            "bad_row",
            "bad_row",
            "file_not_found",
            "not_an_image",
        ]
        assert client.encode([]).shape == (0, 12)
        assert client.encode(text for text in ["red"] * 100).shape == (100, 12)
        embedder = Embedder(client._connection, "another-model", 12, rejected.append)
        with pytest.raises(esclip.ConfigError, match="it has palette"):
            list(embedder.encode(["red", "blue"]))
        with caplog.at_level(logging.WARNING):
            client.encode(["red", b""])
        assert "1 of 2 inputs can't be encoded" in caplog.text

    def test_index_texts_and_pictures(self, cache: Path, tmp_path: Path) -> None:
        """Documents of texts, files, bytes and data URIs are written; a bad one keeps none away."""
        (tmp_path / "apple.png").write_bytes(png("red"))
        uri = f"data:image/png;base64,{base64.b64encode(png('blue')).decode()}"
        rejected: list[esclip.Rejection] = []
        index = esclip.open_index(MemoryStore("seeds"), encoder="palette")
        with searching(index, cache, writable=True) as server, Client(server.address) as client:
            report = client.index(
                [
                    Document(text="she smiled, in a red dress", id="smile"),
                    Document(uri=tmp_path / "apple.png", id="apple", tags={"shop": "oslo"}),
                    Document(uri=uri, id="uri"),
                    Document(blob=png("green"), id="blob", description="a green one"),
                    Document(blob=b"no picture", id="bad"),
                    "a text by itself, about something yellow",
                ],
                on_rejection=rejected.append,
            )
            assert (report.read, report.written, report.rejected) == (6, 5, 1)
            assert [(one.id, one.reason.value) for one in rejected] == [("bad", "not_an_image")]
            assert {"apple", "blob", "smile", "uri"} < set(client)
            assert client.search_text("red", where={"shop": "oslo"}, targets=["pictures"])[0].id == "apple"
            assert client.search_text("red", targets=["texts"])[0].id == "smile"
            hit = client.search_text("green", targets=["pictures"])[0]
            assert (hit.description, hit.location) == ("a green one", "memory:blob")

    def test_a_text_like_a_path_is_told(self, client: Client, caplog: pytest.LogCaptureFixture) -> None:
        """CLIP-as-service would read the picture: what is a text here is said, once a call."""
        client.encode(["something red", "apple.png", "https://example.org/pear.JPG"])
        client.search(["red", "photos/apple.png"], limit=1)
        client.search("a png of something")
        assert [text.partition(" is taken")[0] for text in caplog.messages if "is taken" in text] == [
            "'apple.png'",
            "'photos/apple.png'",
        ]

    def test_stats_name_no_other_server(self, client: Client) -> None:
        """How the service lets a client in is told, not how it is let into a cluster, or where it encodes."""
        assert client.stats().access == "token"
        assert public_runtime("OpenVINO bf16 on cpu, at http://gpu:8081") == "OpenVINO bf16 on cpu"

    def test_rank(self, client: Client) -> None:
        """A picture's texts come back in the order of their probabilities, as classification gives them."""
        texts = ["a photo of something blue", "a photo of something red"]
        (ranked,) = client.rank([Document(blob=png("red"), matches=[Document(text=text) for text in texts])])
        assert [match.text for match in ranked.matches] == texts[::-1]
        assert sum(match.score or 0 for match in ranked.matches) == pytest.approx(1)
        for wrong in (Document(text="red"), Document(blob=png("red")), "red"):
            with pytest.raises(esclip.ConfigError, match="texts as matches"):
                client.rank([wrong])  # type: ignore[list-item]

    def test_classify(self, client: Client, tmp_path: Path) -> None:
        """Pictures and hits are classified as by the library; one that is none is named."""
        (red,) = client.search_text("red", k=1)
        labels = ["red", "blue", "green"]
        results = client.classify(png("blue"), [red, plain("green")], labels=labels)
        assert [scores[0].label for scores in results] == ["blue", "red", "green"]
        assert results[:1] == esclip.classify(png("blue"), labels=labels, encoder="palette")
        (tmp_path / "bad.png").write_bytes(b"no picture")
        with pytest.raises(esclip.DecodeError, match=r"bad\.png"):
            client.classify(tmp_path / "bad.png", labels=labels)
        with pytest.raises(esclip.ConfigError, match="no labels"):
            client.classify(png("blue"), labels=[])

    def test_profile(self, client: Client) -> None:
        """The times of a search as a tree that adds up and prints well."""
        for profile in (client.profile(), client.profile("red"), client.profile(Document(blob=png("red")))):
            assert profile.round_trip >= profile.service >= profile.encode + profile.store
            parts = (profile.network, profile.encode, profile.store, profile.other)
            assert sum(parts) == pytest.approx(profile.round_trip)
        lines = str(profile).splitlines()
        assert [line.split()[1] for line in lines[1:3]] == ["Network", "Service"]
        assert max(map(len, lines)) <= 36
        assert repr(profile) == str(profile)


class TestDocument:
    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"text": "a", "uri": "b"},
            {"text": 5},
            {"uri": 5},
            {"blob": "text"},
            {"text": "a", "tags": {"a": 1}, "metadata": {"b": 2}},
            {"text": "a", "metadata": 5},
            {"text": "a", "matches": ["b"]},
            {"text": "a", "matches": 5},
        ],
    )
    def test_what_is_none(self, wrong: dict[str, Any]) -> None:
        """Exactly one content, of its type; the error says which are taken."""
        with pytest.raises(esclip.ConfigError, match=r"exactly one of|it takes|not both"):
            Document(**wrong)

    def test_shown_and_sent(self) -> None:
        """Bytes aren't shown; it is a value."""
        document = Document(blob=bytearray(b"abc"), id="x", tags={"n": 1})
        assert repr(document) == "Document(blob=<3 bytes>, id='x', metadata={'n': 1})"
        assert document == Document(blob=b"abc", id="x", metadata={"n": 1})
        assert pickle.loads(pickle.dumps(document)) == document


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "told"),
        [
            ("grpc://0.0.0.0:23456", "write http://0.0.0.0:23456"),
            ("grpcs://host:1", "write https://host:1"),
            ("ws://host:1", "write http://host:1"),
            ("127.0.0.1:8080", "write http://127.0.0.1:8080"),
            ("localhost", "write http://localhost"),
            ("ftp://host", "neither http:// nor https://"),
            ("photos", "is no server's"),
            ("http://", "no host"),
            ("http://h/?a=b", "no host, or a"),
            ("http://h:99999", "can't be parsed"),
            ("", "open_index()"),
            (5, "of type int"),
        ],
    )
    def test_what_is_no_address(self, address: Any, told: str) -> None:
        """The error says what to write; nothing is connected to."""
        with pytest.raises(esclip.ConfigError, match=re.escape(told)) as raised:
            Client(address)
        assert "\n" not in str(raised.value)

    def test_other_arguments(self) -> None:
        """Tokens and timeouts that can't be, and credentials beside a token."""
        for token in ("a b", "ü", "", "x\n"):
            with pytest.raises(esclip.ConfigError, match="token has characters"):
                Client("http://h", token)
        with pytest.raises(esclip.ConfigError, match="it takes a text"):
            Client("http://h", b"token")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="timeout is 0"):
            Client("http://h", timeout=0)
        with pytest.raises(esclip.ConfigError, match="not both"):
            Client("http://user:word@h", "token")
        with pytest.raises(TypeError, match="it is address= here"):
            Client(host="http://h")  # type: ignore[call-arg]

    def test_the_token_opens_and_is_not_shown(self, server: HttpServer[SearchApp]) -> None:
        """With the token all works; with another the error says so; no text of either has it."""
        with Client(server.address, TOKEN) as client:
            assert len(client) == 3
            assert TOKEN not in repr(client)
        for token in (None, "another-token"):
            with (
                Client(server.address, token) as client,
                pytest.raises(StoreError, match="wants a token") as raised,
            ):
                client.search("red")
            assert "another-token" not in str(raised.value)

    @pytest.mark.parametrize(
        ("host", "token"), [("me:s3cr3t-word@127.0.0.1:1", None), ("127.0.0.1:1", "s3cr3t-word")]
    )
    def test_no_traceback_shows_a_secret(self, host: str, token: str | None) -> None:
        """Neither the message nor the locals of our frames have the token, or the address's password."""
        client = Client(f"http://{host}", token, timeout=0.2)
        with client, pytest.raises(StoreUnavailable) as raised:
            client.search_text("red")
        assert "s3cr3t-word" not in str(raised.value)
        frames = traceback.StackSummary.extract(traceback.walk_tb(raised.tb), capture_locals=True)
        for frame in list(frames)[1:]:
            assert "s3cr3t-word" not in str(frame.locals), frame

    @pytest.mark.parametrize("code", [200, 400, 401, 500])
    def test_a_server_that_repeats_the_token(self, code: int) -> None:
        """What a server says of the request, in headers or body, is shown without the token."""

        def repeat(exchange: Any) -> None:
            said = json.dumps({"type": "/problems/bad-query", "detail": str(exchange.headers)}).encode()
            kind = "application/problem+json"
            exchange.head(
                code, Content_Type=kind, Content_Length=len(said), X_Said=exchange.headers["Authorization"]
            )
            exchange.wfile.write(said)

        with (
            PictureServer({"/v1/search": repeat}) as server,
            Client(server.url(""), TOKEN) as client,
            pytest.raises(esclip.EsclipError) as raised,
        ):
            client.search("red")
        frames = traceback.StackSummary.extract(traceback.walk_tb(raised.tb), capture_locals=True)
        assert TOKEN not in str(raised.value)
        assert not any(TOKEN in str(frame.locals) for frame in list(frames)[1:])

    def test_a_closed_client(self, server: HttpServer[SearchApp]) -> None:
        """Each call says that it is closed; to close twice is fine."""
        client = Client(server.address, TOKEN)
        client.close()
        client.close()
        calls: list[Callable[[], object]] = [lambda: client.search("red"), lambda: len(client), client.stats]
        for call in calls:
            with pytest.raises(esclip.ConfigError, match="the client is closed"):
                call()


def test_a_read_only_service(cache: Path) -> None:
    """Writing is refused with what to do about it; names of other tools are answered with ours."""
    index = esclip.open_index(MemoryStore("read-only"), encoder="palette")
    index.add({"id": "red", "image": plain("red")})
    with searching(index, cache) as server, Client(server.address) as client:
        for write in (lambda: client.add(plain("blue")), lambda: client.delete("red")):
            with pytest.raises(StoreError, match="read-only; it has to be started as a writable one"):
                write()
        with pytest.raises(AttributeError, match=r"it is search\(\) here"):
            client.query  # type: ignore[attr-defined]  # noqa: B018
        with pytest.raises(TypeError, match=r"Client.search_text\(\) has no argument top_k=; it is k= here"):
            client.search_text("red", top_k=3)  # type: ignore[call-arg]


def test_where_paths_are_not_shown_hits_point_to_the_service(cache: Path, tmp_path: Path) -> None:
    """A local file's location is the picture at the service, which can be fetched there."""
    (tmp_path / "red.png").write_bytes(png("red"))
    index = esclip.open_index(MemoryStore("hidden"), encoder="palette")
    index.ingest(tmp_path / "red.png")
    with searching(index, cache) as server, Client(server.address) as client:
        (hit,) = client.search_text("red")
        assert hit.location.startswith(f"{server.address}/pictures/")
        assert ask(server, "GET", hit.location.removeprefix(server.address)).body[:2] == b"\xff\xd8"
        assert client.get(hit)[0].record.location == hit.location


@pytest.fixture(scope="module")
def answers(server: HttpServer[SearchApp]) -> dict[str, Any]:
    """What a service answers, by path."""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    wanted = {"parts": [{"text": "red"}], "k": 2, "explain": True}
    return {
        "/v1/search": ask(server, "POST", "/v1/search", wanted, bearer).json,
        "/v1/index": ask(server, "GET", "/v1/index", None, bearer).json,
        "/v1/documents": ask(server, "GET", "/v1/documents?ids=red&vectors=true", None, bearer).json,
        "/v1/ids": ask(server, "GET", "/v1/ids", None, bearer).json,
        "/v1/facets": ask(server, "GET", "/v1/facets", None, bearer).json,
    }


CALLS: dict[str, Callable[[Client], object]] = {
    "/v1/search": lambda client: client.search("red"),
    "/v1/index": lambda client: client.stats(),
    "/v1/documents": lambda client: client.get("red").to_dicts(vectors=True),
    "/v1/ids": lambda client: list(client.ids()),
    "/v1/facets": lambda client: client.facets(),
}


def as_json(answer: Any, code: int = 200, kind: str = "application/json") -> Route:
    """A route that answers with JSON."""

    def respond(exchange: Any) -> None:
        data = json.dumps(answer).encode()
        exchange.head(code, Content_Type=kind, Content_Length=len(data))
        exchange.wfile.write(data)

    return respond


def as_problem(problem: Any, code: int) -> Route:
    """A route that answers with a problem."""
    return as_json(problem, code, "application/problem+json")


@pytest.mark.parametrize("path", CALLS)
def test_answers_of_other_shapes(answers: dict[str, Any], path: str) -> None:
    """Whatever stands in an answer, its values are checked: another is one line, and no error of Python's."""
    given: list[Any] = []
    routes = {one: as_json(answer) for one, answer in answers.items()}
    routes[path] = lambda exchange: as_json(given[0])(exchange)
    with PictureServer(routes) as odd, Client(odd.url(""), timeout=5) as client:
        told = 0
        for variant in variants(answers[path]):
            given[:] = [variant]
            with suppress(StoreError):
                CALLS[path](client)
                told -= 1
            told += 1
        assert told > 3


HOSTILE: list[tuple[str, Route, str]] = [
    ("HTML", body(b"<html>no service</html>", Content_Type="text/html"), "no esclip search service"),
    ("a page in place of a problem", status(404), "no esclip search service .*it answers 404"),
    ("truncated JSON", body(b'{"hits": ['), "no esclip search service"),
    ("no UTF-8", body(b"\xff\xfe"), "no esclip search service"),
    ("nested", body(b"[" * 100_000), "no esclip search service"),
    ("an array", body(b"[]"), "no esclip search service"),
    ("empty", body(b""), "no esclip search service"),
    ("a redirect", redirect("http://169.254.169.254/"), "no esclip search service .*it answers 302"),
    (
        "a problem of another kind",
        as_json({"type": "about:blank"}, 400, "application/problem+json"),
        "it answers 400",
    ),
    ("a problem that is none", as_json([1], 422, "application/problem+json"), "it answers 422"),
    (
        "a problem with escapes",
        as_json({"type": "/problems/nope", "title": "\x1b[2J\n" * 999}, 400, "application/problem+json"),
        "refused a request",
    ),
    ("cut off", cut_off(b"x" * 100, 10), "broke the connection|did not answer|no esclip"),
    ("hung up", hang_up, "broke the connection|no esclip|can't be reached"),
    ("no HTTP", raw(b"SSH-2.0-OpenSSH\r\n"), "broke the connection|did not answer"),
    ("too busy", status(503), "too busy or not ready"),
    ("slow", drip(b"x" * 1000, 0.05), "did not answer in time|broke the connection"),
]


@pytest.mark.parametrize(("route", "told"), [one[1:] for one in HOSTILE], ids=[one[0] for one in HOSTILE])
def test_servers_that_are_none(route: Route, told: str) -> None:
    """What is no search service is one clear line within the timeout, whatever it sends."""
    with PictureServer({"/v1/search": route}) as other, Client(other.url(""), timeout=1) as client:
        began = time.monotonic()
        with pytest.raises(StoreError, match=told) as raised:
            client.search("red")
        assert time.monotonic() - began < 4
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 1500


def test_an_endless_answer_is_cut() -> None:
    """No more than the longest answer is held in memory."""
    with (
        PictureServer({"/v1/search": endless(b"x" * (1 << 20))}) as other,
        Client(other.url("")) as client,
        pytest.raises(StoreError, match="sends more than"),
    ):
        client.search("red")


def test_a_service_that_was_busy(answers: dict[str, Any]) -> None:
    """A request is sent again after what a busy service asks for; what is refused for good is not."""
    busy = as_problem({"type": "/problems/overloaded", "title": "x"}, 503)
    routes = {
        "/v1/search": in_turn(busy, status(502), as_json(answers["/v1/search"])),
        "/v1/index": as_json(answers["/v1/index"]),
        "/v1/ids": as_problem({"type": "/problems/bad-query", "detail": "no"}, 422),
    }
    with PictureServer(routes) as server, Client(server.url("")) as client:
        assert client.search("red")[0].id == "red"
        assert server.requests["/v1/search"] == 3
        with pytest.raises(esclip.ConfigError, match=r"^no$"):
            list(client.ids())
        assert server.requests["/v1/ids"] == 1


def test_a_service_that_is_away() -> None:
    """No connection is told soon; a store that does not answer is told as the library tells it."""
    began = time.monotonic()
    with (
        Client("http://127.0.0.1:1") as client,
        pytest.raises(StoreUnavailable, match=r"can't be reached .*esclip serve"),
    ):
        client.search("red")
    assert time.monotonic() - began < 5
    with Client("http://127.0.0.1:1", timeout=0.5) as client:
        assert "/v1" not in repr(client)


def test_a_client_loads_little() -> None:
    """It needs neither a model's library nor a server's, and `import esclip` nothing of it."""
    program = (
        "import sys, esclip; assert not {'requests', 'numpy'} & sys.modules.keys(); esclip.Client;"
        "esclip.Document(text='x'); heavy = {'torch', 'fastapi', 'pydantic', 'lance', 'pandas', 'openvino'};"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
