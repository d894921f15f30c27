"""The files of deploy/: the site in a real nginx, the unit by systemd's own check, names by the code."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from email.message import Message
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from esclip import open_index
from tests.meta.test_snapshots import read_snapshot
from tests.search_servers import searching
from tests.servers import unused_port

DEPLOY = Path(__file__).parents[2] / "deploy"
TOKEN = "s3cret-t0ken"

needs_nginx = pytest.mark.skipif(
    not shutil.which("nginx"), reason="no nginx here: apt-get install nginx-light"
)


@pytest.fixture
def proxied(tmp_path: Path, photos: Path) -> Iterator[int]:
    """The port of an nginx with TLS in front of a service with an index."""
    with open_index(tmp_path / "store", encoder="palette") as index:
        index.ingest(photos)
    names = frozenset({"photos.example.org"})
    index = open_index(tmp_path / "store")
    with searching(index, tmp_path / "cache", token=TOKEN, hosts=names) as server:
        port = unused_port()
        nginx = subprocess.Popen(
            ["nginx", "-c", _configure(tmp_path, int(server.address.rpartition(":")[2]), port)]
        )
        try:
            _await_tls(port)
            yield port
        finally:
            nginx.terminate()
            nginx.wait(10)


def _configure(folder: Path, upstream: int, port: int) -> str:
    """A configuration for the site as it is in deploy/, whose files are in this folder."""
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=photos",
    ]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run(request + files, check=True, capture_output=True)
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    for name, value in {
        "ESCLIP_HOST": "photos.example.org",
        "ESCLIP_UPSTREAM": f"127.0.0.1:{upstream}",
        "ESCLIP_CERTIFICATES": str(folder),
    }.items():
        site = site.replace(f"${{{name}}}", value)
    assert not re.search(r"\$\{\w", site)
    site = site.replace(
        "listen 443 ssl;\n    http2 on;", f"listen 127.0.0.1:{port} ssl;"
    )  # nginx 1.25 has http2
    places = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;"
    (folder / "nginx.conf").write_text(f"{main} events {{}} http {{ access_log off; {places}\n{site} }}")
    return str(folder / "nginx.conf")


def _await_tls(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            _ask(port, "GET", "/livez")
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("nginx does not come up")


def _ask(
    port: int, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> tuple[int, Message, bytes]:
    connection = HTTPSConnection("127.0.0.1", port, timeout=20, context=ssl._create_unverified_context())
    sent = {"Host": f"photos.example.org:{port}", **(headers or {})}
    connection.request(method, path, body, sent)
    response = connection.getresponse()
    answer = response.status, response.headers, response.read()
    connection.close()
    return answer


@needs_nginx
def test_the_proxy_passes_on_what_the_service_needs(proxied: int) -> None:
    """Names, tokens, sessions of the page's own origin; a strange origin is refused, metrics stay inside."""
    assert _ask(proxied, "GET", "/v1/search?q=red")[0] == 401
    bearer = {"Authorization": f"Bearer {TOKEN}", "Accept-Encoding": "gzip"}
    status, headers, _ = _ask(proxied, "GET", "/v1/search?q=red&k=1", bearer)
    assert (status, headers["Content-Encoding"]) == (200, "gzip")
    assert "max-age" in headers["Strict-Transport-Security"]
    own = {"Origin": f"https://photos.example.org:{proxied}", "Content-Type": "application/json"}
    status, headers, _ = _ask(proxied, "POST", "/session", own, json.dumps({"token": TOKEN}).encode())
    assert status == 204
    assert "; secure" in headers["Set-Cookie"].lower()
    session = {"Cookie": headers["Set-Cookie"].partition(";")[0], "Accept-Encoding": "gzip, identity"}
    hit = {"Content-Type": "application/json", "Accept-Encoding": "identity", "Cookie": session["Cookie"]}
    status, _, found = _ask(proxied, "GET", "/v1/search?q=red&k=1", hit)
    assert status == 200
    status, headers, jpeg = _ask(proxied, "GET", json.loads(found)["hits"][0]["picture"], session)
    assert (status, jpeg[:2], headers["Content-Encoding"]) == (200, b"\xff\xd8", None)
    query = b'{"parts": [{"text": "red"}]}'
    assert _ask(proxied, "POST", "/v1/search", session | own, query)[0] == 200
    assert (
        _ask(proxied, "POST", "/v1/search", session | own | {"Origin": "https://evil.example"}, b"{}")[0]
        == 403
    )
    assert _ask(proxied, "GET", "/metrics", bearer)[0] == 404


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """The unit has no setting that systemd doesn't know, and its command is `esclip`."""
    unit = (DEPLOY / "esclip-serve.service").read_text("utf-8")
    (command,) = re.findall(r"^ExecStart=(\S+)", unit, re.MULTILINE)
    copy = tmp_path / "esclip-serve.service"
    copy.write_text(unit.replace(command, sys.executable), encoding="utf-8")
    ran = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert Path(command).name == "esclip"


def test_commands_have_the_options_that_are_given() -> None:
    """What the containers and the unit start is `esclip serve` with options that it has."""
    flags = "\n".join(read_snapshot("flags"))
    for name in ("compose.yaml", "esclip-serve.service"):
        lines = re.findall(r"^.*\bserve\b,? .*$", (DEPLOY / name).read_text("utf-8"), re.MULTILINE)
        given = re.findall(r"--[a-z-]+", "".join(lines))
        assert given
        assert all(flag in flags for flag in given)


def test_the_panels_show_metrics_that_there_are() -> None:
    """Each name in the Grafana panels is one that /metrics has, with its labels."""
    from esclip._server.metrics import Metrics

    metrics = Metrics()
    metrics.end("GET", "/v1/search", 200, 0.01)
    metrics.observe_stage("encode", 0.01)
    shown = metrics.response().body.decode()
    board = json.loads((DEPLOY / "grafana.json").read_text("utf-8"))
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(queries) > 8
    for query in queries:
        (name,) = set(re.findall(r"\b(?:http|esclip)_\w+(?=\{)", query))
        assert name in shown
        chosen = set(re.findall(r'(\w+)=~?"', query)) - {"job"}
        grouped = {name for names in re.findall(r"by \(([^)]*)\)", query) for name in names.split(", ")}
        assert all(f"{label}=" in shown for label in chosen | grouped), query
