"""An encoder at an address: what the client promises, whatever the server does."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from esclip import load_encoder
from esclip._concurrency import cancellation as cancellation
from esclip._errors import ConfigError, EncoderError
from esclip._net import server_client
from esclip._net.session import FOREIGN_ERRORS
from esclip._protocols import Encoder
from esclip._server.encoder_app import EncoderApp
from esclip._server.http_server import HttpServer
from esclip.encoders.palette import PaletteEncoder
from esclip.encoders.remote.encoder import RemoteEncoder
from esclip.encoders.remote.protocol import EncoderInfo, pack_vectors
from esclip.testing.encoder import EncoderContract, RecordingEncoder, sample_images
from tests.encoder_servers import served
from tests.servers import PictureServer, Route, body, cut_off, hang_up, in_turn, status, unused_port

PALETTE = PaletteEncoder()
PICTURES = [PALETTE.preprocess(picture) for picture in sample_images()]
VECTORS = PALETTE.encode_images(PICTURES)
ABOUT = EncoderInfo(PALETTE.space, PALETTE.preprocess, "palette", 1 << 20).to_json()
JSON, BYTES = {"Content_Type": "application/json"}, {"Content_Type": "application/octet-stream"}


@pytest.fixture
def server() -> Iterator[HttpServer[EncoderApp]]:
    with served() as running:
        yield running


class TestRemoteEncoder(EncoderContract):
    @pytest.fixture
    def encoder(self, server: HttpServer[EncoderApp]) -> Encoder:
        return load_encoder(server.address)

    @pytest.fixture
    def again(self, server: HttpServer[EncoderApp]) -> Encoder:
        return load_encoder(server.address)


def flaky(images: Route, **about: Any) -> PictureServer:
    """A server that describes itself as palette's, and answers pictures as told."""
    said = body(json.dumps(ABOUT | about).encode(), **JSON)
    return PictureServer({"/v1/encoder": said, "/v1/images": images, "/v1/texts": images})


def connect(server: PictureServer, *, timeout: float = 5.0) -> RemoteEncoder:
    return RemoteEncoder(server.url(""), timeout=timeout, backoff=0.01)


def test_it_is_what_is_served(server: HttpServer[EncoderApp]) -> None:
    """The space is the served model's to the letter; the runtime also says where that is."""
    encoder = load_encoder(server.address + "/")
    assert encoder.space == PALETTE.space
    assert encoder.runtime == f"palette, at {server.address}"
    assert encoder.useful_side == PALETTE.useful_side
    assert encoder.encode_concurrency > 1
    assert encoder.logit_scale == PALETTE.logit_scale
    np.testing.assert_array_equal(encoder.encode_images(PICTURES), VECTORS)


def test_a_server_that_tells_no_scale() -> None:
    """Servers of older versions are taken for CLIP's, whose scale is known."""
    older = {name: value for name, value in ABOUT.items() if name != "logit_scale"}
    with PictureServer({"/v1/encoder": body(json.dumps(older).encode(), **JSON)}) as server:
        assert connect(server).logit_scale == 100


def test_requests_are_split_by_the_servers_limit() -> None:
    """A batch that is larger than a request may be travels in several, and so do many or long texts."""
    with served(max_body=30_000) as server:
        encoder = load_encoder(server.address)
        np.testing.assert_array_equal(encoder.encode_images(PICTURES), VECTORS)
        texts = ["red " * 1000, "blue", "", "grün"] * 5 + ["pink"] * 2100
        np.testing.assert_array_equal(encoder.encode_texts(texts), PALETTE.encode_texts(texts))
        with pytest.raises(EncoderError, match="takes no text of 40"):
            encoder.encode_texts(["red", "red " * 10_000])


def test_any_text_can_be_sent(server: HttpServer[EncoderApp]) -> None:
    """Quotes, control characters and half a surrogate pair reach the server, or what stands for them."""
    texts = ['"red"', "red\x00\n", "red \ud83d", "\U0001f534 red"]
    assert np.isfinite(load_encoder(server.address).encode_texts(texts)).all()


