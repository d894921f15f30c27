"""An encoder that remembers the vectors of texts: what was asked before is answered without the model.

texts ─┬─ known ──────────────────────────► their vectors
       ├─ another thread encodes them now ─► waits for it
       └─ new ─► Encoder, in one batch ────► kept, until others have been asked for later

Only in memory: a file of vectors by text would be a list of what people have searched for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock

import numpy as np

from esclip._concurrency.forks import renew_in_children
from esclip._core.arguments import coerce_texts
from esclip._core.types import Vector, Vectors
from esclip._protocols import Encoder
from esclip.encoders.wrapper import EncoderWrapper

MAX_BYTES = 8 << 20
"""Of texts and vectors: 3,500 short texts of 512 dimensions."""
ENTRY_BYTES = 250
"""What Python takes for a text, an array and their place, beside their contents."""


class TextCachingEncoder(EncoderWrapper):
    """An encoder for many threads, with the vectors of the last texts."""

    def __init__(self, encoder: Encoder, max_bytes: int = MAX_BYTES) -> None:
        """Keep vectors within so many bytes."""
        super().__init__(encoder)
        self._max_bytes = max_bytes
        self._bytes = 0
        self._vectors: OrderedDict[str, Vector] = OrderedDict()
        self._pending: dict[str, Future[Vector]] = {}
        self._lock = Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """Replace the lock, in a forked child, and forget what other threads encode."""
        self._lock = Lock()
        self._pending = {}

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts; those are encoded that are neither known nor being encoded.

        What an encoder logs of a text, it logs when the text is encoded.
        """
        texts = coerce_texts("texts", texts)
        if not texts:
            return self.encoder.encode_texts(texts)
        vectors: dict[str, Vector] = {}
        waiting: dict[str, Future[Vector]] = {}
        new: dict[str, Future[Vector]] = {}
        with self._lock:
            for text in dict.fromkeys(texts):
                if text in self._vectors:
                    self._vectors.move_to_end(text)
                    vectors[text] = self._vectors[text]
                elif text in self._pending:
                    waiting[text] = self._pending[text]
                else:
                    self._pending[text] = new[text] = Future()
        vectors |= self._encode(new)  # before it waits for others, who may wait for these
        vectors |= {text: self._result(text, future) for text, future in waiting.items()}
        return np.stack([vectors[text] for text in texts])

    def _encode(self, new: dict[str, Future[Vector]]) -> dict[str, Vector]:
        """The vectors of new texts, for all who wait for them."""
        if not new:
            return {}
        try:
            rows = self.encoder.encode_texts(list(new))
            vectors = {text: row.copy() for text, row in zip(new, rows, strict=True)}
            with self._lock:
                for text, vector in vectors.items():
                    self._keep(text, vector)
        except BaseException as error:
            for future in new.values():
                future.set_exception(error)
            raise
        else:
            for text, future in new.items():
                future.set_result(vectors[text])
            return vectors
        finally:
            with self._lock:
                for text in new:
                    self._pending.pop(text, None)

    def _result(self, text: str, future: Future[Vector]) -> Vector:
        """What another thread encodes; where it fails, by a text of its own perhaps, it is tried again."""
        if future.exception() is None:
            return future.result()
        vector: Vector = self.encoder.encode_texts([text])[0]
        return vector

    def _keep(self, text: str, vector: Vector) -> None:
        self._vectors[text] = vector
        self._bytes += _size(text, vector)
        while self._bytes > self._max_bytes:
            self._bytes -= _size(*self._vectors.popitem(last=False))


def _size(text: str, vector: Vector) -> int:
    return ENTRY_BYTES + 4 * len(text) + vector.nbytes
