"""Answers over real sockets: which bodies are had, and which are refused for what reason."""

from __future__ import annotations

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from esclip._errors.reasons import Reason
from tests.fetching import PICTURE, fetcher, refusal
from tests.servers import (
    PictureServer,
    Route,
    body,
    chunked,
    cut_off,
    endless,
    hang_up,
    raw,
    redirect,
    status,
)


class TestAnswers:
    @pytest.mark.parametrize(
        "route",
        [
            body(PICTURE),
            chunked(PICTURE[:7], PICTURE[7:]),
            raw(b"HTTP/1.0 200 OK\r\n\r\n" + PICTURE),
            body(gzip.compress(PICTURE), Content_Encoding="gzip"),
            redirect("a.jpg"),
            redirect("/a.jpg?w=224", code=308),
        ],
        ids=["length", "chunked", "until-closed", "gzip", "redirect", "permanent-redirect"],
    )
    def test_gives_the_whole_body(self, server: PictureServer, route: Route) -> None:
        """The body is had whole however it is framed, compressed or moved."""
        server.routes["/b.jpg"] = route
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/b.jpg")) == PICTURE

    def test_keeps_connections(self, server: PictureServer) -> None:
        """Fetches one after the other use one connection."""
        with fetcher() as fetching:
            for _ in range(5):
                fetching.fetch(server.url("/a.jpg"))
        assert server.connections == 1

    def test_serves_many_threads(self, server: PictureServer) -> None:
        """Threads fetch at the same time, more of them than workers, and none gets another's body."""
        server.routes.update({f"/{n}": body(b"%d" % n * 5000) for n in range(40)})
        with fetcher() as fetching, ThreadPoolExecutor(8) as pool:
            bodies = list(pool.map(lambda n: fetching.fetch(server.url(f"/{n}")), range(40)))
        assert bodies == [b"%d" % n * 5000 for n in range(40)]

    def test_says_who_asks_and_nothing_else(
        self, server: PictureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request names esclip; it sends no cookie back and no password of a .netrc."""
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login me password secret\n")
        monkeypatch.setenv("NETRC", str(netrc))
        server.routes["/c.jpg"] = body(PICTURE, Set_Cookie="seen=1; Path=/")
        with fetcher() as fetching:
            fetching.fetch(server.url("/c.jpg"))
            fetching.fetch(server.url("/a.jpg"))
        for headers in server.headers_seen:
            assert headers["User-Agent"].startswith("esclip")
            assert headers.keys().isdisjoint({"Cookie", "Authorization"})


class TestRefusedAnswers:
    @pytest.mark.parametrize(
        ("code", "reason", "requests"),
        [
            (403, Reason.HTTP_403, 1),
            (404, Reason.HTTP_404, 1),
            (410, Reason.HTTP_410, 1),
            (401, Reason.HTTP_4XX, 1),
            (451, Reason.HTTP_4XX, 1),
            (204, Reason.HTTP_4XX, 1),
            (304, Reason.HTTP_4XX, 1),
            (302, Reason.HTTP_4XX, 1),
            (429, Reason.HTTP_429, 5),
            (500, Reason.HTTP_5XX, 5),
            (503, Reason.HTTP_5XX, 5),
        ],
    )
    def test_names_the_status(self, server: PictureServer, code: int, reason: Reason, requests: int) -> None:
        """Each status has its reason; only those that may pass are asked again."""
        server.routes["/b.jpg"] = status(code)
        error = refusal(server.url("/b.jpg"))
        assert error.reason is reason
        assert str(code) in error.detail
        assert server.requests["/b.jpg"] == requests

    @pytest.mark.parametrize(
        ("route", "reason", "requests"),
        [
            (cut_off(b"abc", announced=10), Reason.INCOMPLETE_BODY, 5),
            (chunked(b"abc", complete=False), Reason.INCOMPLETE_BODY, 5),
            (body(b"no gzip", Content_Encoding="gzip"), Reason.INCOMPLETE_BODY, 5),
            (hang_up, Reason.CONNECTION_ERROR, 3),
            (raw(b"SSH-2.0 hello\r\n"), Reason.CONNECTION_ERROR, 3),
            (body(b"x", X_Long="x" * 70_000), Reason.CONNECTION_ERROR, 3),
            (cut_off(b"", announced=10**15), Reason.TOO_LARGE, 1),
            (endless(b"x" * 10_000), Reason.TOO_LARGE, 1),
            (body(gzip.compress(bytes(30_000_000)), Content_Encoding="gzip"), Reason.TOO_LARGE, 1),
        ],
        ids=[
            "cut-off",
            "chunks-cut-off",
            "broken-gzip",
            "hang-up",
            "no-http",
            "long-header",
            "announced-too-large",
            "endless",
            "gzip-bomb",
        ],
    )
    def test_refuses_a_bad_body(
        self, server: PictureServer, route: Route, reason: Reason, requests: int
    ) -> None:
        """A body cut short may come whole the next time; one that is too large will not get smaller."""
        server.routes["/b.jpg"] = route
        assert refusal(server.url("/b.jpg")).reason is reason
        assert server.requests["/b.jpg"] == requests

    def test_the_cap_counts_bytes(self, server: PictureServer) -> None:
        """As many bytes as the cap pass, and one more does not."""
        server.routes["/n"] = chunked(b"x" * 100)
        with fetcher(max_bytes=100) as fetching:
            assert len(fetching.fetch(server.url("/n"))) == 100
        assert refusal(server.url("/n"), max_bytes=99).reason is Reason.TOO_LARGE


def test_leaves_nothing_open(server: PictureServer) -> None:
    """A fetcher starts no thread of its own, and leaving it closes its connections."""
    threads = threading.active_count()
    with fetcher() as fetching:
        fetching.fetch(server.url("/a.jpg"))
        handlers = threading.active_count() - threads
        assert handlers <= 1  # the server's, for the connection
    deadline = time.monotonic() + 5
    while threading.active_count() > threads:
        assert time.monotonic() < deadline, "the connection is still open"
        time.sleep(0.01)
