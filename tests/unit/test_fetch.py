"""Pictures' bytes over real sockets and from real files: what is had, what is refused, and how soon."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
import urllib3.exceptions

from esclip._connections import FOREIGN_ERRORS
from esclip._errors import ConfigError, FetchError
from esclip._fetch import Fetcher
from esclip._rejections import Reason
from tests.servers import (
    PictureServer,
    Route,
    body,
    chunked,
    cut_off,
    drip,
    drip_headers,
    endless,
    hang_up,
    in_turn,
    raw,
    redirect,
    stall,
    status,
    unused_port,
)

PICTURE = b"\xff\xd8\xff not quite a picture" * 1000
ELSEWHERE = "http://elsewhere.invalid/x"


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer({"/a.jpg": body(PICTURE)}) as running:
        yield running


def fetcher(
    *, cache: Path | None = None, deadline: float = 5.0, max_bytes: int = 1_000_000, backoff: float = 0.01
) -> Fetcher:
    return Fetcher(
        allow_hosts={"127.0.0.1"},
        cache=cache,
        workers=4,
        deadline=deadline,
        max_bytes=max_bytes,
        backoff=backoff,
    )


def refusal(picture: str | Path, *, deadline: float = 5.0, max_bytes: int = 1_000_000) -> FetchError:
    with fetcher(deadline=deadline, max_bytes=max_bytes) as fetching, pytest.raises(FetchError) as caught:
        fetching.fetch(picture)
    assert caught.value.detail
    assert "\n" not in caught.value.detail
    return caught.value


def refusal_by(allow_hosts: set[str] | None, url: str, cache: Path | None = None) -> FetchError:
    with (
        Fetcher(allow_hosts=allow_hosts, cache=cache, workers=1, backoff=0.01) as fetching,
        pytest.raises(FetchError) as caught,
    ):
        fetching.fetch(url)
    return caught.value


def took(call: Callable[[], object]) -> float:
    before = time.monotonic()
    call()
    return time.monotonic() - before


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


class TestTime:
    @pytest.mark.parametrize(
        "route",
        [stall, drip(PICTURE, every=0.02), drip_headers(every=0.02)],
        ids=["stall", "drip", "drip-headers"],
    )
    def test_the_deadline_holds(self, server: PictureServer, route: Route) -> None:
        """A server that says nothing, or drips its body or headers, gets as long as any other."""
        server.routes["/b.jpg"] = route
        before = time.monotonic()
        assert refusal(server.url("/b.jpg"), deadline=0.4).reason is Reason.TIMEOUT
        assert time.monotonic() - before < 1.5

    @pytest.mark.parametrize("bad", [status(500), status(429), cut_off(b"a", 9), hang_up])
    def test_tries_again(self, server: PictureServer, bad: Route) -> None:
        """What fails twice and then works is had."""
        server.routes["/b.jpg"] = in_turn(bad, bad, body(PICTURE))
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/b.jpg")) == PICTURE
        assert server.requests["/b.jpg"] == 3

    @pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
    def test_waits_as_asked(self, server: PictureServer, as_date: bool) -> None:
        """A server that asks for a pause gets it, given in seconds or as a date."""
        # a date has whole seconds, so this one is more than one away and at most two
        asked = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
        server.routes["/b.jpg"] = in_turn(status(429, Retry_After=asked), body(PICTURE))
        with fetcher() as fetching:
            assert took(lambda: fetching.fetch(server.url("/b.jpg"))) > 0.9

    def test_gives_up_when_asked_to_wait_too_long(self, server: PictureServer) -> None:
        """A pause beyond the deadline is not begun."""
        server.routes["/b.jpg"] = status(429, Retry_After=3600)
        errors = []
        assert took(lambda: errors.append(refusal(server.url("/b.jpg")))) < 1
        assert errors[0].reason is Reason.HTTP_429
        assert server.requests["/b.jpg"] == 1

    @pytest.mark.parametrize("asked", ["soon", "-1", "9" * 5000, "Fri, 99 Foo 2099"])
    def test_ignores_a_senseless_pause(self, server: PictureServer, asked: str) -> None:
        """A Retry-After that says nothing is as good as none."""
        server.routes["/b.jpg"] = in_turn(status(503, Retry_After=asked), body(PICTURE))
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/b.jpg")) == PICTURE

    @pytest.mark.parametrize("route", [stall, drip(PICTURE, every=0.02), status(429, Retry_After=20)])
    def test_stop_ends_what_is_under_way(self, server: PictureServer, route: Route) -> None:
        """A wait for an answer, for a body or for the next try ends soon after a stop."""
        server.routes["/b.jpg"] = route
        with fetcher(deadline=60) as fetching, ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(fetching.fetch, server.url("/b.jpg"))
            while not server.requests["/b.jpg"]:
                time.sleep(0.01)
            fetching.stop()
            assert took(lambda: under_way.exception(10)) < 1.5
            assert isinstance(under_way.exception(), CancelledError)

    def test_nothing_begins_after_a_stop(self, server: PictureServer, tmp_path: Path) -> None:
        """Once stopped, neither a URL nor a file is read."""
        (tmp_path / "a.jpg").write_bytes(PICTURE)
        with fetcher() as fetching:
            fetching.stop()
            assert fetching.stopped.is_set()
            for picture in (server.url("/a.jpg"), tmp_path / "a.jpg"):
                with pytest.raises(CancelledError):
                    fetching.fetch(picture)
        assert not server.requests


class TestConnections:
    def test_nobody_listens(self) -> None:
        """A refused connection is told apart, and given up soon."""
        assert refusal(f"http://127.0.0.1:{unused_port()}/").reason is Reason.CONNECTION_ERROR

    def test_no_such_name(self) -> None:
        """A name that can't be resolved is told apart."""
        assert refusal_by(None, "http://nonexistent.invalid/a.jpg").reason is Reason.DNS_ERROR

    def test_no_tls_at_the_other_end(self, server: PictureServer) -> None:
        """HTTPS to a server that speaks plain HTTP is a TLS error."""
        assert refusal(server.url("/a.jpg").replace("http:", "https:")).reason is Reason.TLS_ERROR

    @pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
    def test_a_certificate_nobody_vouches_for(self, tmp_path: Path) -> None:
        """A self-signed certificate is refused before anything is asked."""
        key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
        options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        command = ["openssl", *options.split(), "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        with PictureServer({"/a.jpg": body(PICTURE)}, tls=context) as server:
            error = refusal(server.url("/a.jpg"))
            assert error.reason is Reason.TLS_ERROR
            assert "certificate" in error.detail
            assert not server.requests

    def test_every_foreign_error_is_mapped(self) -> None:
        """No exception that requests or urllib3 can raise passes unmapped."""
        for module, root in (
            (requests.exceptions, requests.RequestException),
            (urllib3.exceptions, urllib3.exceptions.HTTPError),
        ):
            kinds = [
                kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, root)
            ]
            assert len(kinds) > 10
            assert all(issubclass(kind, FOREIGN_ERRORS) for kind in kinds)


