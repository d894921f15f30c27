"""Writing over HTTP: streams of documents, single ones, deletions; and that nothing names a file."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from http.client import HTTPResponse
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

import esclip
from esclip import ImageIndex
from esclip._core.settings import picture_cache
from esclip._fetch.cache import PictureCache
from esclip._server.body_lines import BodyLines
from esclip._server.document_messages import MAX_LINE
from esclip._server.http import Limits
from esclip._server.http_server import HttpServer
from esclip._server.replies import IN_MEMORY, Replies
from esclip._server.search_app import SearchApp
from tests.plain_pictures import png
from tests.search_servers import Answer, ask, searching

NDJSON = {"Content-Type": "application/x-ndjson"}
COLORS = ("red", "green", "blue", "yellow")


def line_of(color: str, **more: Any) -> dict[str, Any]:
    return {"id": color, "image": base64.b64encode(png(color)).decode(), **more}


def body_of(lines: Sequence[Any]) -> bytes:
    """The body of a stream; bytes among the lines are sent as they are."""
    return b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)


class Replied:
    """The response to a stream, whose counts are checked."""

    def __init__(self, status: int, body: bytes) -> None:
        *told, last = map(json.loads, body.splitlines())
        assert status == 200
        self.report = last["report"]
        self.problem = told.pop()["problem"]["type"] if told and "problem" in told[-1] else None
        self.lines = {one["line"]: one for one in told}
        self.results = {number: one["result"] for number, one in sorted(self.lines.items())}
        assert len(self.lines) == len(told)
        for result in ("written", "updated", "unchanged", "rejected"):
            assert self.report[result] == [*self.results.values()].count(result)
        assert self.report["read"] == len(told)
        assert sum(self.report["rejections"].values()) == self.report["rejected"]


def stream(server: HttpServer[SearchApp], lines: Sequence[Any], parameters: str = "") -> Replied:
    """The response to a stream that is sent whole before anything of it is read."""
    answer = ask(server, "POST", f"/v1/documents{parameters}", body_of(lines), NDJSON)
    return Replied(answer.status, answer.body)


class Upload:
    """A stream that a test sends piece by piece."""

    def __init__(self, server: HttpServer[SearchApp]) -> None:
        host, _, port = server.address.removeprefix("http://").rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.sendall(
            b"POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )

    def send(self, data: bytes) -> None:
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.socket.sendall(b"0\r\n\r\n")

    def read(self) -> Replied:
        """What is replied, to its end."""
        response = HTTPResponse(self.socket, method="POST")
        response.begin()
        try:
            return Replied(response.status, response.read())
        finally:
            self.socket.close()


def is_held(server: HttpServer[SearchApp], id: str) -> bool:
    return ask(server, "GET", f"/v1/documents/{id}").status == 200


def wait_until_held(server: HttpServer[SearchApp], id: str) -> None:
    deadline = time.monotonic() + 30
    while not is_held(server, id):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def documents_of(index: ImageIndex) -> list[Any]:
    return [(one.record, one.content, one.vector.tolist()) for one in index.get(list(index))]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer[SearchApp]]:
    """A service that writes to an index that doesn't exist yet."""
    with serving(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer[SearchApp]]:
    """The same for many tests, of which none writes."""
    with serving(tmp_path_factory.mktemp("empty")) as server:
        yield server


def serving(folder: Path, **options: Any) -> Any:
    index = esclip.open_index(folder / "store", encoder="palette")
    return searching(index, folder / "cache", writable=True, **options)


