"""An encoder server by its own protocol, with clients that mean well and others."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import numpy as np
import pytest

from esclip._core.types import Vectors
from esclip._errors import ConfigError, EncoderError, Hint
from esclip._server.dynamic_batching import Batcher, BatchFailed, QueueFull
from esclip._server.encoder_app import EncoderApp, open_server
from esclip._server.http_server import HttpServer
from esclip.encoders.palette import PaletteEncoder
from esclip.testing.encoder import RecordingEncoder, sample_images
from tests.encoder_servers import served
from tests.servers import unused_port

PALETTE = PaletteEncoder()
PICTURE = PALETTE.preprocess(sample_images(1)[0]).tobytes()
BYTES = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
POST = b"POST /v1/images HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
TOKEN = {"Authorization": "Bearer s3cret"}


def ask(
    server: HttpServer[EncoderApp], method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, Any]:
    """The status and the answer's body, which is JSON wherever it isn't vectors."""
    connection = HTTPConnection(server.address.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        told = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(data) if told else data
    finally:
        connection.close()


def send_raw(server: HttpServer[EncoderApp], data: bytes) -> bytes:
    """What comes back for these bytes until the server hangs up, or a second passes."""
    host, _, port = server.address.removeprefix("http://").rpartition(":")
    got = b""
    with socket.create_connection((host, int(port)), timeout=1) as connection:
        connection.sendall(data)
        try:
            while chunk := connection.recv(4096):
                got += chunk
        except TimeoutError:
            pass
    return got


def test_vectors_by_curl() -> None:
    """The protocol is simple enough to be used by hand."""
    with served() as server:
        status, about = ask(server, "GET", "/v1/encoder")
        assert (status, about["protocol"], about["space"]["model"]) == (200, 1, "palette")
        assert about["preprocessing"]["width"] == 64
        status, vectors = ask(server, "POST", "/v1/images", PICTURE * 2, **BYTES)
        assert (status, len(vectors)) == (200, 2 * 12 * 4)
        status, vectors = ask(server, "POST", "/v1/texts", b'{"texts": ["red"]}', **JSON)
        assert status == 200
        np.testing.assert_array_equal(np.frombuffer(vectors, "<f4"), PALETTE.encode_texts(["red"])[0])


def test_health_tells_what_was_done_and_no_secret() -> None:
    """Health needs no token, counts what was encoded, and holds nothing that a token protects."""
    with served(token="s3cret") as server:
        ask(server, "POST", "/v1/images", PICTURE * 20, **BYTES, **TOKEN)
        ask(server, "POST", "/v1/texts", b'{"texts": ["red", "blue"]}', **JSON, **TOKEN)
        assert ask(server, "GET", "/health") == (
            200,
            {
                "status": "ok",
                "model": "palette",
                "runtime": "palette",
                "queued": 0,
                "images": 20,
                "texts": 2,
                "batches": 4,
            },
        )


@pytest.mark.parametrize("folder", ["/home/alice/models/our-clip", "./models/our-clip", "~/models/our-clip"])
def test_health_tells_no_folder_of_the_machine(folder: str) -> None:
    """Of a model that is a folder, whoever asks without a token is told the name, not where it lies."""
    with served(RecordingEncoder(model=folder), token="s3cret") as server:
        status, said = ask(server, "GET", "/health")
    assert (status, said["model"]) == (200, "our-clip")


def test_health_tells_of_an_encoder_that_fails() -> None:
    """While the last batch failed the server is not healthy, so that a monitor can restart it."""
    recording = RecordingEncoder()
    with served(recording) as server:
        recording.broken = True
        status, said = ask(server, "POST", "/v1/images", PICTURE, **BYTES)
        assert (status, said) == (500, {"error": "RuntimeError: out of memory on the device"})
        status, said = ask(server, "GET", "/health")
        assert (status, said["status"]) == (503, "failing")
        recording.broken = False
        assert ask(server, "POST", "/v1/images", PICTURE, **BYTES)[0] == 200
        assert ask(server, "GET", "/health")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "says"),
    [
        ("POST", "/v1/images", b"", BYTES, 400, "no whole pictures"),
        ("POST", "/v1/images", PICTURE[:-1], BYTES, 400, "no whole pictures of 64 x 64 x 3"),
        ("POST", "/v1/images", PICTURE + b"x", BYTES, 400, "no whole pictures"),
        ("POST", "/v1/images", PICTURE, JSON, 400, "application/octet-stream"),
        ("POST", "/v1/images", PICTURE, {}, 400, "application/octet-stream"),
        # only announced: who sends it may see the connection reset before the answer
        ("POST", "/v1/images", None, BYTES | {"Content-Length": f"{2 << 20}"}, 413, "at most 1,048,576"),
        ("POST", "/v1/images", PICTURE, BYTES | {"Esclip-Space": "another"}, 409, "palette"),
        ("POST", "/v1/texts", b"{", JSON, 400, "no JSON"),
        ("POST", "/v1/texts", b"\xff\xfe", JSON, 400, "no JSON"),
        ("POST", "/v1/texts", b"[" * 100_000, JSON, 400, "no JSON"),
        ("POST", "/v1/texts", b'["red"]', JSON, 400, "no texts"),
        ("POST", "/v1/texts", b'{"texts": "red"}', JSON, 400, "no texts"),
        ("POST", "/v1/texts", b'{"texts": ["red", 1]}', JSON, 400, "no texts"),
        ("POST", "/v1/texts", b'{"texts": []}', JSON, 400, "0 texts"),
        ("POST", "/v1/texts", json.dumps({"texts": [""] * 1025}).encode(), JSON, 400, "1,025 texts"),
        ("POST", "/v1/texts", b'{"texts": ["red"]}', BYTES, 400, "application/json"),
        ("GET", "/v1/images", None, {}, 405, "POST"),
        ("DELETE", "/health", None, {}, 405, "GET"),
        ("GET", "/", None, {}, 404, "'/'"),
        ("GET", "/v1/encoder/../../etc/passwd", None, {}, 404, "passwd"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    method: str, path: str, body: bytes | None, headers: dict[str, str], status: int, says: str
) -> None:
    """Each wrong request gets its status and one line of JSON, and the server goes on."""
    with served() as server:
        got, said = ask(server, method, path, body, **headers)
        assert got == status
        assert says in said["error"]
        assert len(said["error"].splitlines()) == 1
        assert ask(server, "POST", "/v1/images", PICTURE, **BYTES)[0] == 200


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 999999999999\r\n", 413),
        (b"Content-Length: 999999999999\r\nExpect: 100-continue\r\n", 413),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 1e3\r\n", 400),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"Transfer-Encoding: gzip\r\n", 501),
        (b"X: " + b"x" * 20_000 + b"\r\n", 431),
        (b"no header\r\n", 400),
    ],
)
def test_a_bad_head_is_answered_before_a_body_is_read(head: bytes, status: int) -> None:
    """A length that is too large, negative or none at all is refused, the body not waited for."""
    with served() as server:
        answer = send_raw(server, POST + head + b"\r\n")
        assert answer.startswith((b"HTTP/1.1 %d " % status, b"HTTP/1.0 %d " % status))
        assert "error" in json.loads(answer.partition(b"\r\n\r\n")[2])
        assert ask(server, "GET", "/health")[0] == 200


def test_a_long_body_of_unknown_length_is_cut() -> None:
    """A chunked body ends at the limit, whatever it announces."""
    head = POST + b"Transfer-Encoding: chunked\r\n"
    with served(max_body=20_000) as server:
        assert b" 413 " in send_raw(server, head + b"\r\n7000\r\n" + b"x" * 0x7000 + b"\r\n0\r\n\r\n")
        whole = b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(PICTURE), PICTURE)
        assert send_raw(server, head + b"Connection: close\r\n" + whole).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer s3cre", "bearer s3cret", "s3cret", "Bearer s\xe9cret", "Bearer s3cret1"]
)
def test_without_the_token_no_body_is_read(given: str) -> None:
    """A wrong token is refused at the head, whatever else is asked for, and what follows is not looked at."""
    second = b"GET /v1/encoder HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\n\r\n"
    with served(token="s3cret") as server:
        head = POST + b"Content-Length: 12288\r\nAuthorization: " + given.encode("latin-1")
        answer = send_raw(server, head + b"\r\n\r\n" + second)
        assert answer.startswith(b"HTTP/1.1 401 ")
        assert answer.count(b"HTTP/1.1") == 1
        assert b"palette" not in answer
        assert ask(server, "GET", "/v1/encoder")[0] == 401
        assert ask(server, "GET", "/v1/encoder", None, **TOKEN)[0] == 200


def test_a_client_that_hangs_up_hurts_nobody() -> None:
    """A body that ends early, or a client that doesn't wait for its answer, is no one else's trouble."""
    recording = RecordingEncoder(seconds=0.2)
    with served(recording) as server:
        host, _, port = server.address.removeprefix("http://").rpartition(":")
        for sent in (PICTURE[:100], PICTURE):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(POST + b"Content-Length: 12288\r\n\r\n" + sent)
        assert ask(server, "POST", "/v1/images", PICTURE, **BYTES)[0] == 200


def test_a_full_queue_says_when_to_come_again() -> None:
    """More than the queue holds is refused at once with Retry-After, and health still answers."""
    recording = RecordingEncoder(seconds=1)
    with served(recording, batch_size=24) as server, ThreadPoolExecutor(70) as pool:
        asked = [pool.submit(ask, server, "POST", "/v1/images", PICTURE, **BYTES) for _ in range(70)]
        time.sleep(0.8)
        assert ask(server, "GET", "/health")[1]["queued"] > 5
        statuses = [status for status, _ in (one.result() for one in asked)]
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 48


def test_stopping_finishes_what_is_in_flight() -> None:
    """A request that has arrived is answered after `stop`; a new one is sent away."""
    recording = RecordingEncoder(seconds=1)
    with served(recording) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, server, "POST", "/v1/images", PICTURE, **BYTES)
        while not recording.batches:
            time.sleep(0.01)
        server.stop()
        time.sleep(0.2)
        assert ask(server, "POST", "/v1/images", PICTURE, **BYTES)[0] == 503
        assert ask(server, "GET", "/health")[1]["status"] == "stopping"
        assert asked.result()[0] == 200


def opened(host: str = "127.0.0.1", port: int = 0, token: str | None = None, max_body: int = 1 << 20) -> str:
    server = open_server(PaletteEncoder(), host=host, port=port, token=token, batch_size=8, max_body=max_body)
    with server:
        return server.address


def test_settings_that_cannot_be_used() -> None:
    """A host or port that can't be had, a token that no header holds, and too small a limit are told."""
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        opened("192.0.2.1")
    with pytest.raises(ConfigError, match=r"no\.such\.host\.invalid"):
        opened("no.such.host.invalid")
    with pytest.raises(ConfigError, match="token"):
        opened(token="two words")
    with pytest.raises(EncoderError, match="12288"):
        opened(max_body=1000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=str(port)):
            opened(port=port)


