"""Proxies and certificates that the environment names and that can't be used: a fault of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from esclip import ConfigError, FetchError, open_index
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip.encoders.checkpoints.find import find_model
from esclip.encoders.remote.encoder import RemoteEncoder
from esclip.stores.memory import MemoryStore
from tests.fetching import PICTURE
from tests.servers import PictureServer, body, unused_port
from tests.unit.unsplash_tables import photo, write

UNUSABLE = [
    "socks://127.0.0.1:1080",
    "socks5://127.0.0.1:1080",
    " ",
    "a proxy",
    "http://",
    "http://proxy:99999",
    "http://a..b:1",
    "ftp://proxy",
]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@pytest.mark.parametrize("proxy", UNUSABLE)
def test_a_proxy_that_can_not_be_used_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable and its value are told in one line, whichever of the three it is."""
    monkeypatch.setenv("all_proxy", proxy)
    with (
        Fetcher(HostPolicy(None)) as fetching,
        pytest.raises(ConfigError, match="all_proxy") as caught,
    ):
        fetching.fetch("http://pictures.example/a.jpg")
    assert repr(proxy) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_password_in_it_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is told without its credentials."""
    monkeypatch.setenv("HTTP_PROXY", "socks://me:hunter2@127.0.0.1:1080")
    with (
        Fetcher(HostPolicy(None)) as fetching,
        pytest.raises(ConfigError, match="HTTP_PROXY") as caught,
    ):
        fetching.fetch("http://pictures.example/a.jpg")
    assert "hunter2" not in str(caught.value)


def test_only_the_proxy_that_is_used_is_looked_at(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of another scheme, one that `no_proxy` excludes, and an empty one are no fault."""
    monkeypatch.setenv("https_proxy", "socks://127.0.0.1:1080")
    monkeypatch.setenv("http_proxy", "")
    with Fetcher(HostPolicy(None)) as fetching:
        assert fetching.fetch(server.url("/a.jpg")) == PICTURE
        monkeypatch.setenv("all_proxy", "socks://127.0.0.1:1080")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert fetching.fetch(server.url("/a.jpg")) == PICTURE


def test_a_proxy_needs_no_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """`host:port` is one, as for other programs."""
    with PictureServer({"http://pictures.example/a.jpg": body(PICTURE)}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.host)
        with Fetcher(HostPolicy(None)) as fetching:
            assert fetching.fetch("http://pictures.example/a.jpg") == PICTURE


def test_a_proxy_that_can_not_be_reached_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be there again at the next try, so it is the record's fault; but not the picture's host's."""
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{unused_port()}")
    with (
        Fetcher(HostPolicy(None), backoff=0.01) as fetching,
        pytest.raises(FetchError, match="by the environment's proxy"),
    ):
        fetching.fetch("http://pictures.example/a.jpg")


def test_an_ingest_ends_with_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No record is rejected for what is no fault of its own."""
    monkeypatch.setenv("all_proxy", "socks://127.0.0.1:1080")
    write(tmp_path / "photos.tsv000", [photo(f"photo{n}") for n in range(20)])
    index = open_index(MemoryStore("images"), encoder="palette")
    with pytest.raises(ConfigError, match="all_proxy"):
        index.ingest(tmp_path)
    assert not index.rejection_counts()


def test_encoder_servers_and_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """What connects for another reason tells it in the same way."""
    monkeypatch.setenv("all_proxy", "socks://127.0.0.1:1080")
    with pytest.raises(ConfigError, match="all_proxy"):
        RemoteEncoder("http://encoder.example:8090", timeout=5).encode_texts(["red"])
    with pytest.raises(ConfigError, match="all_proxy"):
        find_model("nobody/nothing")


@pytest.mark.parametrize("content", [None, b"", b"no certificates"], ids=["missing", "empty", "text"])
def test_certificates_that_are_none_are_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that names no certificates is told, where they are needed: for https."""
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with (
        Fetcher(HostPolicy(None)) as fetching,
        pytest.raises(ConfigError, match="REQUESTS_CA_BUNDLE"),
    ):
        fetching.fetch("https://127.0.0.1:1/a.jpg")


def test_certificates_do_not_matter_for_plain_http(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is looked at that isn't used."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    with Fetcher(HostPolicy(None)) as fetching:
        assert fetching.fetch(server.url("/a.jpg")) == PICTURE