def test_a_picture_without_direction_stays_one() -> None:
    """A row of NaN comes back as such, beside rows that are none."""
    rows = VECTORS[:2].copy()
    rows[0] = np.nan
    with flaky(body(pack_vectors(rows), **BYTES)) as server:
        got = connect(server).encode_images(PICTURES[:2])
    assert np.isnan(got[0]).all()
    np.testing.assert_array_equal(got[1], VECTORS[1])


def test_pixels_of_another_encoder_are_a_programming_error(server: HttpServer[EncoderApp]) -> None:
    """Pixels of another shape are not sent."""
    with pytest.raises(ValueError, match="not from this preprocess"):
        load_encoder(server.address).encode_images([np.zeros((3, 224, 224), np.uint8)])


@pytest.mark.parametrize(
    "trouble",
    [
        status(503),
        status(503, Retry_After=0),
        status(429),
        status(502),
        status(504),
        hang_up,
        cut_off(b"half", 48),
    ],
)
def test_what_may_pass_is_tried_again(trouble: Route) -> None:
    """A server that is busy, restarts, or breaks off is asked again, and nobody notices."""
    answer = body(pack_vectors(VECTORS[:1]), **BYTES)
    with flaky(in_turn(trouble, trouble, answer)) as server:
        np.testing.assert_array_equal(connect(server).encode_images(PICTURES[:1]), VECTORS[:1])
        assert server.requests["/v1/images"] == 3


def test_retry_after_is_honoured() -> None:
    """The server says when it wants to be asked again; later than the deadline is at once an error."""
    answer = body(pack_vectors(VECTORS[:1]), **BYTES)
    with flaky(in_turn(status(503, Retry_After=1), answer)) as server:
        began = time.monotonic()
        connect(server).encode_images(PICTURES[:1])
        assert time.monotonic() - began > 0.9
    with flaky(status(503, Retry_After=3600)) as server:
        with pytest.raises(EncoderError, match="busy or not ready"):
            connect(server).encode_images(PICTURES[:1])
        assert server.requests["/v1/images"] == 1


def test_a_restarted_server_is_found_again() -> None:
    """An encoder lives on while its server is away for a moment."""
    with served() as server:
        encoder = RemoteEncoder(server.address, timeout=20, backoff=0.05)
        encoder.encode_texts(["red"])
        port = int(server.address.rpartition(":")[2])
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(encoder.encode_images, PICTURES)
        time.sleep(0.3)
        with served(port=port):
            np.testing.assert_array_equal(asked.result(), VECTORS)


