"""Parts of pictures with vectors of their own: how they are cut, and how an index holds them.

index         a               the picture
index_parts   a#caption       its description, by the text tower
              a#0 ... a#12    crops that overlap, by the picture tower

A part has its picture's metadata, so that filters hold there as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import replace

from PIL import Image

from esclip._core.filters import AllOf, AnyOf, Condition, HasId, Not, OneOf
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.targets import CAPTIONS, CROPS
from esclip._core.types import Box, Hit, ImageRecord

__all__ = [
    "CROPPING",
    "FINEST",
    "GRID",
    "PART_FIELDS",
    "caption_id",
    "caption_record",
    "crop_content",
    "crop_id",
    "crop_record",
    "crops_of",
    "holds_parts",
    "part_base",
    "part_filters",
    "part_ids",
    "parts_index",
    "picture_content",
    "to_image_hit",
]

CROPPING = "crops 1"
"""Counted up when pictures are cut in another way: they are then encoded again."""

SMALLEST = 32
"""Pixels of a crop's short side: below, there is nothing to see that the picture as a whole doesn't show."""


def _windows(number: int, size: float) -> Iterator[Box]:
    """`number` x `number` windows, each `size` of width and height, at even distances, row by row."""
    starts = [at * (1 - size) / (number - 1) for at in range(number)]
    for top in starts:
        for left in starts:
            yield Box(left, top, left + size, top + size)


GRID = (*_windows(2, 2 / 3), *_windows(3, 1 / 2))
"""Where pictures are cut. What is up to a quarter as wide and as high is whole in one of the small ones."""

FINEST = 2
"""How many of the smallest crops lie side by side: for sharp ones a picture has to be so much larger."""

PART_OF = Field("part_of", FieldType.KEYWORD)
PART = Field("part", FieldType.KEYWORD)
BOX = Field("part_box", FieldType.KEYWORD)

PART_FIELDS = (PART_OF, PART, BOX)
"""What a part's document has beside its picture's metadata: the picture's id, the kind, and four numbers."""

_LONGEST_ID = 480
"""Bytes of a picture's id that a part's id can begin with; it may have 512, as an engine's own."""


def parts_index(index: str) -> str:
    """The name of the index that holds the parts of an index's pictures."""
    return f"{index}_parts"


def holds_parts(schema: IndexSchema | None) -> bool:
    """Whether an index of this schema holds parts: one with pictures of its own may have such a name, too.

    Only an index that was made for parts has these fields; no source gives them.
    """
    return schema is not None and set(PART_FIELDS) <= set(schema.fields)


def crops_of(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The crops of a picture that aren't too small, by their number in `GRID`."""
    for number, box in enumerate(GRID):
        sides = (picture.width, picture.height) * 2
        left, top, right, bottom = (round(at * side) for at, side in zip(box, sides, strict=True))
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
    """A picture's caption. Its fingerprint tells whether the text is another one."""
    return _part(record, caption_id(record.id), CAPTIONS, record.description, None)


def crop_record(record: ImageRecord, number: int) -> ImageRecord:
    """A picture's crop."""
    return _part(record, _part_id(record.id, str(number)), CROPS, record.image_version, GRID[number])


def crop_content(picture: str, number: int) -> str:
    """The `Document.content` of a crop of a picture whose own is `picture`; empty where that is."""
    return f"{picture} {CROPPING} {number}" if picture else ""


def picture_content(part: str) -> str:
    """The `Document.content` of the picture of a part whose own is `part`; empty where that is."""
    return part.partition(" ")[0]


def to_image_hit(hit: Hit) -> Hit:
    """The hit of a part as one of its picture."""
    about = dict(hit.metadata)
    id, _ = str(about.pop(PART_OF.name)), about.pop(PART.name)
    numbers = str(about.pop(BOX.name, "")).split()
    box = Box(*map(float, numbers)) if numbers else None
    return replace(hit, id=id, box=box, metadata=about, content=picture_content(hit.content or ""))


def part_filters(kind: str, where: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Conditions on pictures as conditions on their parts of a kind."""
    return OneOf(PART, (kind,)), *map(_of_part, where)


def _of_part(condition: Condition) -> Condition:
    match condition:
        case HasId(ids):
            return OneOf(PART_OF, ids)
        case Not(inner):
            return Not(_of_part(inner))
        case AllOf(several):
            return AllOf(tuple(map(_of_part, several)))
        case AnyOf(several):
            return AnyOf(tuple(map(_of_part, several)))
        case _:
            return condition


def _part(record: ImageRecord, id: str, kind: str, version: str, box: Box | None) -> ImageRecord:
    own = {PART_OF.name: record.id, PART.name: kind}
    place = {BOX.name: " ".join(map(str, box))} if box else {}
    return replace(record, id=id, image_version=version, metadata={**record.metadata, **own, **place})


def part_base(id: str) -> str:
    """What the ids of a picture's parts begin with."""
    written = id.encode(errors="surrogatepass")
    return id if len(written) <= _LONGEST_ID else hashlib.sha256(written).hexdigest()


def _part_id(id: str, name: str) -> str:
    return f"{part_base(id)}#{name}"
