"""Reads the boxes of a HEIC or AVIF: how many pixels decoding takes, and its EXIF.

Its grids may refer to one tile many times.

bytes ─► boxes ─► meta ─┬─ pitm   the primary item
                        ├─ iprp   the declared sizes of items
                        ├─ iloc   the items' bytes: an AV1 frame in them may be larger
                        └─ iref   dimg: the tiles of a grid; auxl: the alpha of an item
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._images.av1 import frame_pixels

MAX_ITEMS = 4096
"""Distinct tiles: 89 million pixels in tiles of 256 x 256 are 1,366."""

MAX_BYTES = 4 * MAX_PICTURE_BYTES
"""Of all tiles together, whose bytes may overlap."""

MAX_BOXES = 100_000
"""Boxes, items and references, each: a grid has at most 65,025 tiles."""

MAX_DEPTH = 8
"""Nested grids."""

UNBOUNDED = 1 << 62


MAX_EXIF_BYTES = 1 << 20
"""Of an item; a camera writes less than 64 kB."""


def exif_item(data: bytes) -> bytes:
    """The EXIF block of a HEIC or AVIF, a TIFF; empty where it has none, or one that is too long."""
    for box in _boxes(data, _Box(b"", 0, len(data))):
        if box.kind == b"meta":
            number = _exif_number(data, box._replace(begin=box.begin + 4))
            pieces = _read_meta(data, box, av1=False).extents.get(number, ()) if number else ()
            if pieces and sum(max(0, end - begin) for begin, end in pieces) <= MAX_EXIF_BYTES:
                block = b"".join(data[begin:end] for begin, end in pieces)
                return block[4 + _read_number(block, 0, 4) :]
    return b""


def _exif_number(data: bytes, meta: _Box) -> int:
    """The number of the first item that is EXIF; 0 where none is."""
    for items in (box for box in _boxes(data, meta) if box.kind == b"iinf"):
        entries = items._replace(
            begin=items.begin + (8 if data[items.begin : items.begin + 1] > b"\0" else 6)
        )
        for entry in (box for box in _boxes(data, entries) if box.kind == b"infe"):
            size = 4 if _read_number(data, entry.begin, 1) == 3 else 2
            if data[entry.begin + 6 + size : entry.begin + 10 + size] == b"Exif":
                return _read_number(data, entry.begin + 4, size)
    return 0


def decoded_pixels(data: bytes, *, av1: bool) -> int:
    """An upper bound of the pixels decoded for the image, tile by tile, and for its alpha.

    With `av1`, frames may be larger than declared; for HEIC, libheif checks that itself.
    """
    metas = [
        _read_meta(data, box, av1=av1) for box in _boxes(data, _Box(b"", 0, len(data))) if box.kind == b"meta"
    ]
    return max((meta.pixels() for meta in metas), default=0)


class _Box(NamedTuple):
    kind: bytes
    begin: int
    """Of its content."""
    end: int


@dataclass
class _Meta:
    """The items of a file by their numbers."""

    data: bytes
    av1: bool
    primary: int = 0
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """The (begin, end) of each piece of an item's bytes."""
    sizes: dict[int, int] = field(default_factory=dict)
    """Pixels."""
    tiles: dict[int, list[int]] = field(default_factory=dict)
    auxiliary: dict[int, list[int]] = field(default_factory=dict)
    """Such as an item's alpha."""
    frames_read: int = 0
    bytes_read: int = 0

    def pixels(self) -> int:
        """Pixels decoded for the primary item and its auxiliary ones."""
        pixels: dict[int, int] = {}
        items = (self.primary, *self.auxiliary.get(self.primary, ()))
        return sum(self._count(item, pixels, 0) for item in items)

    def _count(self, item: int, pixels: dict[int, int], depth: int) -> int:
        if item not in pixels:
            tiles = self.tiles.get(item, ())
            pixels[item] = UNBOUNDED if tiles else self._size(item)  # unbounded if it refers to itself
            if tiles and depth < MAX_DEPTH:
                pixels[item] = sum(self._count(tile, pixels, depth + 1) for tile in tiles)
        return pixels[item]

    def _size(self, item: int) -> int:
        if not self.av1:
            return self.sizes.get(item, 0)
        self.frames_read += 1
        self.bytes_read += sum(max(0, end - begin) for begin, end in self.extents.get(item, ()))
        if self.frames_read > MAX_ITEMS or self.bytes_read > MAX_BYTES:
            return UNBOUNDED
        pieces = [self.data[begin:end] for begin, end in self.extents.get(item, ())]
        return max(self.sizes.get(item, 0), frame_pixels(b"".join(pieces)))


