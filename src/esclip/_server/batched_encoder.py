"""The encoder of a search service: calls of many requests, encoded in common batches.

request's thread ─┐
request's thread ─┼─► Batcher of texts · Batcher of pictures ─► Encoder
request's thread ─┘
"""

from __future__ import annotations

from collections.abc import Sequence

from esclip._core.settings import BATCH_SIZE
from esclip._core.types import Pixels, Vectors
from esclip._errors import EncoderError
from esclip._protocols import Encoder
from esclip._server.dynamic_batching import Batcher, BatchFailed, QueueFull
from esclip._server.problems import Problem, ProblemType
from esclip.encoders.wrapper import EncoderWrapper

MAX_CALLS = 64
"""Calls that wait for vectors at a time, each in a thread."""


class BatchedEncoder(EncoderWrapper):
    """An encoder for many threads; raises `Problem` where too many wait."""

    def __init__(self, encoder: Encoder) -> None:
        """Start the threads that encode."""
        super().__init__(encoder)
        workers = max(1, encoder.encode_concurrency)
        self._images = Batcher(encoder.encode_images, size=BATCH_SIZE, workers=workers, max_calls=MAX_CALLS)
        self._texts = Batcher(encoder.encode_texts, size=BATCH_SIZE, workers=1, max_calls=MAX_CALLS)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Encode pictures together with those of other threads."""
        return _encode(self._images, batch) if batch else self.encoder.encode_images(batch)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts together with those of other threads."""
        return _encode(self._texts, texts) if texts else self.encoder.encode_texts(texts)

    def close(self) -> None:
        """Finish what waits, and end the threads."""
        self._images.close()
        self._texts.close()


def _encode(batcher: Batcher[Pixels] | Batcher[str], items: Sequence[Pixels] | Sequence[str]) -> Vectors:
    try:
        return batcher.encode(items)  # type: ignore[arg-type]  # of the batcher's own kind
    except BatchFailed as error:
        raise EncoderError(str(error)) from error
    except QueueFull:
        raise Problem(ProblemType.OVERLOADED) from None