class TestStream:
    def test_it_is_the_door_of_the_library(self, server: HttpServer[SearchApp], tmp_path: Path) -> None:
        """The index is as `add` would have made it; the same again writes nothing, metadata is updated."""
        lines = [
            line_of(color, metadata={"n": n, "tags": [color], "at": {"lat": 1.5, "lon": 2}}, description="a")
            for n, color in enumerate(COLORS)
        ]
        assert ask(server, "GET", "/readyz").status == 200  # to be written to
        first, second = stream(server, lines), stream(server, lines)
        assert (first.report["written"], first.report["stopped"]) == (4, False)
        assert (second.report["unchanged"], second.report["written"]) == (4, 0)
        changed = stream(server, [lines[0] | {"description": "b"}, *lines[1:]])
        assert changed.results == {1: "updated", 2: "unchanged", 3: "unchanged", 4: "unchanged"}
        stream(server, lines)
        with esclip.open_index(tmp_path / "other", encoder="palette") as other:
            other.add(
                {"id": one["id"], "image": png(one["id"]), "description": "a", **one["metadata"]}
                for one in lines
            )
            expected = documents_of(other)
        with esclip.open_index(tmp_path / "store") as index:
            assert documents_of(index) == expected

    def test_bad_lines_reject_themselves(self, server: HttpServer[SearchApp]) -> None:
        """Each bad line is answered by its number and reason, and none of the good ones is lost."""
        red, twice = json.dumps(line_of("red")).encode(), json.dumps(line_of("green")).encode()
        lines: list[Any] = [
            b"\xef\xbb\xbf" + red + b"\r\n",  # as Windows writes it
            b"\n  \r\n",
            twice + twice + b"\n",
            b"{\n",
            b"\xff\xfe\n",
            b"[]\n",
            {"image": "%%"},
            {"id": "red", "image": ""},
            {"id": "", "image": line_of("red")["image"]},
            {"id": "a\x00b", "image": line_of("red")["image"]},
            {"id": 7, "image": line_of("red")["image"]},
            {"id": "x", "imagee": ""},
            {"id": "x", "metadata": {"text": "red"}},
            {"id": "y", "image": base64.b64encode(b"<svg/>").decode()},
            {"id": "z", "image": line_of("red")["image"], "metadata": {"n": {"deep": 1}}},
            {"image": line_of("red")["image"], "metadata": {"path": "/etc/passwd"}},
            *(line_of("red", metadata={name: 1}) for name in ("vector", "", "a.b", "_a", "n" * 201)),
            b"\x00\n",
            json.dumps(line_of("blue")).encode(),  # without an end
        ]
        replied = stream(server, lines)
        written = [number for number, result in replied.results.items() if result == "written"]
        assert written == [1, 24]
        assert replied.results[9] == "unchanged"
        assert "earlier line" in replied.lines[9]["detail"]
        assert replied.report["rejected"] == len(replied.lines) - 3 == 19
        assert {2, 3}.isdisjoint(replied.lines)
        reasons = {number: one.get("reason") for number, one in replied.lines.items()}
        assert {reasons[n] for n in (4, 5, 6, 7, 8)} == {"bad_row"}
        assert {reasons[n] for n in (10, 11)} == {"bad_id"}
        assert "unexpected content after document" in replied.lines[4]["detail"]
        assert replied.lines[13] | {"detail": ""} == {
            "line": 13, "id": "x", "result": "rejected", "reason": "bad_row", "detail": "",
        }  # fmt: skip
        assert reasons[15] == "not_an_image"

    def test_replies_come_while_it_goes(self, server: HttpServer[SearchApp]) -> None:
        """The response begins before the request has ended, and a client may read meanwhile."""
        upload = Upload(server)
        upload.send(b"{}\n" * 1200)
        assert b"200 OK" in upload.socket.recv(15, socket.MSG_PEEK)
        upload.send(body_of([line_of("red")]))
        upload.end()
        assert upload.read().results[1201] == "written"

    def test_a_long_line_is_passed_over(self, server: HttpServer[SearchApp]) -> None:
        """A line above the limit is rejected without being kept, and the next one is written."""
        replied = stream(server, [b"x" * (MAX_LINE + 1) + b"\n", line_of("red")])
        assert replied.results == {1: "rejected", 2: "written"}
        assert replied.lines[1]["reason"] == "too_large"

    def test_a_client_that_goes_away(self, server: HttpServer[SearchApp]) -> None:
        """What came in whole lines is written, half a line is not; the same again completes it."""
        upload = Upload(server)
        lines = list(map(line_of, COLORS))
        upload.send(body_of([*lines[:2], b"{}\n" * 1200, *lines[2:3]])[:-1])
        assert upload.socket.recv(1)  # so all that is sent has come
        upload.socket.close()
        wait_until_held(server, "green")
        assert not is_held(server, "blue")
        deadline = time.monotonic() + 30
        while (answer := ask(server, "POST", "/v1/documents", body_of(lines), NDJSON)).status == 503:
            assert time.monotonic() < deadline
        assert Replied(answer.status, answer.body).results == {
            1: "unchanged", 2: "unchanged", 3: "written", 4: "written",
        }  # fmt: skip

    def test_a_client_that_stops_sending(self, tmp_path: Path) -> None:
        """After its time a silent client gets a problem and the report; what it sent is written."""
        with serving(tmp_path, limits=Limits(chunk_seconds=0.3)) as server:
            upload = Upload(server)
            upload.send(body_of([line_of("red"), line_of("green")])[:-1])
            replied = upload.read()
            assert (replied.results, replied.report["stopped"]) == ({1: "written"}, True)
            assert replied.problem == "/problems/request-timeout"

    def test_one_at_a_time(self, server: HttpServer[SearchApp]) -> None:
        """A second stream is told to come again; single documents and searches are answered meanwhile."""
        stream(server, [line_of("red")])
        upload = Upload(server)
        upload.send(body_of([line_of("green")]))
        while not server.app.service.streams.are_full:
            time.sleep(0.01)  # the first has not been read yet
        answer = ask(server, "POST", "/v1/documents", b"", NDJSON)
        assert (answer.problem, answer.headers["Retry-After"]) == ("overloaded", "1")
        assert (
            ask(server, "PUT", "/v1/documents/blue", png("blue"), {"Content-Type": "image/png"}).status == 200
        )
        assert ask(server, "GET", "/v1/search?q=blue&k=1").json["hits"][0]["id"] == "blue"
        upload.end()
        assert upload.read().results == {1: "written"}
        assert stream(server, []).report["read"] == 0

    def test_a_stop_ends_it_with_a_report(self, tmp_path: Path) -> None:
        """When the server is stopped, a client in the middle of a stream is told how far it came."""
        with serving(tmp_path) as server:
            upload = Upload(server)
            upload.send(b"{}\n" * 1200)
            assert upload.socket.recv(1, socket.MSG_PEEK)
            began = time.monotonic()
            server.stop()
            replied = upload.read()
            assert replied.report["stopped"]
            assert time.monotonic() - began < 20

    def test_texts(self, server: HttpServer[SearchApp]) -> None:
        """A text is a document beside the pictures: written, found, updated and deleted like them."""
        lines = [line_of("red"), {"id": "t", "text": "something blue", "metadata": {"n": 1}}]
        assert stream(server, lines).results == {1: "written", 2: "written"}
        assert stream(server, lines).results == {1: "unchanged", 2: "unchanged"}
        body = {"text": "something blue", "metadata": {"n": 2}}
        assert ask(server, "PUT", "/v1/documents/t", body).json == {"id": "t", "result": "updated"}
        assert ask(server, "GET", "/v1/documents/t").json["description"] == "something blue"
        refused = [{"text": ""}, {"text": "a", "description": "b"}, {"text": "a", "image": ""}]
        assert {*stream(server, refused).results.values()} == {"rejected"}
        assert ask(server, "DELETE", "/v1/documents/t").json == {"deleted": 1}

    def test_what_a_stream_is_not(self, empty: HttpServer[SearchApp]) -> None:
        """Other types and options are refused before a line is read, and nothing is written."""
        body = body_of([line_of("red")])
        for headers, parameters, problem in (
            ({"Content-Type": "application/json"}, "", "unsupported-type"),
            ({}, "", "unsupported-type"),
            (NDJSON | {"Content-Encoding": "gzip"}, "", "unsupported-type"),
            (NDJSON, "?fields=%5B%5D", "bad-query"),
            (NDJSON, "?fields=%7B%22a%22%3A%22nothing%22%7D", "bad-query"),
            (NDJSON, "?parts=faces", "bad-query"),
            (NDJSON, "?labels=", "bad-query"),
            (NDJSON, "?cache=x", "bad-query"),
        ):
            assert ask(empty, "POST", f"/v1/documents{parameters}", body, headers).problem == problem
        assert ask(empty, "GET", "/v1/search?q=red").problem == "index-not-found"

    def test_options_of_the_library(self, server: HttpServer[SearchApp]) -> None:
        """Types of fields, labels and parts are those of `add`."""
        options = [("fields", '{"taken": "date"}'), ("labels", "red"), ("labels", "blue"), ("parts", "crops")]
        stream(server, [line_of("red", metadata={"taken": "2020-05-01"})], f"?{urlencode(options)}")
        about = ask(server, "GET", "/v1/index").json
        assert {"name": "taken", "type": "date"} in about["fields"]
        assert (about["labels"], about["targets"]) == (["red", "blue"], ["pictures", "crops"])
        assert (about["writable"], about["limits"]["line_bytes"]) == (True, MAX_LINE)


