"""Which hosts are asked, at which addresses, and where redirects may lead."""

from __future__ import annotations

import pytest

from esclip._errors import ConfigError
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from tests.fetching import PICTURE, fetcher, refusal, refusal_by
from tests.servers import (
    PictureServer,
    raw,
    redirect,
    stall,
)


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
        with Fetcher(HostPolicy({allowed.replace("PORT", port)})) as fetching:
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
            Fetcher(HostPolicy({entry}))

    @pytest.mark.parametrize(
        "location",
        [
            "http://elsewhere.invalid/x",
            "//elsewhere.invalid/",
            "ftp://127.0.0.1/",
            "http://me:secret@127.0.0.1/",
            "http://[::1",
        ],
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
