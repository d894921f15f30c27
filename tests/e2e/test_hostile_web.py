"""An ingest from servers that misbehave as we know them: each record is written, or has its reason."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from esclip import IngestReport, Reason, load_encoder
from esclip._concurrency.stop import CancelToken
from esclip._core.schema import IndexSchema
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._ingest.pipeline import Steps, ingest
from esclip._ingest.progress import IngestProgress
from esclip.sources import open_source
from esclip.stores.memory import MemoryStore
from tests.command_line import Esclip
from tests.servers import (
    Exchange,
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

WRITTEN = None


def jpeg() -> bytes:
    data = io.BytesIO()
    Image.effect_noise((64, 48), 90).convert("RGB").save(data, "JPEG")
    return data.getvalue()


JPEG = jpeg()
HTML = b"<!doctype html><title>Please log in</title>"
LENGTH = b"Content-Length: %d\r\n" % len(JPEG)


def answer(head: bytes, data: bytes = JPEG) -> Route:
    return raw(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + data)


def too_short(exchange: Exchange) -> None:
    exchange.head(200, Content_Length=len(JPEG) // 2)
    exchange.wfile.write(JPEG)


KINDS: Mapping[str, tuple[Route, Reason | None]] = {
    "good": (body(JPEG), WRITTEN),
    "chunked": (chunked(JPEG[:99], JPEG[99:]), WRITTEN),
    "gzip": (body(gzip.compress(JPEG), Content_Encoding="gzip"), WRITTEN),
    "moved": (redirect("/good"), WRITTEN),
    "early-hints": (raw(b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + LENGTH + b"\r\n" + JPEG), WRITTEN),
    "busy-once": (in_turn(status(503), body(JPEG)), WRITTEN),
    "limited-once": (in_turn(status(429, Retry_After=1), body(JPEG)), WRITTEN),
    "length-twice": (answer(LENGTH + LENGTH), WRITTEN),
    "length-negative": (answer(b"Content-Length: -1\r\n"), WRITTEN),
    "length-garbage": (answer(b"Content-Length: many\r\n"), WRITTEN),
    "other-robots": (body(JPEG, X_Robots_Tag="otherbot: noai"), WRITTEN),
    "401": (status(401), Reason.HTTP_4XX),
    "403": (status(403), Reason.HTTP_403),
    "404": (status(404), Reason.HTTP_404),
    "410": (status(410), Reason.HTTP_410),
    "429": (status(429), Reason.HTTP_429),
    "500": (status(500), Reason.HTTP_5XX),
    "503": (status(503), Reason.HTTP_5XX),
    "204": (status(204), Reason.HTTP_4XX),
    "206": (raw(b"HTTP/1.1 206 Partial\r\n" + LENGTH + b"\r\n" + JPEG), Reason.HTTP_4XX),
    "304": (status(304), Reason.HTTP_4XX),
    "999": (raw(b"HTTP/1.1 999 No\x1b[2J\r\n\r\n"), Reason.HTTP_4XX),
    "truncated": (body(JPEG[: len(JPEG) // 2]), Reason.TRUNCATED),
    "length-too-short": (too_short, Reason.TRUNCATED),
    "length-too-long": (cut_off(JPEG, len(JPEG) + 9), Reason.INCOMPLETE_BODY),
    "two-lengths": (answer(LENGTH + b"Content-Length: 7\r\n"), Reason.CONNECTION_ERROR),
    "chunks-cut-off": (chunked(JPEG, complete=False), Reason.INCOMPLETE_BODY),
    "broken-gzip": (body(JPEG, Content_Encoding="gzip"), Reason.INCOMPLETE_BODY),
    "announced-too-large": (cut_off(b"", 10**12), Reason.TOO_LARGE),
    "endless": (endless(bytes(1 << 20)), Reason.TOO_LARGE),
    "gzip-bomb": (
        body(gzip.compress(gzip.compress(bytes(10_000_000)) * 100), Content_Encoding="gzip, gzip"),
        Reason.TOO_LARGE,
    ),
    "html": (body(HTML, Content_Type="image/jpeg"), Reason.NOT_AN_IMAGE),
    "empty": (body(b"", Content_Type="image/jpeg"), Reason.NOT_AN_IMAGE),
    "loop": (redirect("/loop"), Reason.BAD_REDIRECT),
    "elsewhere": (redirect("http://elsewhere.invalid/"), Reason.BAD_REDIRECT),
    "to-a-file": (redirect("file:///etc/passwd"), Reason.BAD_REDIRECT),
    "to-escapes": (redirect("http://\x1b[31m\x07/"), Reason.BAD_REDIRECT),
    "to-the-inside": (redirect("http://images.unsplash.com/a"), Reason.PRIVATE_ADDRESS),
    "noai": (body(JPEG, X_Robots_Tag="noindex, NoAI"), Reason.OPTED_OUT),
    "hang-up": (hang_up, Reason.CONNECTION_ERROR),
    "no-http": (raw(b"SSH-2.0 \x1b]0;owned\x07\r\n"), Reason.CONNECTION_ERROR),
    "thousands-of-headers": (answer(b"X: y\r\n" * 5000 + LENGTH), Reason.CONNECTION_ERROR),
    "header-of-megabytes": (answer(b"X: " + b"y" * 3_000_000 + b"\r\n"), Reason.CONNECTION_ERROR),
}

SLOW: Mapping[str, tuple[Route, Reason | None]] = {
    "good": (body(JPEG), WRITTEN),
    "stall": (stall, Reason.TIMEOUT),
    "drip": (drip(JPEG, every=1), Reason.TIMEOUT),
    "drip-headers": (drip_headers(every=1), Reason.TIMEOUT),
}


def write_table(folder: Path, urls: Mapping[str, str]) -> Path:
    folder.mkdir()
    rows = [f"{id}\t{url}" for id, url in urls.items()]
    (folder / "photos.tsv000").write_text("\n".join(["photo_id\tphoto_image_url", *rows]) + "\n", "utf-8")
    return folder


@pytest.fixture
def inside(tmp_path: Path) -> str:
    """A PYTHONPATH by which a hostile name server sends images.unsplash.com to a cloud's metadata."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import socket\n"
        "really = socket.getaddrinfo\n"
        "def look_up(host, *args, **settings):\n"
        "    return really('169.254.169.254' if host == 'images.unsplash.com' else host, *args, **settings)\n"
        "socket.getaddrinfo = look_up\n"
    )
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


