"""Pictures that requests name by URL come from the public web, or not at all, and it is not said why."""

from __future__ import annotations

import errno
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import esclip
from esclip._server.problems import Problem, ProblemType
from esclip._server.search_messages import MAX_PICTURE_BYTES, MAX_URLS
from esclip._server.url_fetcher import UrlFetcher
from tests.audit import watching
from tests.fetching import Names
from tests.plain_pictures import png
from tests.search_servers import ask, searching
from tests.servers import PictureServer, body, certificate, drip, endless, redirect, status

WAYS_IN = [
    "http://127.0.0.1:{port}/a.png",
    "HTTP://127.0.0.1:{port}/a.png",
    "http://127.1:{port}/a.png",
    "http://127.0.1:{port}/a.png",
    "http://2130706433:{port}/a.png",
    "http://017700000001:{port}/a.png",
    "http://0177.0.0.1:{port}/a.png",
    "http://0x7f000001:{port}/a.png",
    "http://0x7f.0x0.0x0.0x1:{port}/a.png",
    "http://0X7F.1:{port}/a.png",
    "http://127.0.0.1.:{port}/a.png",
    "http://127.255.255.254:{port}/a.png",
    "http://0:{port}/a.png",
    "http://0.0.0.0:{port}/a.png",
    "http://[::]:{port}/a.png",
    "http://[::1]:{port}/a.png",
    "http://[0:0:0:0:0:0:0:1]:{port}/a.png",
    "http://[::127.0.0.1]:{port}/a.png",
    "http://[::ffff:127.0.0.1]:{port}/a.png",
    "http://[::ffff:7f00:1]:{port}/a.png",
    "http://[::FFFF:0.0.0.0]:{port}/a.png",
    "http://[64:ff9b::7f00:1]:{port}/a.png",
    "http://[2002:7f00:1::]:{port}/a.png",
    "http://[fe80::1%25lo]:{port}/a.png",
    "http://localhost:{port}/a.png",
    "http://LOCALHOST.:{port}/a.png",
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:{port}/a.png",
    "http://127\u30020\u30020\u30021:{port}/a.png",
    "http://user@127.0.0.1:{port}/a.png",
    "http://user:word@127.0.0.1:{port}/a.png",
    "http://pictures.example@127.0.0.1:{port}/a.png",
    "http://pictures.example%40127.0.0.1:{port}/a.png",
    "http://pictures.example\\@127.0.0.1:{port}/a.png",
    "http://127.0.0.1:{port}\\@pictures.example/a.png",
    "http://127.0.0.1:{port}%23@pictures.example/a.png",
    " http://127.0.0.1:{port}/a.png",
    "http://127.0.0.1\t:{port}/a.png",
    "http:127.0.0.1:{port}/a.png",
    "http:/127.0.0.1:{port}/a.png",
    "http:///127.0.0.1:{port}/a.png",
    "//127.0.0.1:{port}/a.png",
    "http://169.254.169.254:{port}/latest/meta-data/",
    "http://[::ffff:169.254.169.254]:{port}/",
    "http://0xa9fea9fe:{port}/",
    "http://2852039166:{port}/",
    "http://[fd00:ec2::254]:{port}/",
    "http://100.100.100.200:{port}/",
    "http://10.0.0.1:{port}/",
    "http://192.168.0.1:{port}/",
    "http://[fc00::1]:{port}/",
    "http://224.0.0.1:{port}/",
    "http://255.255.255.255:{port}/",
]
"""How an address inside is written so that a check may miss it: those of marqo PR#1464, and more."""

NO_ADDRESSES = [
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "/etc/passwd",
    "../a.png",
    "ftp://pictures.example/a.png",
    "gopher://pictures.example/_a",
    "data:image/png;base64,AAAA",
    "http://",
    "http://[",
    "http://[::1",
    "http://a\0b/",
    "http://pictures.example:99999/",
    "http://pictures.example:port/",
    "http://" + "a" * 7000,
    "http://\ud800/",
    "x",
]


@pytest.fixture
def inside() -> Iterator[PictureServer]:
    """A server inside, with a picture."""
    with PictureServer({"/a.png": body(png())}) as running:
        yield running


@pytest.fixture
def outside(inside: PictureServer) -> Iterator[PictureServer]:
    """A server that stands for one of the public web: its host is named."""
    with PictureServer({"/a.png": body(png())}) as running:
        yield running


