"""What goes between a remote encoder and `esclip serve-encoder`, as text, heard by no code of either."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

__all__ = ["render_encoder_protocol"]

TOKEN = "s3cret"
SIDE = 64
"""Of pictures as the palette encoder wants them."""
HEADERS = ("Content-Type", "Authorization", "Esclip-Space", "Www-Authenticate", "Allow", "Retry-After")
PIXELS = np.concatenate([np.full((1, SIDE, SIDE, 3), value, np.uint8) for value in (0, 255)]).tobytes()
TEXTS = json.dumps({"texts": ["red", "blue and white"]}).encode()
OCTETS, JSON = "application/octet-stream", "application/json"

SPACE = re.compile(r"Esclip-Space: (.+)")

CLIENT = """
import sys
from PIL import Image
import esclip

encoder = esclip.load_encoder(sys.argv[1], token=sys.argv[2])
encoder.encode_texts(["red", "blue and white"])
encoder.encode_images([encoder.preprocess(Image.new("RGB", (9, 9), color)) for color in ("black", "white")])
"""


def render_encoder_protocol() -> str:
    """Requests as anybody may send them with their answers, then those of esclip's own encoder."""
    with _serving() as address:
        sent = _requests_of_a_client(address)
        space = next(match[1] for match in map(SPACE.search, sent) if match)
        told = [
            _exchange(address, "GET", "/health", token=None),
            _exchange(address, "GET", "/v1/encoder"),
            _exchange(address, "POST", "/v1/images", PIXELS, OCTETS, space),
            _exchange(address, "POST", "/v1/texts", TEXTS, JSON, space),
            _exchange(address, "POST", "/v1/texts", TEXTS, JSON, ""),
            _exchange(address, "POST", "/v1/texts", TEXTS, JSON, "another space"),
            _exchange(address, "POST", "/v1/texts", b"{}", JSON, space),
            _exchange(address, "POST", "/v1/images", b"123", OCTETS, space),
            _exchange(address, "POST", "/v1/images", PIXELS, JSON, space),
            _exchange(address, "GET", "/v1/encoder", token=None),
            _exchange(address, "GET", "/v1/texts"),
            _exchange(address, "GET", "/v2"),
        ]
    parts = ["What a server answers", *told, "What esclip sends", *sent]
    return "\n\n".join(parts) + "\n"


@contextmanager
def _serving() -> Iterator[str]:
    """The host and port of a server of the palette encoder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ESCLIP_")}
    command = ["serve-encoder", "--encoder", "palette", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "esclip", *command],
        env=inherited | {"ESCLIP_ENCODER_TOKEN": TOKEN},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr
            line = process.stderr.readline()
            found = re.search(r"http://([\d.]+:\d+)", line)
            assert found, line
            yield found[1]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _ask(
    address: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, body, headers or {"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        return answer.status, dict(answer.headers.items()), answer.read()
    finally:
        connection.close()


def _exchange(
    address: str,
    method: str,
    path: str,
    body: bytes = b"",
    kind: str = "",
    space: str = "",
    token: str | None = TOKEN,
) -> str:
    headers = {"Content-Type": kind, "Esclip-Space": space}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    headers = {name: value for name, value in headers.items() if value} or {"Accept": "*/*"}
    status, answered, answer = _ask(address, method, path, body, headers)
    request = _show(">", f"{method} {path}", headers, body)
    return f"{request}\n{_show('<', str(status), answered, answer)}"


def _show(mark: str, first: str, headers: Mapping[str, str], body: bytes) -> str:
    headers = {name.title(): value for name, value in headers.items()}
    lines = [first, *(f"{name}: {headers[name]}" for name in HEADERS if name in headers)]
    return "\n".join(
        f"{mark} {line}" for line in [*lines, *_show_body(headers.get("Content-Type", ""), body)]
    )


def _show_body(kind: str, body: bytes) -> list[str]:
    if not body:
        return []
    if len(body) % (SIDE * SIDE * 3) == 0:
        pictures = np.frombuffer(body, np.uint8).reshape(-1, SIDE, SIDE, 3)
        return [f"uint8, {pictures.shape}: means of pictures {pictures.mean((1, 2, 3))}"]
    if kind == JSON:
        told = json.loads(body)
        return json.dumps(told | ({"error": "WORDS"} if "error" in told else {}), indent=1).splitlines()
    if len(body) % 4 == 0:
        rows = np.frombuffer(body, "<f4").reshape(-1, 12)
        return [f"float32, little-endian, {rows.shape}", *(str(row.round(4).tolist()) for row in rows)]
    return [repr(body)]


def _requests_of_a_client(address: str) -> list[str]:
    """What esclip's own encoder sends to a server, as one between them hears it."""
    heard: list[str] = []

    class Between(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            heard.append(_show(">", f"{self.command} {self.path}", dict(self.headers.items()), body))
            passed = {name: self.headers[name] for name in HEADERS if name in self.headers}
            status, headers, answer = _ask(address, self.command, self.path, body, passed)
            self.send_response(status)
            self.send_header("Content-Type", headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            own = f"http://127.0.0.1:{server.server_port}"
            subprocess.run([sys.executable, "-c", CLIENT, own, TOKEN], check=True)
        finally:
            server.shutdown()
            thread.join()
    return heard
