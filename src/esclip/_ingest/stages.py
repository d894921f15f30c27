"""What a picture goes through on its way to a document, and where they are wanted its crops with it.

bytes ─► decoded ─┬─► pixels ─────┐
                  └─► crops' ─────┴─► a batch ─► encoded ─► Document, with the crops' vectors
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from esclip._core.parts import FINEST, crops_of
from esclip._core.rejections import Reason, Rejection, Stage, rejected
from esclip._core.types import Crop, Document, ImageRecord, Pixels
from esclip._images.decode import decoding
from esclip._ingest.deduplication import ContentDeduplicator
from esclip._ingest.progress import IngestProgress
from esclip._protocols import Encoder

__all__ = ["Decoded", "decoded", "encoded"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record and its picture, ready for the encoder."""

    record: ImageRecord
    pixels: Pixels
    crops: tuple[tuple[int, Pixels], ...]
    """Parts of the picture, with their numbers."""
    content: str


def decoded(record: ImageRecord, data: bytes, content: str, encoder: Encoder, *, crops: bool) -> Decoded:
    """The picture in `data`. Raises `DecodeError`."""
    side = encoder.useful_side
    if side is not None and crops:
        side *= FINEST
    with decoding(data, side=side) as picture:
        cuts = [(number, encoder.preprocess(crop)) for number, crop in crops_of(picture)] if crops else ()
        return Decoded(record, encoder.preprocess(picture), tuple(cuts), content)


def encoded(
    batch: Sequence[Decoded], encoder: Encoder, copies: ContentDeduplicator, tally: IngestProgress
) -> list[Document | Rejection]:
    """The documents of a batch, and those of pictures that have waited for one of it."""
    pixels = [one for item in batch for one in (item.pixels, *(crop for _, crop in item.crops))]
    vectors = iter(encoder.encode_images(pixels))
    outcomes: list[Document | Rejection] = []
    for item in batch:
        vector, crops = next(vectors), [Crop(number, next(vectors)) for number, _ in item.crops]
        good = tuple(crop for crop in crops if np.isfinite(crop.vector).all())
        document = Document(item.record, vector, item.content, good)
        usable = bool(np.isfinite(vector).all())
        alike = [item.record, *copies.settle(item.content, document if usable else None)]
        if usable:
            tally.encode(len(alike))
            outcomes += [replace(document, record=record) for record in alike]
        else:
            outcomes += [_without_direction(record) for record in alike]
    return outcomes


def _without_direction(record: ImageRecord) -> Rejection:
    detail = "the encoder gave a vector without a direction"
    return rejected(record, Stage.ENCODE, Reason.BAD_VECTOR, detail)