@pytest.fixture
def connected() -> Iterator[list[Any]]:
    """Addresses to which sockets connect meanwhile; those of the public web can't be reached."""
    addresses: list[Any] = []

    def watch(event: str, values: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(values[1], tuple):
            addresses.append(values[1][0])
            if not values[1][0].startswith("127."):
                raise OSError(errno.ENETUNREACH, "Network is unreachable")

    with watching(watch):
        yield addresses


def port_of(server: PictureServer) -> str:
    return server.host.partition(":")[2]


def assert_not_fetched(fetcher: UrlFetcher, url: str) -> None:
    """It is refused, without a word of why."""
    with pytest.raises(Problem) as caught:
        fetcher.fetch(url)
    assert caught.value.kind is ProblemType.PICTURE_NOT_FETCHED
    assert (caught.value.detail, caught.value.errors) == ("", [])


@pytest.fixture(scope="module")
def fetcher() -> Iterator[UrlFetcher]:
    """A fetcher of the public web."""
    fetcher = UrlFetcher(seconds=2)
    yield fetcher
    fetcher.close()


@pytest.mark.parametrize("way", WAYS_IN)
def test_no_way_leads_inside(
    fetcher: UrlFetcher, inside: PictureServer, connected: list[Any], way: str
) -> None:
    """However an address inside is written, nothing is connected to."""
    assert_not_fetched(fetcher, way.format(port=port_of(inside)))
    assert (inside.connections, connected) == (0, [])


@pytest.mark.parametrize("url", NO_ADDRESSES)
def test_what_is_no_web_address(fetcher: UrlFetcher, connected: list[Any], url: str) -> None:
    """Files, other protocols and malformed URLs are no pictures of the web."""
    assert_not_fetched(fetcher, url)
    assert connected == []


@pytest.mark.parametrize("way", WAYS_IN)
def test_no_redirect_leads_inside(inside: PictureServer, outside: PictureServer, way: str) -> None:
    """A server outside can't send the fetcher inside, at the first hop or at the second."""
    outside.routes["/b.png"] = redirect("/c.png")
    location = way.format(port=port_of(inside)).encode().decode("latin-1")
    outside.routes["/c.png"] = redirect(location.replace("\t", "%09"))
    fetcher = UrlFetcher([outside.host], seconds=2)
    assert fetcher.fetch(outside.url("/a.png")) == png()
    assert_not_fetched(fetcher, outside.url("/b.png"))
    assert inside.connections == 0
    fetcher.close()


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
    ],
)
def test_no_name_leads_inside(
    fetcher: UrlFetcher,
    inside: PictureServer,
    connected: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    answer: list[str],
) -> None:
    """A name with an address inside, beside others or alone, is not connected to."""
    monkeypatch.setattr(socket, "getaddrinfo", Names(pictures_example=[answer]))
    assert_not_fetched(fetcher, f"http://pictures.example:{port_of(inside)}/a.png")
    assert (inside.connections, connected) == (0, [])


def test_a_name_that_changes_leads_nowhere(
    fetcher: UrlFetcher, inside: PictureServer, connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers with a public address, and then with one inside, gains nothing by it."""
    names = Names(pictures_example=[["8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]])
    monkeypatch.setattr(socket, "getaddrinfo", names)
    assert_not_fetched(fetcher, f"http://pictures.example:{port_of(inside)}/a.png")
    assert connected == ["8.8.8.8"]
    assert names.asked == 2  # once for each attempt: what was checked is what was connected to
    assert inside.connections == 0


def test_no_proxy_of_the_environment_is_used(
    inside: PictureServer, connected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve names itself, inside."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{inside.host}")
        monkeypatch.setenv(name.upper(), f"http://{inside.host}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", Names(pictures_example=[["8.8.8.8"]] * 9))
    fetcher = UrlFetcher(seconds=0.3)
    for scheme in ("http", "https"):
        assert_not_fetched(fetcher, f"{scheme}://pictures.example/a.png")
    assert set(connected) == {"8.8.8.8"}
    assert inside.connections == 0
    fetcher.close()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_certificates_of_the_environment_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private authority may have signed what a picture's host, or what stands between, shows."""
    made, context = certificate(tmp_path, "IP:127.0.0.1")
    with PictureServer({"/a.png": body(png())}, tls=context) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made))
        with closing(UrlFetcher([server.host])) as fetcher:
            assert fetcher.fetch(server.url("/a.png")) == png()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(esclip.ConfigError, match=r"none\.pem"):  # at the start: no client learns of it
        UrlFetcher()