class TestHosts:
    @pytest.mark.parametrize(
        "url",
        [
            "https://images.unsplash.company%20by…",
            "https://images.unsplash.com.jpg/",
            "https://images.unsplash.com-grass-sun.jpg/",
            "https://images.unsplash.com@127.0.0.1/",
            "https://me:secret@images.unsplash.com/",
            "ftp://images.unsplash.com/a",
            "file:///etc/passwd",
            "images.unsplash.com/a",
            "http://[::1",
            "http://images.unsplash.com:99999/",
            "http:///a",
            "",
            "https://unsplash.com/",
            "https://x.images.unsplash.com/",
        ],
    )
    def test_refuses_malformed_and_foreign_urls(self, url: str) -> None:
        """A URL that is malformed, or of a host that was not named, is refused without a request."""
        error = refusal_by({"images.unsplash.com"}, url)
        assert error.reason is Reason.BAD_URL
        assert "secret" not in str(error)

    @pytest.mark.parametrize("allowed", ["localhost", "LocalHost", "localhost.", "LOCALHOST:PORT"])
    @pytest.mark.parametrize("asked", ["localhost", "LOCALHOST"])
    def test_compares_hosts_as_dns_does(self, server: PictureServer, allowed: str, asked: str) -> None:
        """Case and a dot at the end make no difference; a port that was named has to be the one."""
        port = server.host.partition(":")[2]
        with Fetcher(allow_hosts={allowed.replace("PORT", port)}, cache=None, workers=1) as fetching:
            assert fetching.fetch(f"http://{asked}:{port}/a.jpg") == PICTURE

    def test_compares_ports(self, server: PictureServer) -> None:
        """Another port than the allowed one is not asked."""
        assert refusal_by({"127.0.0.1:1"}, server.url("/a.jpg")).reason is Reason.BAD_URL
        assert not server.requests

    def test_knows_names_of_other_scripts(self) -> None:
        """A host that was named in its own script or in ASCII is asked for; here no such host exists."""
        assert refusal_by({"bücher.invalid"}, "http://xn--bcher-kva.invalid./a").reason is Reason.DNS_ERROR
        assert refusal_by({"xn--bcher-kva.invalid"}, "http://BÜCHER.invalid/a").reason is Reason.DNS_ERROR

    @pytest.mark.parametrize(
        "entry", ["", "https://images.unsplash.com", "a b", "me@host", "host/path", "host:x"]
    )
    def test_refuses_an_allowed_host_that_is_none(self, entry: str) -> None:
        """An allowed host that can never match is a mistake of the caller."""
        with pytest.raises(ConfigError, match="allowed host"):
            Fetcher(allow_hosts={entry}, cache=None, workers=1)

    @pytest.mark.parametrize(
        "location",
        [ELSEWHERE, "//elsewhere.invalid/", "ftp://127.0.0.1/", "http://me:secret@127.0.0.1/", "http://[::1"],
    )
    def test_redirects_lead_nowhere_else(self, server: PictureServer, location: str) -> None:
        """A redirect is followed to allowed hosts only."""
        server.routes["/b.jpg"] = redirect(location)
        error = refusal(server.url("/b.jpg"))
        assert error.reason is Reason.BAD_REDIRECT
        assert "secret" not in str(error)

    def test_redirects_end(self, server: PictureServer) -> None:
        """Redirects in circles are left after five; five in a row are followed."""
        server.routes["/loop"] = redirect("/loop")
        assert refusal(server.url("/loop")).reason is Reason.BAD_REDIRECT
        assert server.requests["/loop"] == 6
        server.routes.update({f"/{n}": redirect(f"/{n + 1}") for n in range(4)} | {"/4": redirect("/a.jpg")})
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/0")) == PICTURE

    def test_a_redirects_body_is_not_read(self, server: PictureServer) -> None:
        """What a redirect carries beside its address is left, however long."""

        def long_redirect(exchange: object) -> None:
            endless_redirect = (
                b"HTTP/1.1 302 Found\r\nLocation: /a.jpg\r\nContent-Length: 99999999999\r\n\r\n"
            )
            raw(endless_redirect)(exchange)  # type: ignore[arg-type]
            stall(exchange)  # type: ignore[arg-type]

        server.routes["/b.jpg"] = long_redirect
        with fetcher() as fetching:
            assert fetching.fetch(server.url("/b.jpg")) == PICTURE


