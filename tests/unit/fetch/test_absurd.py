"""Servers that say absurd things: each has its reason, and its words can't do harm where they are shown."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from esclip._errors.reasons import Reason
from tests.fetching import PICTURE, fetcher, refusal, refusal_by
from tests.servers import Exchange, PictureServer, Route, body, raw, redirect

LENGTH = b"Content-Length: %d\r\n" % len(PICTURE)


def answer(head: bytes, data: bytes = PICTURE) -> Route:
    """A right status line, this head, and a picture."""
    return raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + data)


def announce_for_ever(exchange: Exchange) -> None:
    while exchange.pause(0):
        exchange.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


class TestHeads:
    @pytest.mark.parametrize(
        ("route", "reason", "requests"),
        [
            (answer(b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + LENGTH), Reason.CONNECTION_ERROR, 3),
            (answer(b"X: " + b"y" * 3_000_000 + b"\r\n" + LENGTH), Reason.CONNECTION_ERROR, 3),
            (raw(b"HTTP/1.1 2\x1b[31m00 OK\r\n" + LENGTH + b"\r\n" + PICTURE), Reason.CONNECTION_ERROR, 3),
            (raw(b"HTTP/1.1 200" + b"x" * 100_000 + b"\r\n\r\n"), Reason.CONNECTION_ERROR, 3),
            (raw(PICTURE), Reason.CONNECTION_ERROR, 3),
            (raw(b"\n" * 100_000), Reason.CONNECTION_ERROR, 3),
            (raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x00\x01"), Reason.CONNECTION_ERROR, 3),
            (announce_for_ever, Reason.CONNECTION_ERROR, 3),
            (answer(b"Content-Length: 10\r\nContent-Length: 20\r\n"), Reason.CONNECTION_ERROR, 1),
            (raw(b"HTTP/1.1 206 Partial Content\r\n" + LENGTH + b"\r\n" + PICTURE), Reason.HTTP_4XX, 1),
            (raw(b"HTTP/1.1 999 Denied\x1b[2J\r\n" + LENGTH + b"\r\n" + PICTURE), Reason.HTTP_4XX, 1),
            (answer(b"Transfer-Encoding: chunked\r\n", b"zz\r\nabc"), Reason.INCOMPLETE_BODY, 5),
            (answer(b"Transfer-Encoding: chunked\r\n", b"-5\r\nabc"), Reason.INCOMPLETE_BODY, 5),
            (answer(b"Content-Length: %d\r\n" % (len(PICTURE) + 1)), Reason.INCOMPLETE_BODY, 5),
            (answer(b"Content-Encoding: " + b"gzip, " * 9 + b"gzip\r\n"), Reason.INCOMPLETE_BODY, 5),
        ],
        ids=[
            "thousands-of-headers",
            "header-of-megabytes",
            "escape-in-status",
            "long-status",
            "no-head",
            "blank-lines",
            "other-protocol",
            "announced-for-ever",
            "two-lengths",
            "partial",
            "no-such-status",
            "no-chunk-size",
            "negative-chunk-size",
            "length-too-long",
            "ten-encodings",
        ],
    )
    def test_refuses(self, server: PictureServer, route: Route, reason: Reason, requests: int) -> None:
        """What is no HTTP, or no whole picture, is refused; the detail is one short, printable line."""
        server.routes["/b.jpg"] = route
        error = refusal(server.url("/b.jpg"))
        assert error.reason is reason
        assert server.requests["/b.jpg"] == requests

    @pytest.mark.parametrize(
        "route",
        [
            raw(
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"
                + LENGTH
                + b"\r\n"
                + PICTURE
            ),
            raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + b"HTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + PICTURE),
            answer(LENGTH + LENGTH),
            answer(b"Content-Length: -5\r\n"),
            answer(b"Content-Length: many\r\n"),
            answer(b"Content-Length: " + b"9" * 5000 + b"\r\n"),
            answer(b"Content-Encoding: \x1b[31m\r\n" + LENGTH),
            answer(LENGTH, PICTURE + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
        ],
        ids=[
            "early-hints",
            "announced-nine-times",
            "length-twice",
            "negative-length",
            "no-length",
            "endless-length",
            "unknown-encoding",
            "more-than-the-answer",
        ],
    )
    def test_takes_what_can_be_understood(self, server: PictureServer, route: Route) -> None:
        """Announcements are passed over, a length that says nothing is none, and what follows is not read."""
        server.routes["/b.jpg"] = route
        with fetcher() as fetching:
            for _ in range(2):
                assert fetching.fetch(server.url("/b.jpg")) == PICTURE

    def test_a_length_that_is_too_short_cuts(self, server: PictureServer) -> None:
        """As many bytes are had as were announced; the next answer is not what was left."""
        more = PICTURE[100:] + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"

        def too_short(exchange: Exchange) -> None:
            exchange.head(200, Content_Length=100)
            exchange.wfile.write(PICTURE[:100] + more)

        server.routes["/b.jpg"] = too_short
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/b.jpg")) == PICTURE[:100]
            assert fetching.fetch(server.url("/a.jpg")) == PICTURE


class TestBombs:
    @pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate"])
    def test_a_bomb_fills_neither_memory_nor_the_cap(self, server: PictureServer, encoding: str) -> None:
        """Of a gigabyte packed into a megabyte, or a few kilobytes, no more is unpacked than may be had."""
        bomb = gzip.compress(bytes(10_000_000)) * 100 if "gzip" in encoding else _deflated(1_000_000_000)
        if "," in encoding:
            bomb = gzip.compress(bomb)
        server.routes["/b.jpg"] = body(bomb, Content_Encoding=encoding)
        tracemalloc.start()
        try:
            assert refusal(server.url("/b.jpg")).reason is Reason.TOO_LARGE
            assert tracemalloc.get_traced_memory()[1] < 16_000_000
        finally:
            tracemalloc.stop()


def _deflated(size: int) -> bytes:
    import zlib

    packer = zlib.compressobj(1)
    first, again = (packer.compress(bytes(10_000_000)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (size // 10_000_000 - 1)


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1/" + "a" * 100_000,
            "http://" + "a" * 100_000 + ".com/",
            "http://" + "a." * 50_000,
            "http://" + "ü" * 5000 + ".com/",
            "http://" + "a" * 64 + ".com/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:-1/",
            "http://127.0.0.1:x/",
            "http://127.0.0.1\x1b[31m/",
            "http://a\u202eb.com/",
            "http://\ud800.com/",
            "data:image/png;base64,AAAA",
            "javascript:alert(1)",
            "http://user@127.0.0.1/",
            "http://user:secret@127.0.0.1/",
        ],
    )
    def test_refuses_without_a_request(self, url: str) -> None:
        """A URL that is absurdly long or malformed, with a password or a foreign scheme, is told as such."""
        error = refusal_by(None, url)
        assert error.reason is Reason.BAD_URL
        assert "secret" not in error.detail

    @pytest.mark.parametrize(
        "location",
        [
            "ftp://127.0.0.1/a",
            "file:///etc/passwd",
            "data:image/png;base64,AAAA",
            "javascript:alert(1)",
            "http://127.0.0.1:99999/",
            "http://\x1b]0;owned\x07/",
            "http://" + "a" * 60_000 + "/",
            "/\xe4\xff",
            "/" + "a" * 60_000,
            "",
            "//",
            "?again",
        ],
    )
    def test_redirects_to_nowhere(self, server: PictureServer, location: str) -> None:
        """A redirect to something else than an allowed host's picture is told as such."""
        head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n" % location.encode("latin-1")
        server.routes["/b.jpg"] = raw(head)
        assert refusal(server.url("/b.jpg")).reason is Reason.BAD_REDIRECT

    def test_port_0_is_no_port(self, server: PictureServer) -> None:
        """A port of 0 is as good as none: it is the scheme's."""
        assert refusal_by({server.host}, "http://127.0.0.1:0/a.jpg").reason is Reason.BAD_URL

    def test_a_name_may_have_another_script(self, server: PictureServer) -> None:
        """A redirect to a host in its own script is followed where the host is allowed."""
        server.routes["/b.jpg"] = redirect("http://bücher.invalid/".encode().decode("latin-1"))
        hosts = {"127.0.0.1", "bücher.invalid"}
        assert refusal_by(hosts, server.url("/b.jpg")).reason is Reason.DNS_ERROR
