"""An encoder on another machine, behind `esclip serve-encoder`.

    picture ─► preprocessing ─► bytes ─┐
                 (here)                ├─► requests of at most the server's limit ─► unit rows
    text ────────────► JSON ───────────┘        (again while it is busy)

A picture is scaled here and travels as bytes of the model's own size; no model is loaded. The space is that
of the server's model: an index made through a server can be searched later with the same weights on this
machine, and the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import orjson

from esclip._core.arguments import given_texts
from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip._errors import EncoderError
from esclip._text.secrets import Address, Secret
from esclip.encoders.remote.client import Line
from esclip.encoders.remote.protocol import (
    BYTES,
    ENCODER,
    IMAGES,
    JSON,
    MAX_TEXTS,
    PROTOCOL,
    SPACE,
    TEXTS,
    EncoderInfo,
    pack_pixels,
    pack_texts,
    unpack_vectors,
)
from esclip.encoders.scripts import warn_of_scripts
from esclip.encoders.tokenizer import valid

__all__ = ["RemoteEncoder"]

DEADLINE_S = 300.0
"""For a request, all its tries together."""
FIRST_S = 5.0
"""For the first: an address that is wrong should show soon."""
DESCRIPTION_BYTES = 1 << 20


class RemoteEncoder:
    """The encoder of a server. Fulfils `Encoder`.

    Requests that fail in a way that may pass are sent again for up to `deadline` seconds; tries are about
    `backoff` seconds apart, then twice that, and so on.
    """

    encode_concurrency = 4
    """So that the server has the next while this one's vectors travel."""

    def __init__(
        self, address: str, token: str | None = None, *, deadline: float = DEADLINE_S, backoff: float = 0.25
    ) -> None:
        """Ask the server at `address` what it encodes with; `token` is what it lets clients in for.

        Raises `EncoderError` when it doesn't answer or is something else, `ConfigError` for an address or a
        token that can't be used.
        """
        address, token = Address(address), Secret(token) if token is not None else None
        self._deadline = deadline
        self._line = Line(address, token, connections=2 * self.encode_concurrency, backoff=backoff)
        self._served = _described(self._line, min(FIRST_S, deadline))
        self.preprocess = self._served.preprocessing
        """Here, not on the server."""
        self.useful_side = self.preprocess.useful_side
        """The server's encoder's."""

    def __repr__(self) -> str:
        return f"RemoteEncoder({self._line.address!r})"

    @property
    def space(self) -> Space:
        """The space of the model on the server."""
        return self._served.space

    @property
    def runtime(self) -> str:
        """What computes on the server, and where that is."""
        return f"{self._served.runtime}, at {self._line.address}"

    @property
    def logit_scale(self) -> float:
        """The served model's."""
        return self._served.logit_scale

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """The batch in as few requests as the server's limit allows."""
        if wrong := next((pixels.shape for pixels in batch if pixels.shape != self._served.shape), None):
            raise ValueError(f"pixels of shape {wrong}, not {self._served.shape}: not from this preprocess")
        size = self._served.max_body // self._served.picture_bytes
        parts = (batch[at : at + size] for at in range(0, len(batch), size))
        return self._joined(self._vectors(IMAGES, pack_pixels(part), BYTES, len(part)) for part in parts)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The texts in as few requests as the server's limits allow."""
        texts = given_texts("texts", texts)
        warn_of_scripts(self.space.text_model, texts)
        return self._joined(
            self._vectors(TEXTS, pack_texts(part), JSON, len(part)) for part in self._text_parts(valid(texts))
        )

    def _text_parts(self, texts: list[str]) -> Iterator[list[str]]:
        room = self._served.max_body - len(pack_texts([]))
        part: list[str] = []
        used = 0
        for text in texts:
            size = len(orjson.dumps(text)) + 1  # with its comma
            if size > room:
                raise self._line.failed(f"takes no text of {size} bytes", "give a shorter one")
            if part and (used + size > room or len(part) == MAX_TEXTS):
                yield part
                part, used = [], 0
            part.append(text)
            used += size
        if part:
            yield part

    def _vectors(self, path: str, body: bytes, kind: str, count: int) -> Vectors:
        answer = self._line.ask(
            path,
            body,
            kind=kind,
            headers={SPACE: self._served.digest},
            longest=4 * count * self.space.dim,
            within=self._deadline,
        )
        try:
            return unpack_vectors(answer, count, self.space.dim)
        except ValueError as error:
            raise self._line.stranger(f"it answers with {error}") from error

    def _joined(self, parts: Iterator[Vectors]) -> Vectors:
        return np.concatenate([np.empty((0, self.space.dim), dtype=np.float32), *parts])


def _described(line: Line, within: float) -> EncoderInfo:
    answer = line.ask(ENCODER, longest=DESCRIPTION_BYTES, within=within)
    try:
        data = orjson.loads(answer)
        protocol = data["protocol"]
        if protocol == PROTOCOL:
            return EncoderInfo.from_json(data)
    except (ValueError, KeyError, TypeError) as error:
        raise line.stranger(f"its answer is not one's: {type(error).__name__}") from error
    raise EncoderError(
        f"encoder server {line.address} speaks version {protocol!r:.20} of the protocol, this esclip version "
        f"{PROTOCOL}; install the same esclip on both machines"
    )