def test_a_server_with_another_model_is_refused() -> None:
    """A server that was restarted with another model doesn't mix spaces."""
    with served() as server:
        encoder = RemoteEncoder(server.address, timeout=5, backoff=0.01)
        port = int(server.address.rpartition(":")[2])

    class Other(PaletteEncoder):
        @property
        def space(self) -> Any:
            return type(super().space)("palette", "palette", "palette-2", "other pixels", 12)

    with served(Other(), port=port), pytest.raises(EncoderError, match="another model"):
        encoder.encode_images(PICTURES)


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (body(pack_vectors(VECTORS[:2]), **BYTES), "more than 48 bytes"),
        (body(pack_vectors(VECTORS[:1])[:-1], **BYTES), "47 bytes instead of 1 vector of 12"),
        (body(b"", **BYTES), "0 bytes"),
        (body(pack_vectors(2 * VECTORS[:1]), **BYTES), "not of unit length"),
        (body(pack_vectors(np.full((1, 12), np.inf, np.float32)), **BYTES), "not of unit length"),
        (status(404), "no esclip encoder server"),
        (status(302, Location="http://example.org/"), "no esclip encoder server"),
        (status(413), "as much as the server takes"),
        (status(500), "failed"),
    ],
)
def test_an_answer_that_is_wrong_is_an_error(images: Route, says: str) -> None:
    """Answers are checked, and what is wrong is told at once, not tried again."""
    with flaky(images) as server:
        with pytest.raises(EncoderError, match=says) as raised:
            connect(server).encode_images(PICTURES[:1])
        assert server.requests["/v1/images"] == 1
        assert server.url("") in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (status(404), "no esclip encoder server"),
        (body(b"<html>hello</html>", Content_Type="text/html"), "no esclip encoder server"),
        (body(b"[]", **JSON), "no esclip encoder server"),
        (body(b'{"version": {"number": "3.1.0"}}', **JSON), "no esclip encoder server"),
        (body(b"x" * (2 << 20)), "more than 1048576 bytes"),
        (body(json.dumps(ABOUT | {"protocol": 2}).encode(), **JSON), "version 2 of the protocol"),
        (body(json.dumps(ABOUT | {"max_body": 10}).encode(), **JSON), "no esclip encoder server"),
        (body(json.dumps(ABOUT | {"logit_scale": -1}).encode(), **JSON), "no esclip encoder server"),
        (body(json.dumps(ABOUT | {"logit_scale": [5]}).encode(), **JSON), "no esclip encoder server"),
        (body(json.dumps(ABOUT | {"space": {"dim": 3}}).encode(), **JSON), "no esclip encoder server"),
        (
            body(json.dumps(ABOUT | {"preprocessing": {"width": 9, "height": -1}}).encode(), **JSON),
            "no esclip encoder server",
        ),
        (
            body(json.dumps(ABOUT | {"space": ABOUT["space"] | {"model": "http://x"}}).encode(), **JSON),
            "no esclip encoder server",
        ),
    ],
)
def test_a_server_that_is_something_else_is_named(answer: Route, says: str) -> None:
    """What answers at the address but is no encoder server that we know is an error in one line."""
    with PictureServer({"/v1/encoder": answer}) as server:
        with pytest.raises(EncoderError, match=says) as raised:
            connect(server)
        assert len(str(raised.value).splitlines()) == 1


def test_no_server_says_how_to_start_one() -> None:
    """An address at which nobody listens is an error with the command for it, within the deadline."""
    address = f"http://127.0.0.1:{unused_port()}"
    with pytest.raises(EncoderError, match=f"{address} can't be reached .*esclip serve-encoder"):
        RemoteEncoder(address, timeout=0.3, backoff=0.01)


@pytest.mark.parametrize(
    ("address", "token", "says"),
    [
        ("http://", None, "https://host:8090"),
        ("http://host:port", None, "https://host:8090"),
        ("http://user:password@host", "token", "not both"),
        ("http://host", "to\nken", "characters"),
        ("http://host", "", "characters"),
    ],
)
def test_settings_that_cannot_be_used(address: str, token: str | None, says: str) -> None:
    """An address or a token that can't be used is a setting's error, and the token is not in it."""
    with pytest.raises(ConfigError, match=says) as raised:
        load_encoder(address, token=token)
    assert "password" not in str(raised.value)
    assert "ken" not in str(raised.value).replace("token", "")


def test_a_text_encoder_is_the_servers() -> None:
    """A text encoder beside an address is a setting that can't be meant."""
    with pytest.raises(ConfigError, match="clip-multi"):
        load_encoder("http://127.0.0.1:9", "clip-multi")


def test_the_token_opens(caplog: pytest.LogCaptureFixture) -> None:
    """With the server's token all works; with another or none the error says how to give it."""
    with served(token="s3cret") as server, caplog.at_level(logging.DEBUG):
        encoder = load_encoder(server.address, token="s3cret")
        np.testing.assert_array_equal(encoder.encode_images(PICTURES), VECTORS)
        for wrong in ("s3cre", "s3cret1", None):
            with pytest.raises(EncoderError, match="encoder_token") as raised:
                load_encoder(server.address, token=wrong)
            assert "s3cre" not in str(raised.value)
    assert "s3cret" not in repr(encoder) + str(encoder.space) + encoder.runtime + caplog.text