def test_an_open_door_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Without a token, on more than this machine's own interface, a warning says so."""
    with caplog.at_level(logging.WARNING, logger="esclip"):
        assert opened(port=unused_port()).startswith("http://127.0.0.1:")
        opened("0.0.0.0", token="s3cret")
        assert not [record for record in caplog.records if "token" in record.getMessage()]
        opened("0.0.0.0")
    assert Hint.ENCODER_TOKEN in caplog.text


class TestBatcher:
    @staticmethod
    def square(items: Any) -> Vectors:
        return np.array([[item * item] for item in items], dtype=np.float32)

    def test_everyone_gets_their_own_rows(self) -> None:
        """Whatever the sizes and the number of workers, each caller's rows are its own, in order."""
        batcher: Batcher[int] = Batcher(self.square, size=7, workers=3, max_calls=100)
        with ThreadPoolExecutor(14) as pool:
            calls = [list(range(at, at + 1 + at % 30)) for at in range(200)]
            for call, rows in zip(calls, pool.map(batcher.encode, calls), strict=True):
                np.testing.assert_array_equal(rows, self.square(call))
        assert batcher.encoded == sum(map(len, calls))
        assert batcher.batches < 1.2 * batcher.encoded / 7
        assert batcher.queued == 0
        batcher.close()

    def test_a_failed_call_leaves_nothing_behind(self) -> None:
        """The rest of a call whose first batch failed is not encoded, nor counted as waiting."""
        seen: list[int] = []

        def fail_once(items: Any) -> Vectors:
            seen.append(len(items))
            if len(seen) == 1:
                raise ValueError("no")
            return self.square(items)

        batcher: Batcher[int] = Batcher(fail_once, size=5, workers=1, max_calls=10)
        with pytest.raises(BatchFailed, match="ValueError: no"):
            batcher.encode(range(50))
        np.testing.assert_array_equal(batcher.encode([3]), [[9]])
        assert (seen, batcher.queued) == ([5, 1], 0)
        batcher.close()

    def test_an_encoder_that_loses_rows_is_told(self) -> None:
        """Rows are never given to the wrong caller."""
        batcher: Batcher[int] = Batcher(lambda items: self.square(items[1:]), size=5, workers=1, max_calls=9)
        with pytest.raises(BatchFailed, match="2 vectors for 3 items"):
            batcher.encode([1, 2, 3])
        batcher.close()

    def test_no_more_callers_than_allowed(self) -> None:
        """Who is one too many is told so at once, and so is who comes after the end."""
        going = threading.Event()

        def wait(items: Any) -> Vectors:
            going.wait()
            return self.square(items)

        batcher: Batcher[int] = Batcher(wait, size=5, workers=1, max_calls=3)
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(batcher.encode, [at]) for at in range(3)]
            time.sleep(0.1)
            with pytest.raises(QueueFull):
                batcher.encode([1])
            going.set()
            assert [float(one.result()[0, 0]) for one in asked] == [0, 1, 4]
        batcher.close()
        with pytest.raises(QueueFull):
            batcher.encode([1])