def _boxes(data: bytes, parent: _Box) -> Iterator[_Box]:
    offset = parent.begin
    for _ in range(MAX_BOXES):
        if offset + 8 > parent.end:
            return
        size, kind, begin = _read_number(data, offset, 4), data[offset + 4 : offset + 8], offset + 8
        if size == 1:
            size, begin = _read_number(data, offset + 8, 8), offset + 16
        end = offset + size if size else parent.end
        if end < begin:
            return
        yield _Box(kind, begin, min(end, parent.end))
        offset = end


def _read_number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "big")


def _read_meta(data: bytes, box: _Box, *, av1: bool) -> _Meta:
    meta, locations = _Meta(data, av1), None
    idat = 0
    for child in _boxes(data, box._replace(begin=box.begin + 4)):
        match child.kind:
            case b"pitm":
                meta.primary = _read_number(data, child.begin + 4, 4 if data[child.begin] else 2)
            case b"iprp":
                _read_sizes(data, child, meta)
            case b"iref":
                _read_references(data, child, meta)
            case b"idat":
                idat = child.begin
            case b"iloc":
                locations = child
    if locations:
        for item, begin, end in _extents(data, locations, idat):
            meta.extents.setdefault(item, []).append((begin, end))
    return meta


def _extents(data: bytes, box: _Box, idat: int) -> Iterator[tuple[int, int, int]]:
    """The pieces of items as (item, begin, end); `idat` is the offset of those stored in the meta box."""
    version, sizes = _read_number(data, box.begin, 1), _read_number(data, box.begin + 4, 2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index_size, id_size = index_size if version else 0, 2 if version < 2 else 4
    at = box.begin + 6 + id_size
    remaining = MAX_BOXES
    for _ in range(min(_read_number(data, box.begin + 6, id_size), MAX_BOXES)):
        item, at = _read_number(data, at, id_size), at + id_size
        method = _read_number(data, at, 2) & 15 if version else 0
        at += 4 if version else 2
        base, at = _read_number(data, at, base_size) + (idat if method == 1 else 0), at + base_size
        count, at = _read_number(data, at, 2), at + 2
        remaining -= count
        for _ in range(count if remaining > 0 else 0):
            begin = base + _read_number(data, at + index_size, offset_size)
            size = _read_number(data, at + index_size + offset_size, length_size)
            at += index_size + offset_size + length_size
            yield item, min(begin, len(data)), min(begin + size if size else len(data), len(data))


def _read_sizes(data: bytes, box: _Box, meta: _Meta) -> None:
    """Read the items' sizes: a list of properties, and the items' indexes into it."""
    sizes: list[int] = []
    for child in _boxes(data, box):
        if child.kind == b"ipco":
            for property in _boxes(data, child):
                is_size = property.kind == b"ispe"
                width, height = (_read_number(data, property.begin + offset, 4) for offset in (4, 8))
                sizes.append(width * height if is_size else 0)
        elif child.kind == b"ipma":
            for item, index in _associations(data, child):
                if 0 < index <= len(sizes):
                    meta.sizes[item] = max(meta.sizes.get(item, 0), sizes[index - 1])


def _associations(data: bytes, box: _Box) -> Iterator[tuple[int, int]]:
    index_size = 1 + (_read_number(data, box.begin + 3, 1) & 1)
    id_size = 4 if data[box.begin : box.begin + 1] > b"\0" else 2
    offset = box.begin + 8
    for _ in range(min(_read_number(data, box.begin + 4, 4), MAX_BOXES)):
        if offset >= box.end:
            return
        item, count = _read_number(data, offset, id_size), _read_number(data, offset + id_size, 1)
        offset += id_size + 1
        for _ in range(count):
            index = _read_number(data, offset, index_size)
            yield item, index & (0x7FFF if index_size == 2 else 0x7F)
            offset += index_size


def _read_references(data: bytes, box: _Box, meta: _Meta) -> None:
    size = 4 if data[box.begin : box.begin + 1] > b"\0" else 2
    for child in _boxes(data, box._replace(begin=box.begin + 4)):
        item, count = _read_number(data, child.begin, size), _read_number(data, child.begin + size, 2)
        begin = child.begin + size + 2
        end = min(begin + count * size, child.end)
        targets = [_read_number(data, offset, size) for offset in range(begin, end, size)]
        if child.kind == b"dimg":
            meta.tiles.setdefault(item, []).extend(targets)
        elif child.kind == b"auxl":
            for target in targets:
                meta.auxiliary.setdefault(target, []).append(item)