@pytest.fixture
def limiting() -> Iterator[str]:
    """A host that asks for an hour's pause."""
    with PictureServer({"/a": status(429, Retry_After=3600)}) as server:
        yield server.host


def test_each_record_is_written_or_has_its_reason(
    esclip: Esclip, tmp_path: Path, inside: str, limiting: str
) -> None:
    """Of an ingest by the command line all records are accounted for, and only pictures are kept."""
    closed = f"127.0.0.1:{unused_port()}"
    with PictureServer({f"/{kind}": route for kind, (route, _) in KINDS.items()}) as server:
        urls = {kind: server.url(f"/{kind}") for kind in KINDS}
        expected = {kind: reason for kind, (_, reason) in KINDS.items()}
        others = {
            "pause": (f"http://{limiting}/a", Reason.HTTP_429),
            "dns": ("http://nonexistent.invalid/a", Reason.DNS_ERROR),
            "tls": (f"https://{server.host}/good", Reason.TLS_ERROR),
            "closed": (f"http://{closed}/a", Reason.CONNECTION_ERROR),
            "unsplash": ("https://images.unsplash.com/a", Reason.PRIVATE_ADDRESS),
            "foreign": ("http://169.254.169.254/latest/meta-data", Reason.BAD_URL),
            "password": (f"http://me:secret@{server.host}/good", Reason.BAD_URL),
            "long": (f"http://{server.host}/{'a' * 100_000}", Reason.BAD_URL),
            "port": ("http://127.0.0.1:99999/a", Reason.BAD_URL),
            "scheme": ("file:///etc/passwd", Reason.BAD_URL),
            "script": ("http://b\u00fccher\u202e.invalid/a", Reason.BAD_URL),
        }
        urls |= {kind: url for kind, (url, _) in others.items()}
        expected |= {kind: reason for kind, (_, reason) in others.items()}
        folder = write_table(tmp_path / "unsplash", urls)
        kept = tmp_path / "rejections.jsonl"
        command: list[str | Path] = ["ingest", folder, "--encoder", "palette", "--json", "--rejections", kept]
        command += ["--max-rejection-rate", "1", "--cache", tmp_path / "cache"]
        for host in (server.host, limiting, closed, "nonexistent.invalid"):
            command += ["--allow-host", host]
        report = esclip(*command, PYTHONPATH=inside).json
    rejections = {each["id"]: each for each in map(json.loads, kept.read_text("utf-8").splitlines())}
    found = {kind: rejections[kind]["reason"] if kind in rejections else WRITTEN for kind in expected}
    assert found == {kind: reason.value if reason else WRITTEN for kind, reason in expected.items()}
    written = sum(reason is WRITTEN for reason in expected.values())
    assert (report["read"], report["written"], report["skipped"]) == (len(expected), written, 0)
    assert report["rejected"] == len(rejections) == len(expected) - written
    assert report["rejections"] == Counter(each["reason"] for each in rejections.values())
    assert all(each["detail"].isprintable() and len(each["detail"]) <= 500 for each in rejections.values())
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in files] == [JPEG] * written


