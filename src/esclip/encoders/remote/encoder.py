"""An encoder on another machine, behind `esclip serve-encoder`.

    picture ─► preprocessing ─► bytes ─┐
                 (here)                ├─► requests of at most the server's limit ─► unit rows
    text ────────────► protocol.JSON ───────────┘        (again while it is busy)

A picture is scaled here and travels as bytes of the model's own size; no model is loaded. The space is that
of the server's model: an index made through a server can be searched later with the same weights on this
machine, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import orjson

from esclip._concurrency.retry import ENCODER, ENCODER_INFO, RetryPolicy
from esclip._core.arguments import coerce_texts
from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip._errors import EncoderError
from esclip._errors.secrets import Address, Secret
from esclip.encoders.remote import protocol
from esclip.encoders.remote.client import EncoderClient
from esclip.encoders.text_warnings import warn_of_unknown_scripts
from esclip.encoders.tokenizer import clean_texts

MAX_INFO_BYTES = 1 << 20


class RemoteEncoder:
    """The encoder of a server. Implements `Encoder`.

    Requests are retried after transient failures for up to `timeout` seconds; the first pause is up to
    `backoff` seconds, each further one up to twice as long.
    """

    encode_concurrency = 4
    """The server encodes the next batch while vectors of the one before are on their way."""

    def __init__(
        self,
        address: str,
        token: str | None = None,
        *,
        timeout: float = ENCODER.timeout,
        backoff: float = ENCODER.backoff,
    ) -> None:
        """Ask the server at `address` what it encodes with, authenticated by `token`.

        Raises `EncoderError` when it doesn't answer or is no encoder server, `ConfigError` for an address or
        a token that can't be used.
        """
        address, token = Address(address), Secret(token) if token is not None else None
        self._client = EncoderClient(address, token, connections=2 * self.encode_concurrency)
        self._policy = replace(ENCODER, timeout=timeout, backoff=backoff)
        first = replace(ENCODER_INFO, timeout=min(ENCODER_INFO.timeout, timeout), backoff=backoff)
        self._info = _read_info(self._client, first)
        self.preprocess = self._info.preprocessing
        """Runs here, not on the server."""
        self.useful_side = self.preprocess.useful_side
        """That of the server's encoder."""

    def __repr__(self) -> str:
        return f"RemoteEncoder({self._client.address!r})"

    @property
    def address(self) -> str:
        """The server's, without credentials."""
        return self._client.address

    @property
    def space(self) -> Space:
        """The space of the model on the server."""
        return self._info.space

    @property
    def runtime(self) -> str:
        """The runtime of the server's encoder, and the address."""
        return f"{self._info.runtime}, at {self._client.address}"

    @property
    def logit_scale(self) -> float:
        """That of the server's model."""
        return self._info.logit_scale

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """The batch in as few requests as the server's limit allows."""
        if wrong := next((pixels.shape for pixels in batch if pixels.shape != self._info.shape), None):
            raise ValueError(f"pixels of shape {wrong}, not {self._info.shape}: not from this preprocess")
        size = self._info.max_body // self._info.picture_bytes
        parts = (batch[start : start + size] for start in range(0, len(batch), size))
        return self._joined(
            self._vectors(protocol.IMAGES_PATH, protocol.pack_pixels(part), protocol.OCTET_STREAM, len(part))
            for part in parts
        )

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The texts in as few requests as the server's limits allow."""
        texts = coerce_texts("texts", texts)
        warn_of_unknown_scripts(self.space.text_model, texts)
        return self._joined(
            self._vectors(protocol.TEXTS_PATH, protocol.pack_texts(part), protocol.JSON, len(part))
            for part in self._text_parts(clean_texts(texts))
        )

    def _text_parts(self, texts: list[str]) -> Iterator[list[str]]:
        room = self._info.max_body - len(protocol.pack_texts([]))
        part: list[str] = []
        used = 0
        for text in texts:
            size = len(orjson.dumps(text)) + 1  # with its comma
            if size > room:
                raise self._client.server_error(f"takes no text of {size} bytes", "give a shorter one")
            if part and (used + size > room or len(part) == protocol.MAX_TEXTS):
                yield part
                part, used = [], 0
            part.append(text)
            used += size
        if part:
            yield part

    def _vectors(self, path: str, body: bytes, content_type: str, count: int) -> Vectors:
        body = self._client.request(
            path,
            body,
            content_type=content_type,
            headers={protocol.SPACE_HEADER: self._info.digest},
            max_bytes=4 * count * self.space.dim,
            policy=self._policy,
        )
        try:
            return protocol.unpack_vectors(body, count, self.space.dim)
        except ValueError as error:
            raise self._client.protocol_error(f"it answers with {error}") from error

    def _joined(self, parts: Iterator[Vectors]) -> Vectors:
        return np.concatenate([np.empty((0, self.space.dim), dtype=np.float32), *parts])


def _read_info(client: EncoderClient, policy: RetryPolicy) -> protocol.EncoderInfo:
    body = client.request(protocol.ENCODER_PATH, max_bytes=MAX_INFO_BYTES, policy=policy)
    try:
        data = orjson.loads(body)
        version = data["protocol"]
        if version == protocol.VERSION:
            return protocol.EncoderInfo.from_json(data)
    except (ValueError, KeyError, TypeError) as error:
        raise client.protocol_error(f"its answer is not one's: {type(error).__name__}") from error
    raise EncoderError(
        f"encoder server {client.address} speaks version {version!r:.20} of the protocol, this esclip "
        f"version {protocol.VERSION}; install the same esclip on both machines"
    )