class TestUrls:
    def test_only_of_hosts_that_are_allowed(self, tmp_path: Path) -> None:
        """A picture is fetched from an allowed host; no other gets a connection, nor one in this network."""
        url = "https://pictures.example.org/red.png"
        PictureCache(picture_cache()).put(url, png("red"))
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        private = [
            f"http://{host}:{port}/x.png"
            for host in ("localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0177.0.0.1")
        ]
        hosts = ("pictures.example.org", *(host.split("/")[2] for host in private))
        with serving(tmp_path, picture_hosts=hosts) as server:
            replied = stream(server, [{"url": url}, *({"url": one} for one in private)])
            assert replied.results == {1: "written"} | dict.fromkeys(range(2, 8), "rejected")
        with serving(tmp_path) as server:
            replied = stream(server, [{"url": one} for one in private])
            assert {one["reason"] for one in replied.lines.values()} == {"bad_url"}
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.close()

    def test_beside_a_picture_it_is_kept(self, server: HttpServer[SearchApp]) -> None:
        """With the picture's bytes the URL is where it is said to be, and isn't fetched."""
        stream(server, [line_of("red", url="https://example.org/red.png", page="https://example.org/")])
        read = ask(server, "GET", "/v1/documents/red").json
        assert (read["location"], read["page"]) == ("https://example.org/red.png", "https://example.org/")