def test_what_is_too_large_too_slow_or_no_picture(outside: PictureServer) -> None:
    """Each ends within the time, and is told as what isn't there is."""
    outside.routes.update(
        {
            "/large": endless(b"\x89PNG\r\n\x1a\n" + bytes(1 << 20)),
            "/slow": drip(png(), 0.2),
            "/page": body(b"<html>secret</html>"),
            "/svg": body(b"<svg/>"),
            "/empty": body(b""),
            "/gone": status(404),
            "/forbidden": status(403),
            "/broken": status(500),
            "/circle": redirect("/circle"),
        }
    )
    fetcher = UrlFetcher([outside.host], seconds=1)
    for path in (name for name in outside.routes if name != "/a.png"):
        began = time.monotonic()
        assert_not_fetched(fetcher, outside.url(path))
        assert time.monotonic() - began < 3
    fetcher.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of two pictures."""
    folder = tmp_path_factory.mktemp("urls")
    for color in ("red", "blue"):
        Image.new("RGB", (40, 30), color).save(folder / f"{color}.png")
    with esclip.open_index(folder / "store", encoder="palette") as index:
        index.ingest(folder)
    return folder


def test_a_search_by_a_url(folder: Path, outside: PictureServer, inside: PictureServer) -> None:
    """A part with a URL is its picture, alone and in a batch; those that can't be had are all told alike."""
    index = esclip.open_index(folder / "store")
    with searching(index, folder / "cache", urls=UrlFetcher([outside.host], seconds=2)) as server:
        part = {"url": outside.url("/a.png")}
        found = ask(server, "POST", "/v1/search", {"parts": [part], "k": 1}).json["hits"]
        assert found[0]["metadata"]["file_name"] == "red.png"
        batch = {"queries": [{"parts": [part], "k": 1}, {"parts": [part, {"text": "blue", "weight": 3}]}]}
        results = ask(server, "POST", "/v1/search/batch", batch).json["results"]
        assert [len(one["hits"]) for one in results] == [1, 2]
        assert outside.requests["/a.png"] == 2
        answers = [
            ask(server, "POST", "/v1/search", {"parts": [{"url": url}]})
            for url in (inside.url("/a.png"), outside.url("/gone"), "http://nowhere.invalid/", "x")
        ]
        assert {answer.problem for answer in answers} == {"picture-not-fetched"}
        assert len({str(answer.json | {"request": ""}) for answer in answers}) == 1
        many = {"parts": [{"url": f"{outside.url('/a.png')}?{n}"} for n in range(MAX_URLS + 1)]}
        assert ask(server, "POST", "/v1/search", many).problem == "bad-query"
    assert inside.connections == 0


def test_no_url_is_fetched_unless_the_server_is_told_to(folder: Path, outside: PictureServer) -> None:
    """The refusal says which part it is, and what to send instead."""
    with searching(esclip.open_index(folder / "store"), folder / "cache") as server:
        parts = [{"text": "red"}, {"url": outside.url("/a.png")}]
        answer = ask(server, "POST", "/v1/search", {"parts": parts})
        assert answer.problem == "bad-query"
        assert answer.json["errors"][0]["pointer"] == "/parts/1/url"
        assert "send their bytes as image" in answer.json["detail"]
        batch = ask(server, "POST", "/v1/search/batch", {"queries": [{}, {"parts": parts}]})
        assert batch.json["errors"][0]["pointer"] == "/queries/1/parts/1/url"
    assert outside.connections == 0


def test_large_pictures_are_not_held_together(outside: PictureServer) -> None:
    """The pictures of one request have no more bytes than a body may have."""
    large = png() + bytes(MAX_PICTURE_BYTES - len(png()))
    outside.routes["/large.png"] = body(large)
    fetcher = UrlFetcher([outside.host])
    assert len(fetcher.fetch_all([outside.url("/large.png")] * 2)) == 1
    with pytest.raises(Problem) as caught:
        fetcher.fetch_all([outside.url("/large.png"), outside.url("/large.png?2")])
    assert caught.value.kind is ProblemType.TOO_LARGE
    fetcher.close()
