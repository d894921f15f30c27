"""The stages of a picture on its way to a document, with its crops where they are wanted.

Fetched ─► decode_picture ─┬─► pixels ─────┐
                           └─► crops' ─────┴─► a batch ─► encode_batch ─► Document, with the crops' vectors
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from esclip._core.parts import FINEST, crops_of
from esclip._core.types import Crop, Document, ImageRecord, Pixels, Vector
from esclip._images.decode import decoding
from esclip._protocols import Encoder


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record and its picture's bytes."""

    record: ImageRecord
    data: bytes
    content: str
    """`content_fingerprint` of the bytes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record and its picture, ready for the encoder."""

    record: ImageRecord
    content: str
    pixels: Pixels
    crops: tuple[tuple[int, Pixels], ...]
    """Crops of the picture, with their numbers."""


def decode_picture(picture: Fetched, encoder: Encoder, *, crops: bool) -> Decoded:
    """Decode and preprocess a picture. Raises `DecodeError`."""
    side = encoder.useful_side
    if side is not None and crops:
        side *= FINEST
    with decoding(picture.data, side=side) as image:
        cut = [(number, encoder.preprocess(crop)) for number, crop in crops_of(image)] if crops else ()
        return Decoded(picture.record, picture.content, encoder.preprocess(image), tuple(cut))


def encode_batch(batch: Sequence[Decoded], encoder: Encoder) -> list[Document]:
    """The documents of a batch; a vector may have no direction, crops without one are left out."""
    pixels = [array for item in batch for array in (item.pixels, *(crop for _, crop in item.crops))]
    vectors = iter(encoder.encode_images(pixels))
    documents = []
    for item in batch:
        vector, crops = next(vectors), [Crop(number, next(vectors)) for number, _ in item.crops]
        usable = tuple(crop for crop in crops if has_direction(crop.vector))
        documents.append(Document(item.record, vector, item.content, usable))
    return documents


def has_direction(vector: Vector) -> bool:
    """Whether a vector can be compared: a zero one is NaN by now."""
    return bool(np.isfinite(vector).all())