class TestOneDocument:
    def test_a_picture_as_the_body(self, server: HttpServer[SearchApp]) -> None:
        """PUT writes a picture with what its parameters say; another replaces it, the same writes nothing."""
        path = f"/v1/documents/{quote('a/b c', safe='')}"
        known = urlencode({"metadata": '{"n": 7}', "description": "one"})
        put = [
            ask(server, "PUT", f"{path}?{known}", png(color), {"Content-Type": "image/png"}).json
            for color in ("red", "red", "blue")
        ]
        assert [one["result"] for one in put] == ["written", "unchanged", "written"]
        read = ask(server, "GET", path).json
        assert (read["id"], read["metadata"]["n"], read["description"]) == ("a/b c", 7, "one")
        assert ask(server, "GET", "/v1/search?q=blue&k=1").json["hits"][0]["id"] == "a/b c"
        assert ask(server, "DELETE", path).json == {"deleted": 1}
        assert ask(server, "DELETE", path).problem == "unknown-document"

    def test_ids_that_look_like_other_paths(self, server: HttpServer[SearchApp]) -> None:
        """An id may be what another route's path ends in, or have a percent sign in it."""
        for id in ("a/similar", "a%2Fsimilar", "100 %", "../a"):
            path = f"/v1/documents/{quote(id, safe='')}"
            assert ask(server, "PUT", path, {"text": "red"}).json == {"id": id, "result": "written"}
            assert ask(server, "GET", path).json["id"] == id
            assert ask(server, "GET", f"{path}/similar?k=1").status == 200
        for method in ("PUT", "DELETE"):  # a path is of one document, whatever the method
            answer = ask(server, method, "/v1/documents/a/similar", {"text": "red"})
            assert (answer.problem, answer.headers["Allow"]) == ("method-not-allowed", "GET")
        assert ask(server, "GET", "/v1/documents/a%2Fsimilar").json["kind"] == "text"

    def test_json_as_the_body(self, server: HttpServer[SearchApp]) -> None:
        """The same as JSON; other metadata alone is an update."""
        body = {"image": base64.b64encode(png("red")).decode(), "metadata": {"n": 1}}
        assert ask(server, "PUT", "/v1/documents/r", body).json == {"id": "r", "result": "written"}
        body["metadata"] = {"n": 2}
        assert ask(server, "PUT", "/v1/documents/r", body).json["result"] == "updated"
        assert 'esclip_documents_total{result="updated"} 1.0' in ask(server, "GET", "/metrics").body.decode()

    @pytest.mark.parametrize(
        ("path", "body", "problem"),
        [
            ("r", b"<svg/>", "bad-picture"),
            ("r", b"", "bad-picture"),
            ("%00", b"x", "bad-query"),
            ("%20", b"x", "bad-query"),
            ("x" * 600, b"x", "bad-query"),
            ("r?metadata=%5B%5D", b"x", "bad-query"),
            ("r?metadata=%7B%22path%22%3A%22%2Fetc%2Fpasswd%22%7D", b"x", "bad-query"),
            ("r?path=/etc/passwd", b"x", "bad-query"),
            ("r?url=file:///etc/passwd", b"x", "bad-query"),
            ("r?page=javascript:alert(1)", b"x", "bad-query"),
            ("r", b"x" * (20 << 20) + b"x", "too-large"),
            ("r", {"image": "%%"}, "bad-query"),
            ("r?description=a", {"image": ""}, "bad-query"),
            ("r", {}, "bad-query"),
            ("r", {"url": "http://127.0.0.1/x"}, "picture-not-fetched"),
            ("r", {"id": "s", "image": ""}, "bad-query"),
            ("r", [], "bad-query"),
        ],
    )
    def test_what_is_wrong(self, empty: HttpServer[SearchApp], path: str, body: Any, problem: str) -> None:
        """Each wrong document gets its problem, and nothing is written."""
        headers = {"Content-Type": "image/png"} if isinstance(body, bytes) else {}
        assert ask(empty, "PUT", f"/v1/documents/{path}", body, headers).problem == problem
        assert ask(empty, "GET", "/v1/search?q=red").problem == "index-not-found"