class TestFiles:
    def test_reads_a_file(self, tmp_path: Path) -> None:
        """A file's bytes are had from anywhere: hosts concern URLs only."""
        (tmp_path / "ä b.jpg").write_bytes(PICTURE)
        with fetcher() as fetching:
            assert fetching.fetch(tmp_path / "ä b.jpg") == PICTURE

    def test_no_such_file(self, tmp_path: Path) -> None:
        """A file that is not there, also below a file, is told apart."""
        (tmp_path / "file").touch()
        assert refusal(tmp_path / "gone.jpg").reason is Reason.FILE_NOT_FOUND
        assert refusal(tmp_path / "file" / "gone.jpg").reason is Reason.FILE_NOT_FOUND

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        """A folder, a loop of links and an impossible name can't be read."""
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        for path in (tmp_path, tmp_path / "loop", tmp_path / "a\0b"):
            assert refusal(path).reason is Reason.UNREADABLE_FILE

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
    def test_a_named_pipe_does_not_hang(self, tmp_path: Path) -> None:
        """A pipe that nobody writes to is refused at once."""
        os.mkfifo(tmp_path / "pipe.jpg")
        assert refusal(tmp_path / "pipe.jpg").reason is Reason.UNREADABLE_FILE

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path: Path) -> None:
        """A file that may not be read is told apart from one that is not there."""
        (tmp_path / "a.jpg").touch(mode=0o000)
        assert refusal(tmp_path / "a.jpg").reason is Reason.UNREADABLE_FILE

    def test_the_cap_holds_for_files(self, tmp_path: Path) -> None:
        """As many bytes as the cap pass, and one more does not."""
        (tmp_path / "a.jpg").write_bytes(b"x" * 100)
        with fetcher(max_bytes=100) as fetching:
            assert len(fetching.fetch(tmp_path / "a.jpg")) == 100
        assert refusal(tmp_path / "a.jpg", max_bytes=99).reason is Reason.TOO_LARGE


