"""The WSGI application of an encoder server: who is let in, what is asked, what is answered.

    request's head ─► admit ─► body ─► pictures or texts ─► Batcher ─► vectors
                        └────────┴────────────┴────────────────┴─► {"error": "..."}

`admit` needs no body: the server asks it before it reads one, and the application once more.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import PurePath
from typing import TYPE_CHECKING

import orjson

from esclip._core.types import Vectors
from esclip._errors import EncoderError
from esclip._protocols import Encoder
from esclip._server.dynamic_batching import Batcher, BatchFailed, QueueFull
from esclip._text.secrets import Secret
from esclip.encoders.preprocessing import Preprocessing
from esclip.encoders.remote import protocol

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["CALLERS", "EncoderApp", "HttpError", "RequestHead", "unavailable"]

IMAGE_CALLERS, TEXT_CALLERS = 48, 12
CALLERS = IMAGE_CALLERS + TEXT_CALLERS
"""Requests whose vectors are waited for at a time, each by a thread."""
RETRY_AFTER_S = 1

_ROUTES = {
    protocol.HEALTH_PATH: ("GET", ""),
    protocol.ENCODER_PATH: ("GET", ""),
    protocol.IMAGES_PATH: ("POST", protocol.OCTET_STREAM),
    protocol.TEXTS_PATH: ("POST", protocol.JSON),
}


class HttpError(Exception):
    """An answer that is none of those that were hoped for."""

    def __init__(self, status: HTTPStatus, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.headers = headers or {}

    @property
    def body(self) -> bytes:
        """The words as a client gets them."""
        return orjson.dumps({"error": str(self)})


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What a request says before its body; what it doesn't say is empty."""

    method: str
    path: str
    authorization: Secret
    kind: str
    """Its content type."""
    space: str
    length: int
    """Of the body, 0 where that is not announced."""

    @classmethod
    def of(cls, method: str, path: str, headers: Mapping[str, str]) -> RequestHead:
        """From headers by their names in CGI's spelling, without `HTTP_`."""
        length = headers.get("CONTENT_LENGTH", "")[:20]
        return cls(
            method,
            path,
            Secret(headers.get("AUTHORIZATION", "")),
            headers.get("CONTENT_TYPE", "").partition(";")[0].strip().lower(),
            headers.get(protocol.SPACE_HEADER.upper().replace("-", "_"), ""),
            int(length) if length.isdecimal() else 0,
        )


class EncoderApp:
    """An encoder for many clients, their pictures in common batches of up to `batch_size`.

    Lets in who has the `token`; everybody when there is none. `max_body` is in bytes.
    """

    def __init__(self, encoder: Encoder, *, token: str | None, batch_size: int, max_body: int) -> None:
        """Raises `EncoderError` for an encoder whose preprocessing can't be told to clients."""
        preprocess = encoder.preprocess
        if not isinstance(preprocess, Preprocessing):
            raise EncoderError(
                f"encoder {encoder.space.model} can't be served: it has pixels of its own kind"
            )
        self.about = protocol.EncoderInfo(
            encoder.space, preprocess, encoder.runtime, max_body, encoder.logit_scale
        )
        if max_body < self.about.picture_bytes:
            raise EncoderError(
                f"encoder {encoder.space.model} can't be served with bodies of {max_body} bytes: "
                f"a picture has {self.about.picture_bytes}; allow larger ones"
            )
        self.stopping = False
        """Set when no new work is to be taken."""
        self._expected = protocol.authorization(token) if token is not None else None
        self._images = Batcher(
            encoder.encode_images, size=batch_size, workers=encoder.encode_concurrency, callers=IMAGE_CALLERS
        )
        self._texts = Batcher(encoder.encode_texts, size=batch_size, workers=1, callers=TEXT_CALLERS)

    def close(self) -> None:
        """Finish what waits, and end the threads."""
        self._images.close()
        self._texts.close()

    def admit(self, head: RequestHead) -> None:
        """Let a request pass, or raise `HttpError`."""
        if head.path not in _ROUTES:
            raise HttpError(HTTPStatus.NOT_FOUND, f"there is no {head.path[:100]!r} here")
        method, kind = _ROUTES[head.path]
        if head.method != method:
            raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED, f"{head.path} takes {method}", {"Allow": method})
        if head.path == protocol.HEALTH_PATH:
            return
        if self._expected is not None and not _same(head.authorization, self._expected):
            raise HttpError(HTTPStatus.UNAUTHORIZED, "wants a token", {"WWW-Authenticate": "Bearer"})
        if head.length > self.about.max_body:
            words = f"a body of {head.length} bytes; at most {self.about.max_body} are taken"
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
        if head.kind != kind and kind:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"Content-Type is {head.kind[:100]!r}, not {kind}")
        if head.space not in ("", self.about.digest):
            raise HttpError(
                HTTPStatus.CONFLICT, f"this server encodes with {_public(self.about.space.model)} now"
            )
        if self.stopping and method == "POST":
            raise unavailable("the server is stopping")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer one request."""
        if "HTTP_AUTHORIZATION" in environ:
            environ["HTTP_AUTHORIZATION"] = Secret(environ["HTTP_AUTHORIZATION"])
        headers = {name.removeprefix("HTTP_"): value for name, value in environ.items()}
        head = RequestHead.of(environ["REQUEST_METHOD"], environ["PATH_INFO"], headers)
        try:
            self.admit(head)
            status, kind, body = self._answer(head.path, environ["wsgi.input"].read())
            extra: Mapping[str, str] = {}
        except HttpError as refused:
            status, kind, body, extra = refused.status, protocol.JSON, refused.body, refused.headers
        start_response(f"{status.value} {status.phrase}", [("Content-Type", kind), *extra.items()])
        return [body]

    def _answer(self, path: str, body: bytes) -> tuple[HTTPStatus, str, bytes]:
        match path:
            case _ if path == protocol.HEALTH_PATH:
                return self._health()
            case _ if path == protocol.ENCODER_PATH:
                return HTTPStatus.OK, protocol.JSON, orjson.dumps(self.about.to_json())
        try:
            return HTTPStatus.OK, protocol.OCTET_STREAM, protocol.pack_vectors(self._vectors(path, body))
        except ValueError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, str(error)) from error
        except BatchFailed as error:
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error
        except QueueFull:
            raise unavailable("as much waits as may") from None

    def _vectors(self, path: str, body: bytes) -> Vectors:
        if path == protocol.IMAGES_PATH:
            return self._images.encode(protocol.unpack_pixels(body, self.about.shape))
        return self._texts.encode(protocol.unpack_texts(body))

    def _health(self) -> tuple[HTTPStatus, str, bytes]:
        failing = self._images.failing or self._texts.failing
        well = not (failing or self.stopping)
        health = {
            "status": "ok" if well else "stopping" if self.stopping else "failing",
            "model": _public(self.about.space.model),
            "runtime": self.about.runtime,
            "queued": self._images.queued + self._texts.queued,
            "images": self._images.encoded,
            "texts": self._texts.encoded,
            "batches": self._images.batches + self._texts.batches,
        }
        return HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, protocol.JSON, orjson.dumps(health)


def _same(given: str, expected: str) -> bool:
    """Whether they are; it takes as long either way."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _public(model: str) -> str:
    """A model's name for whoever asks: of a folder the last part, since the rest tells of this machine."""
    named = PurePath(model)
    return named.name if named.is_absolute() or model[:1] in (".", "~") else model


def unavailable(words: str) -> HttpError:
    """The answer to who may come again soon."""
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, words, {"Retry-After": str(RETRY_AFTER_S)})