def test_opt_outs_are_ignored_when_told_so(esclip: Esclip, tmp_path: Path) -> None:
    """With `--ignore-robots-tag` an opted-out picture is written, but never kept for runs without."""
    with PictureServer({"/a": body(JPEG, X_Robots_Tag="noai")}) as server:
        folder = write_table(tmp_path / "unsplash", {"a": server.url("/a")})
        command = ["ingest", folder, "--encoder", "palette", "--json", "--allow-host", server.host]
        written = esclip(*command, "--ignore-robots-tag", "--index", "one").json
        assert (written["written"], written["rejected"]) == (1, 0)
        refused = esclip(*command, "--max-rejection-rate", "1", "--index", "two").json
        assert refused["rejections"] == {"opted_out": 1}


def test_slow_servers_have_as_long_as_any(tmp_path: Path) -> None:
    """Answers, heads and bodies that drip a byte a second are given up at the deadline."""
    with ExitStack() as opened:
        server = opened.enter_context(PictureServer({f"/{kind}": route for kind, (route, _) in SLOW.items()}))
        mute = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        urls = {kind: server.url(f"/{kind}") for kind in SLOW}
        urls["handshake"] = f"https://127.0.0.1:{mute.getsockname()[1]}/a"
        report = run(write_table(tmp_path / "unsplash", urls), timeout=2.5)
    assert (report.read, report.written, report.rejected) == (5, 1, 4)
    assert report.rejections == {Reason.TIMEOUT: 4}
    assert report.seconds < 20


def run(folder: Path, timeout: float) -> IngestReport:
    """An ingest whose pictures have less time than the command line gives them."""
    encoder, store = load_encoder("palette"), MemoryStore("index")
    source = open_source([folder])
    store.ensure_index(IndexSchema(encoder.space, tuple(source.fields), (encoder.runtime,)))
    progress = IngestProgress(store, "palette", {"max_rejection_rate": 1})
    stop = CancelToken()
    with Fetcher(HostPolicy({"127.0.0.1"}), workers=8, timeout=timeout, stopped=stop.event) as fetcher:
        ingest(source, Steps(encoder, store, fetcher, progress, stop, batch_size=4, workers=8))
    return progress.report()
