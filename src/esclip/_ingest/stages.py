"""The stages of a picture on its way to a document, with its crops where they are wanted.

Fetched ─► decode_picture ─┬─► pixels ─┐
                           ├─► crops ──┴─► a batch ─► encode_batch ─► Encoded ─► its record's document,
                           └─► facts ───────────────────────────────────┘        and those of copies
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from esclip._core.parts import FINEST, crops_of
from esclip._core.picture_color import COLOR
from esclip._core.picture_facts import with_facts
from esclip._core.types import (
    Crop,
    ImageRecord,
    Metadata,
    Pixels,
    StoredDocument,
    Vector,
    content_fingerprint,
)
from esclip._errors import FetchError
from esclip._errors.reasons import Reason
from esclip._images.decode import decoding_with_facts, read_facts
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
    facts: Metadata
    """What the picture's bytes say of it."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors and facts of a picture's bytes, whichever record they are of."""

    vector: Vector
    content: str
    crops: tuple[Crop, ...]
    facts: Metadata

    def document_of(self, record: ImageRecord) -> StoredDocument:
        """The document of a record with these bytes."""
        return StoredDocument(with_facts(record, self.facts), self.vector, self.content, self.crops)


def check_content(record: ImageRecord, data: bytes) -> str:
    """The `content_fingerprint` of a picture's bytes. Raises `FetchError` for others than the record's."""
    content = content_fingerprint(data)
    if record.content is None or content == record.content:
        return content
    raise FetchError(
        Reason.CHANGED_FILE,
        "it isn't the picture that the index has: ingest it anew"
        if record.content
        else "the index doesn't know its bytes, and could mean any file: read where files are trusted",
    )


def decode_picture(picture: Fetched, encoder: Encoder, *, crops: bool) -> Decoded:
    """Decode and preprocess a picture. Raises `DecodeError`."""
    side = encoder.useful_side
    if side is not None and crops:
        side *= FINEST
    with decoding_with_facts(picture.data, side=side) as (image, facts):
        cut = [(number, encoder.preprocess(crop)) for number, crop in crops_of(image)] if crops else ()
        return Decoded(picture.record, picture.content, encoder.preprocess(image), tuple(cut), facts)


def add_facts(record: ImageRecord, data: bytes) -> ImageRecord:
    """The record with the facts that it wants of its picture, which is decoded for its colour only.

    Raises `DecodeError`.
    """
    if not record.picture_fields:
        return record
    return with_facts(record, read_facts(data, color=COLOR in record.picture_fields))


def encode_batch(batch: Sequence[Decoded], encoder: Encoder) -> list[Encoded]:
    """The vectors of a batch; a vector may have no direction, crops without one are left out."""
    pixels = [array for item in batch for array in (item.pixels, *(crop for _, crop in item.crops))]
    vectors = iter(encoder.encode_images(pixels))
    pictures = []
    for item in batch:
        vector, crops = next(vectors), [Crop(number, next(vectors)) for number, _ in item.crops]
        usable = tuple(crop for crop in crops if has_direction(crop.vector))
        pictures.append(Encoded(vector, item.content, usable, item.facts))
    return pictures


def has_direction(vector: Vector) -> bool:
    """Whether a vector can be compared: a zero one is NaN by now."""
    return bool(np.isfinite(vector).all())