class TestDeletion:
    def test_by_a_filter_or_ids(self, server: HttpServer[SearchApp]) -> None:
        """No more is deleted than is said to be meant; ids and a filter together delete what both leave."""
        stream(server, [line_of(color, metadata={"n": n}) for n, color in enumerate(COLORS)])

        def delete(**parameters: Any) -> Answer:
            return ask(server, "DELETE", f"/v1/documents?{urlencode(parameters, doseq=True)}")

        refused = delete(where="n>=1", max_documents=2)
        assert (refused.problem, refused.json["errors"][0]["pointer"]) == ("bad-query", "/max_documents")
        assert "3 documents" in refused.json["detail"]
        assert delete(where="n>=1").problem == "bad-query"
        assert delete(max_documents=9).problem == "bad-query"
        assert delete(where="nn>=1", max_documents=9).problem == "unknown-field"
        assert delete(id="nobody", max_documents=9).problem == "unknown-document"
        assert delete(id=["green", "blue"], where="n>=2", max_documents=9).json == {"deleted": 1}
        assert delete(where="n>=1", max_documents=2).json == {"deleted": 2}
        assert delete(id="red", max_documents=1).json == {"deleted": 1}


class TestSafety:
    def test_nothing_is_written_unless_it_is_allowed(self, tmp_path: Path) -> None:
        """Without the operator's leave every route that writes is refused, whatever else is wrong with it."""
        with searching(esclip.open_index(tmp_path / "store"), tmp_path / "cache") as server:
            for method, path in (
                ("POST", "/v1/documents"),
                ("POST", "/v1/documents?nope=1"),
                ("PUT", "/v1/documents/x"),
                ("DELETE", "/v1/documents/x"),
                ("DELETE", "/v1/documents"),
            ):
                answer = ask(server, method, path, body_of([line_of("red")]), NDJSON)
                assert (answer.status, answer.problem) == (403, "read-only")

    def test_no_field_of_a_request_is_opened(self, server: HttpServer[SearchApp], tmp_path: Path) -> None:
        """Wherever a client names a file, the file is not opened."""
        canary = tmp_path / "canary.png"
        canary.write_bytes(png("red"))
        named = [str(canary), canary.as_uri(), f"memory:x/../../..{canary}"]
        opened: list[Any] = []
        watching = True

        def watch(event: str, args: tuple[Any, ...]) -> None:
            if watching and event == "open" and "canary" in str(args[0]):
                opened.append(args[0])

        sys.addaudithook(watch)
        lines: list[Any] = []
        for name in named:
            lines += [{key: name} for key in ("image", "url", "path", "location", "id", "page")]
            lines += [{"image": {"path": name}}, {"image": line_of("red")["image"], "id": name}]
            lines += [{"metadata": {key: name}} for key in ("image", "path", "url", "location")]
        try:
            replied = stream(server, lines)
            for name in named:
                ask(server, "GET", f"/pictures/{quote(name, safe='')}")
                ask(server, "PUT", f"/v1/documents/{quote(name, safe='')}", {"url": name})
                ask(server, "POST", f"/v1/documents?labels={quote(name)}", body_of([line_of("red")]), NDJSON)
        finally:
            watching = False
        assert replied.report["rejected"] == len(lines) - len(named)
        assert opened == []