def test_secrets_are_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Credentials of the address reach the server, and not even its own echo of them is repeated."""

    def refuse(exchange: Any) -> None:
        words = json.dumps({"error": f"no {exchange.headers['Authorization']} hunter2"}).encode()
        exchange.head(400, Content_Length=len(words))
        exchange.wfile.write(words)

    with flaky(refuse) as server, caplog.at_level(logging.DEBUG):
        encoder = RemoteEncoder(server.url("").replace("//", "//me:hunter2@"), timeout=1)
        with pytest.raises(EncoderError) as raised:
            encoder.encode_images(PICTURES)
        assert server.headers_seen[-1]["Authorization"] == "Basic bWU6aHVudGVyMg=="
    shown = f"{raised.value}{encoder!r}{encoder.runtime}{encoder.space}{caplog.text}"
    assert "hunter2" not in shown
    assert "bWU6" not in shown


def test_small_requests_share_a_batch() -> None:
    """What many clients ask for at once is encoded together, in batches that are never too large."""
    recording = RecordingEncoder(seconds=0.1)
    with served(recording) as server, ThreadPoolExecutor(24) as pool:
        encoder = load_encoder(server.address)
        answers = list(pool.map(lambda pixels: encoder.encode_images([pixels]), PICTURES * 2))
    np.testing.assert_array_equal(np.concatenate(answers), np.concatenate([VECTORS, VECTORS]))
    assert sum(recording.batches) == 24
    assert max(recording.batches) <= 8
    assert len(recording.batches) <= 8


def test_a_large_request_is_spread_over_batches() -> None:
    """One request with more than a batch is encoded in several, and its rows come back in order."""
    recording = RecordingEncoder()
    with served(recording, batch_size=5) as server:
        np.testing.assert_array_equal(load_encoder(server.address).encode_images(PICTURES), VECTORS)
    assert recording.batches == [5, 5, 2]


def test_a_failing_batch_is_told_and_survived() -> None:
    """A forward pass that fails is an error of those whose batch it was; the next one works."""
    recording = RecordingEncoder()
    with served(recording) as server:
        encoder = load_encoder(server.address)
        recording.broken = True
        with pytest.raises(EncoderError, match=r"failed .*out of memory on the device"):
            encoder.encode_images(PICTURES)
        recording.broken = False
        np.testing.assert_array_equal(encoder.encode_images(PICTURES), VECTORS)


@pytest.mark.parametrize("images", [status(503, Retry_After=20), lambda exchange: exchange.pause(30)])
def test_a_request_that_is_no_longer_wanted_ends(images: Route) -> None:
    """An ingest that is stopped waits neither for a server that hangs nor for the next try."""
    stopped = threading.Event()

    def ask(encoder: Encoder) -> None:
        with cancellation.scope(stopped):
            encoder.encode_images(PICTURES[:1])

    with flaky(images) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, connect(server, timeout=60))
        time.sleep(0.3)
        began = time.monotonic()
        stopped.set()
        with pytest.raises(CancelledError):
            asked.result()
        assert time.monotonic() - began < 2


def test_no_foreign_exception_is_unmapped() -> None:
    """The last row of the table fits all that a request can raise."""
    assert server_client._FOREIGN[-1][0] is FOREIGN_ERRORS


def test_it_needs_no_torch(server: HttpServer[EncoderApp]) -> None:
    """A client of a server imports neither torch nor transformers, nor the server's own library."""
    code = (
        "import sys; from esclip import load_encoder; load_encoder(sys.argv[1]).encode_texts(['red']);"
        "print(sorted({'torch', 'transformers', 'huggingface_hub', 'uvicorn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, server.address], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
