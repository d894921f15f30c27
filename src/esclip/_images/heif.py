"""How much is decoded for a HEIC or AVIF: it may be made of tiles, and each of them may be named many times.

bytes ─► boxes ─► meta ─┬─ pitm   which item is the picture
                        ├─ iprp   how large each item says it is
                        ├─ iloc   where its bytes are: an AV1 frame in them may be larger
                        └─ iref   dimg: what a grid is made of; auxl: what is its alpha
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._images.av1 import frame_pixels

__all__ = ["MAX_BOXES", "decoded_pixels"]

MAX_ITEMS = 4096
"""Different tiles: 89 million pixels in tiles of 256 x 256 are 1,366."""

MAX_BYTES = 4 * MAX_PICTURE_BYTES
"""Of all of them together: they may be the same ones again and again."""

MAX_BOXES = 100_000
"""Boxes, items and references of each kind: a grid has 65,025 tiles at most."""

MAX_DEPTH = 8
"""Grids of grids."""

UNBOUNDED = 1 << 62


def decoded_pixels(data: bytes, *, av1: bool) -> int:
    """How many pixels are decoded for the picture, tile by tile, and for its alpha. Never less than that.

    With `av1`, frames may be larger than items say; libheif compares the two itself.
    """
    metas = [
        _read_meta(data, box, av1=av1) for box in _boxes(data, _Box(b"", 0, len(data))) if box.kind == b"meta"
    ]
    return max((meta.pixels() for meta in metas), default=0)


class _Box(NamedTuple):
    kind: bytes
    begin: int
    """Where its content begins."""
    end: int


@dataclass
class _Meta:
    """What is said of the items in a file, by their numbers."""

    data: bytes
    av1: bool
    primary: int = 0
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """Where the bytes of an item begin and end, piece by piece."""
    sizes: dict[int, int] = field(default_factory=dict)
    """Pixels."""
    parts: dict[int, list[int]] = field(default_factory=dict)
    beside: dict[int, list[int]] = field(default_factory=dict)
    """What goes with an item: its alpha."""
    looked_at: int = 0
    copied: int = 0

    def pixels(self) -> int:
        """All that is decoded for the primary item."""
        known: dict[int, int] = {}
        return sum(self._of(item, known, 0) for item in (self.primary, *self.beside.get(self.primary, ())))

    def _of(self, item: int, known: dict[int, int], depth: int) -> int:
        if item not in known:
            parts = self.parts.get(item, ())
            known[item] = UNBOUNDED if parts else self._size(item)  # endless: while it is looked at
            if parts and depth < MAX_DEPTH:
                known[item] = sum(self._of(part, known, depth + 1) for part in parts)
        return known[item]

    def _size(self, item: int) -> int:
        if not self.av1:
            return self.sizes.get(item, 0)
        self.looked_at += 1
        self.copied += sum(max(0, end - begin) for begin, end in self.places.get(item, ()))
        if self.looked_at > MAX_ITEMS or self.copied > MAX_BYTES:
            return UNBOUNDED
        pieces = [self.data[begin:end] for begin, end in self.places.get(item, ())]
        return max(self.sizes.get(item, 0), frame_pixels(b"".join(pieces)))


def _boxes(data: bytes, inside: _Box) -> Iterator[_Box]:
    at = inside.begin
    for _ in range(MAX_BOXES):
        if at + 8 > inside.end:
            return
        size, kind, begin = _read_number(data, at, 4), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, begin = _read_number(data, at + 8, 8), at + 16
        end = at + size if size else inside.end
        if end < begin:
            return
        yield _Box(kind, begin, min(end, inside.end))
        at = end


def _read_number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _read_meta(data: bytes, box: _Box, *, av1: bool) -> _Meta:
    meta, located = _Meta(data, av1), None
    stored = 0  # where the items are that have no place of their own in the file
    for one in _boxes(data, box._replace(begin=box.begin + 4)):
        match one.kind:
            case b"pitm":
                meta.primary = _read_number(data, one.begin + 4, 4 if data[one.begin] else 2)
            case b"iprp":
                _read_sizes(data, one, meta)
            case b"iref":
                _read_references(data, one, meta)
            case b"idat":
                stored = one.begin
            case b"iloc":
                located = one
    if located:
        for item, begin, end in _extents(data, located, stored):
            meta.places.setdefault(item, []).append((begin, end))
    return meta


def _extents(data: bytes, box: _Box, stored: int) -> Iterator[tuple[int, int, int]]:
    """Each item with where a piece of it begins and ends; `stored` is where the meta holds some itself."""
    version, sizes = _read_number(data, box.begin, 1), _read_number(data, box.begin + 4, 2)
    offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index, of_item = index if version else 0, 2 if version < 2 else 4
    at = box.begin + 6 + of_item
    left = MAX_BOXES
    for _ in range(min(_read_number(data, box.begin + 6, of_item), MAX_BOXES)):
        item, at = _read_number(data, at, of_item), at + of_item
        method = _read_number(data, at, 2) & 15 if version else 0
        at += 4 if version else 2
        begin, at = _read_number(data, at, base) + (stored if method == 1 else 0), at + base
        pieces, at = _read_number(data, at, 2), at + 2
        left -= pieces
        for _ in range(pieces if left > 0 else 0):
            first = begin + _read_number(data, at + index, offset)
            size = _read_number(data, at + index + offset, length)
            at += index + offset + length
            yield item, min(first, len(data)), min(first + size if size else len(data), len(data))


def _read_sizes(data: bytes, box: _Box, meta: _Meta) -> None:
    """What items are how large: a list of properties, and which item has which of them."""
    sizes: list[int] = []
    for one in _boxes(data, box):
        if one.kind == b"ipco":
            for property in _boxes(data, one):
                is_size = property.kind == b"ispe"
                width, height = (_read_number(data, property.begin + at, 4) for at in (4, 8))
                sizes.append(width * height if is_size else 0)
        elif one.kind == b"ipma":
            for item, index in _associations(data, one):
                if 0 < index <= len(sizes):
                    meta.sizes[item] = max(meta.sizes.get(item, 0), sizes[index - 1])


def _associations(data: bytes, box: _Box) -> Iterator[tuple[int, int]]:
    wide, of_item = (
        bool(_read_number(data, box.begin + 3, 1) & 1),
        4 if data[box.begin : box.begin + 1] > b"\0" else 2,
    )
    at = box.begin + 8
    for _ in range(min(_read_number(data, box.begin + 4, 4), MAX_BOXES)):
        if at >= box.end:
            return
        item, count = _read_number(data, at, of_item), _read_number(data, at + of_item, 1)
        at += of_item + 1
        for _ in range(count):
            index = _read_number(data, at, 1 + wide)
            yield item, index & (0x7FFF if wide else 0x7F)
            at += 1 + wide


def _read_references(data: bytes, box: _Box, meta: _Meta) -> None:
    size = 4 if data[box.begin : box.begin + 1] > b"\0" else 2
    for one in _boxes(data, box._replace(begin=box.begin + 4)):
        item, count = _read_number(data, one.begin, size), _read_number(data, one.begin + size, 2)
        begin = one.begin + size + 2
        others = [
            _read_number(data, at, size) for at in range(begin, min(begin + count * size, one.end), size)
        ]
        if one.kind == b"dimg":
            meta.parts.setdefault(item, []).extend(others)
        elif one.kind == b"auxl":
            for other in others:
                meta.beside.setdefault(other, []).append(item)