def kept_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestCache:
    def test_fetches_once(self, server: PictureServer, tmp_path: Path) -> None:
        """A picture that was fetched is not fetched again, also by the next fetcher."""
        for _ in range(2):
            with fetcher(cache=tmp_path / "new" / "folder") as fetching:
                assert fetching.fetch(server.url("/a.jpg")) == PICTURE
        assert server.requests["/a.jpg"] == 1

    def test_forgets_what_is_discarded(self, server: PictureServer, tmp_path: Path) -> None:
        """Bytes that turned out to be no picture are fetched again the next time."""
        with fetcher(cache=tmp_path) as fetching:
            fetching.fetch(server.url("/a.jpg"))
            for _ in range(2):
                fetching.discard(server.url("/a.jpg"))
            assert kept_files(tmp_path) == []
            fetching.fetch(server.url("/a.jpg"))
        assert server.requests["/a.jpg"] == 2

    def test_discarding_leaves_files_alone(self, tmp_path: Path) -> None:
        """A person's own file is never removed."""
        (tmp_path / "a.jpg").touch()
        with fetcher(cache=tmp_path) as fetching:
            fetching.discard(tmp_path / "a.jpg")
        assert (tmp_path / "a.jpg").exists()

    @pytest.mark.parametrize("route", [status(404), cut_off(b"abc", 10), body(b"")])
    def test_keeps_whole_pictures_only(self, server: PictureServer, tmp_path: Path, route: Route) -> None:
        """A refusal, half a body and an empty one are not kept."""
        server.routes["/b.jpg"] = route
        with fetcher(cache=tmp_path) as fetching, suppress(FetchError):
            assert fetching.fetch(server.url("/b.jpg")) == b""
        assert kept_files(tmp_path) == []

    def test_an_empty_file_is_no_picture(self, server: PictureServer, tmp_path: Path) -> None:
        """A file that a power cut left empty is fetched again and replaced."""
        with fetcher(cache=tmp_path) as fetching:
            fetching.fetch(server.url("/a.jpg"))
            (kept,) = kept_files(tmp_path)
            kept.write_bytes(b"")
            assert fetching.fetch(server.url("/a.jpg")) == PICTURE
        assert kept.read_bytes() == PICTURE

    def test_a_host_must_be_allowed_even_if_kept(self, server: PictureServer, tmp_path: Path) -> None:
        """What was kept under wider rules is not given out under narrower ones."""
        with fetcher(cache=tmp_path) as fetching:
            fetching.fetch(server.url("/a.jpg"))
        assert refusal_by({"other.invalid"}, server.url("/a.jpg"), tmp_path).reason is Reason.BAD_URL

    def test_a_cache_that_cannot_be_written_is_no_failure(
        self, server: PictureServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Pictures are had without it, and the log says so once."""
        (tmp_path / "file").touch()
        with fetcher(cache=tmp_path / "file") as fetching, caplog.at_level(logging.WARNING, "esclip"):
            for _ in range(3):
                assert fetching.fetch(server.url("/a.jpg")) == PICTURE
        assert len(caplog.records) == 1
        assert "can't be kept" in caplog.records[0].message

    def test_writers_do_not_disturb_each_other(self, server: PictureServer, tmp_path: Path) -> None:
        """Many fetchers of one picture in one folder all have it whole, and one file is left."""

        def fetch(_: int) -> bytes:
            with fetcher(cache=tmp_path) as fetching:
                return fetching.fetch(server.url("/a.jpg"))

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(fetch, range(40))) == {PICTURE}
        assert [path.read_bytes() for path in kept_files(tmp_path)] == [PICTURE]


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