def test_the_description_of_what_is_sent_and_replied(empty: HttpServer[SearchApp]) -> None:
    """OpenAPI has the objects of both streams whole, as NDJSON and as nothing else."""
    paths = ask(empty, "GET", "/openapi.json").json["paths"]
    operation = paths["/v1/documents"]["post"]
    sent, replied = operation["requestBody"]["content"], operation["responses"]["200"]["content"]
    assert [*sent] == [*replied] == ["application/x-ndjson"]
    assert {"id", "image", "url", "text", "metadata"} <= sent["application/x-ndjson"]["schema"][
        "properties"
    ].keys()
    line, end = replied["application/x-ndjson"]["schema"]["anyOf"]
    assert line["properties"]["result"]["enum"] == ["written", "updated", "unchanged", "rejected"]
    assert "updated" in end["properties"]["report"]["anyOf"][0]["properties"]
    names = {one["name"] for one in paths["/v1/documents/{id}"]["put"]["parameters"]}
    assert names == {"id", "url", "page", "description", "metadata"}


def lines_of(chunks: Sequence[bytes], *, most: int = 8, end: bytes | None = b"") -> list[bytes | None]:
    """The lines of a body that comes in these chunks; with `end` None its client goes away."""
    last = {"type": "http.disconnect"} if end is None else {"type": "http.request", "body": end}
    messages = iter([*({"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks), last])

    async def receive() -> Any:
        return next(messages)

    async def read() -> list[bytes | None]:
        lines = BodyLines(receive, max_line=most, seconds=60, ready=lambda: asyncio.sleep(0))
        return await asyncio.to_thread(lambda: [*lines.read()])

    return asyncio.run(read())


def test_lines_do_not_depend_on_how_they_come() -> None:
    """Wherever a body is cut, its lines are the same, too long ones are known, and half a line is none."""
    chance = random.Random(7)
    for _ in range(40):
        lines = [b"x" * chance.choice([0, 1, 3, 8, 9, 40]) for _ in range(chance.randint(1, 9))]
        body = b"\n".join(lines)
        cuts = sorted(chance.choices(range(len(body) + 1), k=chance.randint(0, 9)))
        chunks = [body[start:stop] for start, stop in pairwise([0, *cuts, len(body)])]
        expected = [line if len(line) <= 8 else None for line in lines]
        assert lines_of(chunks, end=None) == expected[:-1]
        assert lines_of(chunks) == (expected if lines[-1] else expected[:-1])


def test_replies_are_kept_until_they_are_read() -> None:
    """What is not read at once comes in order, also where it is more than is kept in memory."""

    async def exchange() -> bytes:
        replies = Replies()
        sent = [b"%0255d\n" % number for number in range(2 * IN_MEMORY // 256)]
        for line in sent[:-1]:
            replies.write(line)
        read = [await replies.read()]
        await asyncio.to_thread(replies.write, sent[-1])
        replies.end()
        while data := await replies.read():
            read.append(data)
        replies.close()
        replies.write(b"nobody reads it")
        assert b"".join(read) == b"".join(sent)
        return read[0]

    assert len(asyncio.run(exchange())) < IN_MEMORY
