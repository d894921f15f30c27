"""Connections that fail, each for a reason of its own."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3.exceptions

from esclip._errors import FetchError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._net.session import FOREIGN_ERRORS
from tests.fetching import PICTURE, fetcher, refusal, refusal_by
from tests.servers import (
    Exchange,
    PictureServer,
    body,
    certificate,
    unused_port,
)


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


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
class TestTls:
    def test_a_certificate_nobody_vouches_for(self, tmp_path: Path) -> None:
        """A self-signed certificate is refused before anything is asked."""
        _, context = certificate(tmp_path, "IP:127.0.0.1")
        with PictureServer({"/a.jpg": body(PICTURE)}, tls=context) as server:
            error = refusal(server.url("/a.jpg"))
            assert error.reason is Reason.TLS_ERROR
            assert "certificate" in error.detail
            assert not server.requests

    def test_a_certificate_for_another_host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A certificate that can be trusted, but names another host, is refused."""
        made, context = certificate(tmp_path, "DNS:other.example")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made))
        with PictureServer({"/a.jpg": body(PICTURE)}, tls=context) as server:
            assert refusal(server.url("/a.jpg")).reason is Reason.TLS_ERROR
            assert not server.requests

    def test_a_certificate_that_the_environment_vouches_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The picture is had, also after a slow handshake; what follows an answer is not the next one."""

        def too_many(exchange: Exchange) -> None:
            one = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Pad: %b\r\n\r\nx"
            one %= b"x" * (64 - len(one) + 2)  # a buffer of ours holds a whole number of them
            exchange.wfile.write(one * 200)  # in one TLS record

        made, context = certificate(tmp_path, "IP:127.0.0.1")
        context.sni_callback = lambda *_: time.sleep(0.5)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made))
        routes = {"/a.jpg": body(PICTURE), "/b.jpg": too_many}
        with PictureServer(routes, tls=context) as server, fetcher() as fetching:
            assert fetching.fetch(server.url("/a.jpg")) == PICTURE
            assert fetching.fetch(server.url("/b.jpg")) == b"x"
            assert server.connections == 1
            assert fetching.fetch(server.url("/a.jpg")) == PICTURE
            assert server.connections == 2


@pytest.fixture
def deaf() -> Iterator[str]:
    """A host and port where further connections are neither accepted nor refused, as a firewall does."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        while True:
            waiting = opened.enter_context(socket.socket())
            waiting.settimeout(0.5)
            try:
                waiting.connect(listener.getsockname())
            except TimeoutError:
                break
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def dumb() -> Iterator[str]:
    """A host and port where connections are accepted, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def nameless(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host whose name server doesn't answer for as long as the test takes."""
    over, really = threading.Event(), socket.getaddrinfo

    def look_up(host: str, port: Any, **settings: Any) -> Any:
        if host == "slow.example" and settings.get("flags") != socket.AI_NUMERICHOST:
            over.wait()
        return really(host, port, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield "slow.example"
    over.set()


def silent(request: pytest.FixtureRequest, place: str) -> str:
    host = request.getfixturevalue(place)
    return f"{'https' if place == 'dumb' else 'http'}://{host}/a.jpg"


SILENT = [
    pytest.param("deaf", marks=pytest.mark.skipif(sys.platform != "linux", reason="a full queue of Linux")),
    "dumb",
    "nameless",
]


class TestSilence:
    """Names, connections and TLS handshakes that never come."""

    @pytest.mark.parametrize("place", SILENT)
    def test_the_deadline_holds(self, request: pytest.FixtureRequest, place: str) -> None:
        """They are waited for until the deadline."""
        url = silent(request, place)
        with Fetcher(HostPolicy(None), timeout=0.5) as fetching:
            before = time.monotonic()
            with pytest.raises(FetchError) as caught:
                fetching.fetch(url)
            assert time.monotonic() - before < 5
        assert caught.value.reason is Reason.TIMEOUT

    @pytest.mark.parametrize("place", SILENT)
    def test_a_stop_is_heard(self, request: pytest.FixtureRequest, place: str) -> None:
        """They are no longer waited for soon after a stop."""
        url = silent(request, place)
        with (
            Fetcher(HostPolicy(None)) as fetching,
            ThreadPoolExecutor(1) as pool,
        ):
            under_way = pool.submit(fetching.fetch, url)
            time.sleep(0.3)
            assert not under_way.done()
            fetching.stop()
            assert isinstance(under_way.exception(5), CancelledError)
