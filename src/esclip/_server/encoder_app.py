"""The application of an encoder server: an encoder for clients on other machines, in common batches.

request's head ─► authorize ─► body ─► pictures or texts ─► Batcher ─► vectors
                      └──────────┴────────────┴────────────────┴─► {"error": "..."}
"""

from __future__ import annotations

import logging
from http import HTTPStatus

import orjson
from PIL import Image

from esclip._core.schema import public_name
from esclip._core.types import Vectors
from esclip._errors import EncoderError, Hint
from esclip._errors.secrets import Secret
from esclip._net.server_client import authorization
from esclip._protocols import Encoder
from esclip._server.admission import BufferedApp
from esclip._server.dynamic_batching import Batcher, BatchFailed, QueueFull
from esclip._server.http import HttpError, Limits, RequestHead, Response, unavailable
from esclip._server.http_server import HttpServer
from esclip.encoders.preprocessing import Preprocessing
from esclip.encoders.remote import protocol

MAX_IMAGE_REQUESTS, MAX_TEXT_REQUESTS = 48, 12
"""Requests that wait for vectors at a time, each in a thread."""

_ROUTES = {
    protocol.HEALTH_PATH: ("GET", ""),
    protocol.ENCODER_PATH: ("GET", ""),
    protocol.IMAGES_PATH: ("POST", protocol.OCTET_STREAM),
    protocol.TEXTS_PATH: ("POST", protocol.JSON),
}

_log = logging.getLogger("esclip")


def check_encoder(encoder: Encoder) -> None:
    """Encode a picture and a text. Raises `EncoderError` when that fails."""
    encoder.encode_images([encoder.preprocess(Image.new("RGB", (64, 64), "red"))])
    encoder.encode_texts(["a red picture"])


def open_server(
    encoder: Encoder,
    *,
    host: str,
    port: int,
    token: str | None,
    batch_size: int,
    max_body: int,
    limits: Limits | None = None,
) -> HttpServer[EncoderApp]:
    """A server of the encoder at `host` and `port`. Call its `run`.

    Raises `EncoderError` for an encoder that can't be served, `ConfigError` for a setting that can't be used.
    """
    limits = limits or Limits()
    app = EncoderApp(encoder, token=token, batch_size=batch_size, max_body=max_body, limits=limits)
    server = HttpServer(app, host=host, port=port, limits=limits)
    if token is None and not server.is_local:
        _log.warning("%s can be used without a token; %s", server.address, Hint.ENCODER_TOKEN)
    return server


class EncoderApp(BufferedApp):
    """An encoder for many clients, their pictures in common batches of up to `batch_size`.

    Clients need the `token`, if there is one. `max_body` is in bytes.
    """

    def __init__(
        self, encoder: Encoder, *, token: str | None, batch_size: int, max_body: int, limits: Limits
    ) -> None:
        """Raises `EncoderError` for an encoder whose preprocessing can't be described to clients."""
        preprocess = encoder.preprocess
        if not isinstance(preprocess, Preprocessing):
            raise EncoderError(
                f"encoder {encoder.space.model} can't be served: its pixels have a format of their own"
            )
        self.about = protocol.EncoderInfo(
            encoder.space, preprocess, encoder.runtime, max_body, encoder.logit_scale
        )
        if max_body < self.about.picture_bytes:
            raise EncoderError(
                f"encoder {encoder.space.model} can't be served with bodies of {max_body} bytes: "
                f"a picture has {self.about.picture_bytes}; allow larger ones"
            )
        super().__init__(limits, max_body=max_body, concurrency=MAX_IMAGE_REQUESTS + MAX_TEXT_REQUESTS)
        self._authorization = authorization("encoder", Secret(token)) if token is not None else None
        self._images = Batcher(
            encoder.encode_images,
            size=batch_size,
            workers=encoder.encode_concurrency,
            max_calls=MAX_IMAGE_REQUESTS,
        )
        self._texts = Batcher(encoder.encode_texts, size=batch_size, workers=1, max_calls=MAX_TEXT_REQUESTS)

    def close(self) -> None:
        """Finish what waits, and end the threads."""
        self._images.close()
        self._texts.close()
        super().close()

    def authorize(self, head: RequestHead) -> None:
        """Let a request pass, or raise `HttpError`."""
        head.require_route(_ROUTES)
        if head.path == protocol.HEALTH_PATH:
            return
        if self._authorization is not None:
            head.require_authorization(self._authorization)
        head.require_body(_ROUTES[head.path][1], self.max_body)
        if head.header(protocol.SPACE_HEADER) not in ("", self.about.digest):
            raise HttpError(
                HTTPStatus.CONFLICT, f"this server encodes with {public_name(self.about.space.model)} now"
            )
        if self.stopping and head.method == "POST":
            raise unavailable("the server is stopping")

    def respond(self, head: RequestHead, body: bytes) -> Response:
        """Vectors, or what the server says about itself."""
        if head.path == protocol.HEALTH_PATH:
            return self._health()
        if head.path == protocol.ENCODER_PATH:
            return Response(orjson.dumps(self.about.to_json()))
        try:
            vectors = self._encode(head.path, body)
        except ValueError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from error
        except BatchFailed as error:
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error
        except QueueFull:
            raise unavailable("the queue is full") from None
        return Response(protocol.pack_vectors(vectors), protocol.OCTET_STREAM)

    def _encode(self, path: str, body: bytes) -> Vectors:
        if path == protocol.IMAGES_PATH:
            return self._images.encode(protocol.unpack_pixels(body, self.about.shape))
        return self._texts.encode(protocol.unpack_texts(body))

    def _health(self) -> Response:
        failing = self._images.failing or self._texts.failing
        healthy = not (failing or self.stopping)
        health = {
            "status": "ok" if healthy else "stopping" if self.stopping else "failing",
            "model": public_name(self.about.space.model),
            "runtime": self.about.runtime,
            "queued": self._images.queued + self._texts.queued,
            "images": self._images.encoded,
            "texts": self._texts.encoded,
            "batches": self._images.batches + self._texts.batches,
        }
        status = HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(orjson.dumps(health), status=status)
