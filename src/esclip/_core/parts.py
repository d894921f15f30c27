"""Parts of pictures with vectors of their own: how crops are cut, and how an index stores parts.

index         a               the picture
index_parts   a#caption       its description, encoded by the text tower
              a#0 ... a#12    overlapping crops, or those of a detector, encoded by the picture tower

A part has the metadata of its picture, so that filters apply to it as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from PIL import Image

from esclip._core.filters import AllOf, AnyOf, Condition, HasId, Not, OneOf
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.targets import CAPTIONS, CROPS
from esclip._core.types import Box, Hit, ImageRecord, Metadata

CROPPING = "crops 1"
"""Version of the crops; a new one has all pictures encoded again."""

DETECTED = "detected"
"""Of crops where a detector has found something."""

SMALLEST = 32
"""Pixels of a crop's short side; smaller crops show no more than the whole picture."""


def _windows(number: int, size: float) -> Iterator[Box]:
    """`number` x `number` windows, each `size` of width and height, at even distances, row by row."""
    starts = [step * (1 - size) / (number - 1) for step in range(number)]
    for top in starts:
        for left in starts:
            yield Box(left, top, left + size, top + size)


GRID = (*_windows(2, 2 / 3), *_windows(3, 1 / 2))
"""The crops. What is up to a quarter as wide and as high as the picture is whole in one of the small ones."""

FINEST = 2
"""The smallest crops are 1/`FINEST` of the picture: it has to be so much larger for sharp ones."""

PART_OF = Field("part_of", FieldType.KEYWORD)
PART = Field("part", FieldType.KEYWORD)
BOX = Field("part_box", FieldType.KEYWORD)

PART_FIELDS = (PART_OF, PART, BOX)
"""Fields of a part beside the metadata of its picture: the picture's id, the kind of part, its box."""

MAX_ID_PREFIX = 480
"""Bytes of a picture's id in the id of a part, which may have 512, the limit of the engines."""


def parts_index(index: str) -> str:
    """The name of the index that holds the parts of an index's pictures."""
    return f"{index}_parts"


def holds_parts(schema: IndexSchema | None) -> bool:
    """Whether an index of this schema holds parts: one with pictures of its own may have such a name, too.

    Only an index that was made for parts has these fields; no source gives them.
    """
    return schema is not None and set(PART_FIELDS) <= set(schema.fields)


def crops_of(picture: Image.Image, boxes: Sequence[Box] = GRID) -> Iterator[tuple[int, Image.Image]]:
    """The crops of a picture that aren't too small, by their number in `boxes`."""
    for number, box in enumerate(boxes):
        sides = (picture.width, picture.height) * 2
        left, top, right, bottom = (round(share * side) for share, side in zip(box, sides, strict=True))
        if min(right - left, bottom - top) >= SMALLEST:
            yield number, picture.crop((left, top, right, bottom))


def caption_id(id: str) -> str:
    """The id of the caption of a picture."""
    return _part_id(id, "caption")


def crop_id(id: str, box: Box) -> str:
    """The id of the crop of a picture at a place in `GRID`."""
    return _part_id(id, str(GRID.index(box)))


def part_ids(id: str, kinds: Collection[str]) -> list[str]:
    """The ids of all parts that a picture may have."""
    captions = [caption_id(id)] if CAPTIONS in kinds else []
    return captions + ([_part_id(id, str(number)) for number in range(len(GRID))] if CROPS in kinds else [])


def caption_record(record: ImageRecord) -> ImageRecord:
    """The record of a picture's caption; its fingerprint changes with the text."""
    return _part(record, caption_id(record.id), CAPTIONS, record.description, None)


def crop_record(record: ImageRecord, number: int, box: Box | None = None) -> ImageRecord:
    """The record of a picture's crop, of the grid or in a box that a detector has found."""
    return _part(record, _part_id(record.id, str(number)), CROPS, record.image_version, box or GRID[number])


def crop_content(picture: str, number: int, *, detected: bool = False) -> str:
    """The `StoredDocument.content` of a crop, from that of its picture; empty where that is empty.

    Pictures of the same bytes share crops of the grid: what a detector has found has another one.
    """
    return f"{picture} {DETECTED if detected else CROPPING} {number}" if picture else ""


def picture_content(part: str) -> str:
    """The `StoredDocument.content` of a picture, from that of a crop; empty where that is empty."""
    return part.partition(" ")[0]


def to_image_hit(hit: Hit) -> Hit:
    """The hit of a part as a hit of its picture."""
    metadata = dict(hit.metadata)
    id, _ = str(metadata.pop(PART_OF.name)), metadata.pop(PART.name)
    box = stored_box(metadata)
    metadata.pop(BOX.name, None)
    return replace(hit, id=id, box=box, metadata=metadata, content=picture_content(hit.content or ""))


def stored_box(metadata: Metadata) -> Box | None:
    """The box of a part, by its metadata; None of a caption."""
    sides = str(metadata.get(BOX.name, "")).split()
    return Box(*map(float, sides)) if sides else None


def part_filters(kind: str, where: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Conditions on pictures as conditions on their parts of a kind."""
    return OneOf(PART, (kind,)), *map(_part_filter, where)


def _part_filter(condition: Condition) -> Condition:
    match condition:
        case HasId(ids):
            return OneOf(PART_OF, ids)
        case Not(inner):
            return Not(_part_filter(inner))
        case AllOf(conditions):
            return AllOf(tuple(map(_part_filter, conditions)))
        case AnyOf(conditions):
            return AnyOf(tuple(map(_part_filter, conditions)))
        case _:
            return condition


def _part(record: ImageRecord, id: str, kind: str, version: str, box: Box | None) -> ImageRecord:
    known = record.stored_as and record.stored_as._replace(record="") if box else None
    fields = {PART_OF.name: record.id, PART.name: kind}
    if box:
        fields[BOX.name] = " ".join(map(str, box))
    return replace(
        record,
        id=id,
        image_version=version,
        metadata={**record.metadata, **fields},
        detection=record.detection if box else None,
        stored_as=known,
    )


def part_base(id: str) -> str:
    """The prefix of the ids of a picture's parts."""
    encoded = id.encode(errors="surrogatepass")
    return id if len(encoded) <= MAX_ID_PREFIX else hashlib.sha256(encoded).hexdigest()


def _part_id(id: str, name: str) -> str:
    return f"{part_base(id)}#{name}"
