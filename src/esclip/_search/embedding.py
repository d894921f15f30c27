"""Encodes texts and pictures in batches, whose errors are values.

inputs ─► a batch ─┬─► texts ──────────────────────► encode_texts ──┬─► a vector or an error each, in order
                   └─► pictures: fetched, decoded ─► encode_images ─┘
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np

from esclip._concurrency.streams import batches
from esclip._core.types import Pixels, Vector
from esclip._errors import EncoderError, EsclipError, one_line
from esclip._protocols import Encoder
from esclip._search.query_image import load_pixels


class Input(NamedTuple):
    """A text, or a picture by path or URL."""

    value: str
    is_picture: bool = False
    problem: EsclipError | None = None
    """Why it is neither."""


Outcome: TypeAlias = Vector | EsclipError
"""An input's vector, float32 of unit length, or why there is none."""


def embed(
    encoder: Encoder, inputs: Iterable[Input], batch_size: int
) -> Iterator[list[tuple[Input, Outcome]]]:
    """Encode inputs, `batch_size` at once: each batch with the outcomes, in order."""
    with ThreadPoolExecutor(min(batch_size, 2 * (os.cpu_count() or 1))) as pool:
        for batch in batches(inputs, batch_size):
            usable = [item for item in batch if not item.problem]
            texts = [item.value for item in usable if not item.is_picture]
            pictures = [item.value for item in usable if item.is_picture]
            loaded = list(pool.map(partial(_load, encoder), pictures))
            pixels = [item for item in loaded if not isinstance(item, EsclipError)]
            of_texts = iter(encoder.encode_texts(texts) if texts else ())
            of_pixels = iter(encoder.encode_images(pixels) if pixels else ())
            of_pictures = (item if isinstance(item, EsclipError) else next(of_pixels) for item in loaded)
            yield [
                (item, item.problem or _check(item, next(of_pictures if item.is_picture else of_texts)))
                for item in batch
            ]


def _load(encoder: Encoder, picture: str) -> Pixels | EsclipError:
    try:
        return load_pixels(encoder, picture)
    except EsclipError as error:  # it can't be a path
        return error


def _check(item: Input, outcome: Outcome) -> Outcome:
    if isinstance(outcome, EsclipError) or np.isfinite(outcome).all():
        return outcome
    return EncoderError(f"{one_line(item.value, 200)}: the encoder gave a vector without a direction")
