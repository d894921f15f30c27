"""The stages of a picture on its way to a document, with its crops where they are wanted.

Fetched ─► decode_picture ─┬─► pixels ─┐
                           ├─► crops ──┴─► a batch ─► encode_batch ─► Encoded ─► its record's document,
                           ├─► facts ───────────────────────────────────┤        and those of copies
                           └─► view, where it wants a caption ─► caption ┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from esclip._core.captions import RgbArray, with_caption
from esclip._core.parts import FINEST, GRID, crops_of
from esclip._core.picture_color import COLOR
from esclip._core.picture_facts import with_facts
from esclip._core.types import (
    Box,
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
from esclip._images.resize import resize
from esclip._ingest.detection import Detector
from esclip._protocols import Encoder

VIEW_SIDE = 384
"""Pixels of the short side that a captioner's picture is decoded with at least: what BLIP sees."""

DETECTION_SIDE = 768
"""Pixels of the short side of a picture for a detector: crops of small things are sharp."""

VIEW_LONG_SIDE = 768
"""Pixels of the long side that it has at most."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record and its picture's bytes."""

    record: ImageRecord
    data: bytes
    content: str
    """`content_fingerprint` of the bytes."""

    @property
    def key(self) -> str:
        """The same for pictures that may share what is made of them: of the same bytes, captioned or not."""
        return sharing_key(self.content, self.record)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record and its picture, ready for the encoder."""

    record: ImageRecord
    content: str
    pixels: Pixels
    crops: tuple[tuple[int, Pixels, Box | None], ...]
    """Crops of the picture, with their numbers, and their boxes where they aren't of the grid."""
    facts: Metadata
    """What the picture's bytes say of it."""
    view: RgbArray | None = None
    """The picture as a captioner sees it; None: it is to have no caption, or has it."""
    caption: str = ""

    @property
    def key(self) -> str:
        """As `Fetched.key`."""
        return sharing_key(self.content, self.record)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The vectors, facts and caption of a picture's bytes, whichever record they are of."""

    vector: Vector
    content: str
    crops: tuple[Crop, ...]
    facts: Metadata
    caption: str = ""

    def document_of(self, record: ImageRecord) -> StoredDocument:
        """The document of a record with these bytes."""
        described = with_caption(record, self.caption) if record.wants_caption else record
        return StoredDocument(with_facts(described, self.facts), self.vector, self.content, self.crops)


def sharing_key(content: str, record: ImageRecord) -> str:
    """The same for records that may share what is made of a picture's bytes; the content for plain ones."""
    captioned = " captioned" if record.wants_caption else ""
    return f"{content}{captioned} {record.detection}" if record.detection else f"{content}{captioned}"


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


def decode_picture(
    picture: Fetched, encoder: Encoder, *, crops: bool, detector: Detector | None = None
) -> Decoded:
    """Decode and preprocess a picture, with the crops of the grid, or where `detector` finds something.

    Raises `DecodeError`, or `RecordError` where the detector fails.
    """
    side = encoder.useful_side
    if side is not None and crops:
        side = max(side * FINEST, DETECTION_SIDE) if detector else side * FINEST
    if side is not None and picture.record.wants_caption:
        side = max(side, VIEW_SIDE)
    with decoding_with_facts(picture.data, side=side) as (image, facts):
        view = view_of(image) if detector or picture.record.wants_caption else None
        boxes = detector.boxes(view) if detector and view is not None else GRID
        cut = [
            (number, encoder.preprocess(crop), boxes[number] if detector else None)
            for number, crop in (crops_of(image, boxes) if crops else ())
        ]
        wanted = view if picture.record.wants_caption else None
        return Decoded(picture.record, picture.content, encoder.preprocess(image), tuple(cut), facts, wanted)


def decode_view(picture: Fetched) -> tuple[ImageRecord, RgbArray]:
    """The record with the facts of its picture, and its view for a captioner. Raises `DecodeError`."""
    with decoding_with_facts(picture.data, side=VIEW_SIDE) as (image, facts):
        return with_facts(picture.record, facts), view_of(image)


def view_of(image: Image.Image) -> RgbArray:
    """A copy of a picture, made smaller where its long side is above `VIEW_LONG_SIDE`."""
    scale = min(1.0, VIEW_LONG_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return np.array(resize(image, size, Image.Resampling.BICUBIC))


def add_facts(record: ImageRecord, data: bytes) -> ImageRecord:
    """The record with the facts that it wants of its picture, which is decoded for its colour only.

    Raises `DecodeError`.
    """
    if not record.picture_fields:
        return record
    return with_facts(record, read_facts(data, color=COLOR in record.picture_fields))


def encode_batch(batch: Sequence[Decoded], encoder: Encoder) -> list[Encoded]:
    """The vectors of a batch; a vector may have no direction, crops without one are left out."""
    pixels = [array for item in batch for array in (item.pixels, *(crop for _, crop, _ in item.crops))]
    vectors = iter(encoder.encode_images(pixels))
    pictures = []
    for item in batch:
        vector, crops = next(vectors), [Crop(number, next(vectors), box) for number, _, box in item.crops]
        usable = tuple(crop for crop in crops if has_direction(crop.vector))
        pictures.append(Encoded(vector, item.content, usable, item.facts, item.caption))
    return pictures


def has_direction(vector: Vector) -> bool:
    """Whether a vector can be compared: a zero one is NaN by now."""
    return bool(np.isfinite(vector).all())
