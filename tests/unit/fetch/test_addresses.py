"""A host is connected to at a public address only, unless a person named it: real names, real proxies."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from PIL import Image

import esclip
from esclip import Reason, Rejection
from esclip._errors import FetchError
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy, is_public
from esclip._search.query_image import open_image
from tests.fetching import PICTURE, Names, showable
from tests.servers import PictureServer, body, redirect

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:db8::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "4000::1",
]
PUBLIC = [
    "8.8.8.8",
    "151.101.1.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    """Private, loopback, link-local, multicast, shared, reserved, also inside an IPv6 address."""
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_that_are_public(address: str) -> None:
    """Addresses of the web, also as networks without IPv4 write them."""
    assert is_public(address)


def refused(
    url: str, *, named: Collection[str] | None = (), public_hosts: Collection[str] = ()
) -> FetchError:
    with (
        Fetcher(HostPolicy(named, public_hosts)) as fetching,
        pytest.raises(FetchError) as caught,
    ):
        fetching.fetch(url)
    return showable(caught.value)


class TestNames:
    @pytest.mark.parametrize(
        "host", ["localhost", "127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "0.0.0.0"]
    )
    def test_an_unnamed_host_inside_is_not_asked(self, server: PictureServer, host: str) -> None:
        """However loopback is written, it isn't even connected to; the address is in the detail."""
        port = server.host.partition(":")[2]
        error = refused(f"http://{host}:{port}/a.jpg", public_hosts={host})
        assert error.reason is Reason.PRIVATE_ADDRESS
        assert any(address in error.detail for address in ("127.0.0.1", "0.0.0.0", "::1"))
        assert server.connections == 0

    def test_a_named_host_may_be_inside(self, server: PictureServer) -> None:
        """Who names a host means it, also by a name that is public otherwise."""
        port = server.host.partition(":")[2]
        hosts = {"localhost"}
        with Fetcher(HostPolicy(hosts, hosts)) as fetching:
            assert fetching.fetch(f"http://localhost:{port}/a.jpg") == PICTURE

    @pytest.mark.parametrize(
        "answer", [["127.0.0.1"], ["169.254.169.254"], ["::ffff:127.0.0.1"], ["8.8.8.8", "127.0.0.1"]]
    )
    def test_unsplash_itself_may_not_lead_inside(
        self, server: PictureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: list[str]
    ) -> None:
        """The host that is allowed by default is no exception; one private address among others is enough."""
        monkeypatch.setattr(socket, "getaddrinfo", Names(images_unsplash_com=[answer]))
        url = f"http://images.unsplash.com:{server.host.partition(':')[2]}/a.jpg"
        (tmp_path / "photos.tsv").write_text(f"photo_id\tphoto_image_url\na\t{url}\n")
        kept: list[Rejection] = []
        index = esclip.open_index(tmp_path / "store", encoder="palette")
        report = index.ingest(
            tmp_path / "photos.tsv", cache=tmp_path / "cache", on_rejection=kept.append, max_rejection_rate=1
        )
        assert report.rejections == {Reason.PRIVATE_ADDRESS: 1}
        assert kept[0].location == url
        assert server.connections == 0

    def test_a_name_is_looked_up_once(self, server: PictureServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """What was looked at is what is connected to: the name server has no second say."""
        names = Names(pictures_example=[["127.0.0.1"], ["127.0.0.2"]])
        monkeypatch.setattr(socket, "getaddrinfo", names)
        port = server.host.partition(":")[2]
        with Fetcher(HostPolicy({"pictures.example"})) as fetching:
            assert fetching.fetch(f"http://pictures.example:{port}/a.jpg") == PICTURE
        assert names.asked == 1


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureServer]:
    """A proxy of the environment, which answers for the public web. Loopback is asked directly."""
    with PictureServer({}) as running:
        for name in ("HTTP_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("http_proxy", f"http://{running.host}")
        monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
        yield running


class TestProxies:
    def test_a_proxy_may_be_inside(self, proxy: PictureServer) -> None:
        """A proxy is named by the environment; it looks the names up."""
        proxy.routes["http://pictures.example/a.jpg"] = body(PICTURE)
        with Fetcher(HostPolicy((), {"pictures.example"})) as fetching:
            assert fetching.fetch("http://pictures.example/a.jpg") == PICTURE

    @pytest.mark.parametrize(
        "inside", ["http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://0xa9.0xfea9fe/"]
    )
    def test_a_proxy_is_not_asked_for_an_address_inside(self, proxy: PictureServer, inside: str) -> None:
        """An address in a redirect is judged even where a proxy would connect."""
        proxy.routes["http://pictures.example/a.jpg"] = redirect(inside)
        assert refused("http://pictures.example/a.jpg", named=None).reason is Reason.PRIVATE_ADDRESS
        assert proxy.requests == {"http://pictures.example/a.jpg": 1}


class TestTypedUrls:
    def test_a_person_may_ask_inside(self, server: PictureServer, tmp_path: Path) -> None:
        """A URL that a person typed may be private, lead to another private one, and opt out of anything."""
        Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
        port = server.host.partition(":")[2]
        server.routes["/red.png"] = body((tmp_path / "red.png").read_bytes(), X_Robots_Tag="noai")
        server.routes["/moved.png"] = redirect(server.url("/red.png"))
        assert open_image(f"http://localhost:{port}/moved.png").getpixel((0, 0)) == (255, 0, 0)

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_the_web_may_not_lead_inside(
        self, server: PictureServer, proxy: PictureServer, host: str
    ) -> None:
        """A public host's redirect to a private one is refused."""
        inside = f"http://{host}:{server.host.partition(':')[2]}/a.jpg"
        proxy.routes["http://pictures.example/a.jpg"] = redirect(inside)
        assert refused("http://pictures.example/a.jpg", named=None).reason is Reason.PRIVATE_ADDRESS
        assert server.connections == 0

    def test_a_kept_connection_is_no_way_round(self, server: PictureServer, proxy: PictureServer) -> None:
        """A connection that was made when it was welcome is not used when it no longer is."""
        inside = f"http://localhost:{server.host.partition(':')[2]}/a.jpg"
        proxy.routes["http://pictures.example/a.jpg"] = redirect(inside)
        with Fetcher(HostPolicy(None)) as fetching:
            for _ in range(2):
                assert fetching.fetch(inside) == PICTURE
            with pytest.raises(FetchError) as caught:
                fetching.fetch("http://pictures.example/a.jpg")
        assert caught.value.reason is Reason.PRIVATE_ADDRESS
        assert server.requests == {"/a.jpg": 2}
        assert server.connections == 1
