"""Texts and pictures to vectors by a service: in batches, of which a bad input loses nothing but itself.

inputs ─► read here ─┬─► batches within the service's limits ─► POST /v1/embeddings ─► rows
                     └─► Rejection ─► a row of NaN
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import orjson

from esclip._client.answers import read_vectors
from esclip._client.connection import ENCODING, Connection
from esclip._client.document import Document
from esclip._client.queries import render_picture
from esclip._concurrency.streams import batches
from esclip._core.arguments import AnyImage
from esclip._core.rejections import Rejection, Stage
from esclip._core.text_forms import is_unicode
from esclip._core.types import Vectors
from esclip._errors import ConfigError, RecordError, one_line
from esclip._errors.reasons import Reason
from esclip._search.query_image import image_bytes

AnyInput: TypeAlias = AnyImage | Document
"""A text (`str`), a picture (`Path`, bytes, PIL image, array), or a `Document`."""

MAX_BATCH = 32
"""Inputs of a request: a forward pass of the service."""
MAX_BATCH_BYTES = 4 << 20
"""From so many on a batch is full: the largest picture, too, still fits into a body."""


@dataclass(frozen=True, slots=True)
class _Input:
    """An input as the service takes it."""

    name: str
    """What a rejection names."""
    body: dict[str, str]

    @property
    def size(self) -> int:
        return sum(map(len, self.body.values()))


class Embedder:
    """Encodes by a service, whose model has this name and dimension."""

    def __init__(
        self, connection: Connection, model: str, dim: int, on_rejection: Callable[[Rejection], None]
    ) -> None:
        """`on_rejection` is called with each input that can't be encoded."""
        self._connection = connection
        self._model = model
        self._dim = dim
        self._on_rejection = on_rejection

    def encode(self, inputs: Iterable[AnyInput]) -> Iterator[Vectors]:
        """Rows for each batch of inputs, in order; NaN for those that were rejected."""
        read = (_read(number, item) for number, item in enumerate(inputs, start=1))
        for batch in batches(read, MAX_BATCH, weigh=_weight, max_weight=MAX_BATCH_BYTES):
            rows = np.full((len(batch), self._dim), np.nan, dtype=np.float32)
            for one in batch:
                if isinstance(one, Rejection):
                    self._on_rejection(one)
            self._encode({row: one for row, one in enumerate(batch) if isinstance(one, _Input)}, rows)
            yield rows

    def _encode(self, inputs: dict[int, _Input], rows: Vectors) -> None:
        """Fill the rows of these inputs; a batch that is refused is halved until the bad ones are alone."""
        if not inputs:
            return
        try:
            rows[list(inputs)] = self._ask([one.body for one in inputs.values()])
        except (RecordError, ConfigError, ValueError) as error:
            if str(error).startswith("/model"):  # the service has another one since: it is none of the inputs
                raise
            items = list(inputs.items())
            if len(items) == 1:
                self._on_rejection(_refused(items[0][1], error))
                return
            half = len(items) // 2
            self._encode(dict(items[:half]), rows)
            self._encode(dict(items[half:]), rows)

    def _ask(self, bodies: list[dict[str, str]]) -> Vectors:
        wanted = {"input": bodies, "model": self._model, "encoding_format": "base64"}
        read = partial(read_vectors, count=len(bodies), dim=self._dim)
        return self._connection.post("/v1/embeddings", orjson.dumps(wanted), read, patience=ENCODING)


def _read(number: int, item: AnyInput) -> _Input | Rejection:
    """An input, its picture read; or why it can't be. Raises `ConfigError` for a value of another type."""
    name = f"input {number}"
    text: str | None
    picture: Any = item
    if isinstance(item, Document):
        name, text, picture = item.id or name, item.text, item.picture
    else:
        text = item if isinstance(item, str) else None
    if text is not None:
        if not text.strip() or not is_unicode(text):
            return Rejection(name, "", Stage.READ, Reason.BAD_ROW, "the text is empty, or no valid Unicode")
        return _Input(name, {"text": text})
    try:
        return _Input(name, {"image": render_picture(image_bytes(picture))})
    except RecordError as error:
        return Rejection(name, _location(picture), Stage.FETCH, error.reason, error.detail)


def _refused(one: _Input, error: Exception) -> Rejection:
    reason = error.reason if isinstance(error, RecordError) else Reason.BAD_ROW
    detail = error.detail if isinstance(error, RecordError) else one_line(str(error))
    return Rejection(one.name, "", Stage.DECODE if "image" in one.body else Stage.ENCODE, reason, detail)


def _location(picture: object) -> str:
    return one_line(str(picture), 200) if isinstance(picture, str | Path) else ""


def _weight(one: _Input | Rejection) -> float:
    return one.size if isinstance(one, _Input) else 0
