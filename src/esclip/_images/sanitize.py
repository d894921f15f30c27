"""Strip metadata from image files, and refuse decompression bombs.

    bytes ─► JPEG, PNG: metadata stripped, orientation kept ─► Pillow opens it ─► check_decode_cost
             HEIC, AVIF: metadata hidden
             TIFF: number of values in its directories limited

Pillow parses all metadata, in Python, limited only by the length of the file: there are files of 60 MB, and
of 1 kB, that take minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from PIL import BmpImagePlugin, ImageFile, JpegImagePlugin, TiffImagePlugin

from esclip._errors import DecodeError
from esclip._errors.reasons import Reason
from esclip._images.heif import decoded_pixels

MAX_SIDE = 65_535
"""JPEG's own limit. A longer image is too narrow to show anything, and costs as much for each row."""

MAX_SEGMENTS = 100_000
"""JPEG segments, or PNG chunks: 64 MiB in chunks of 1 KiB are fewer."""

MAX_PNG_ORIENTATION_BYTES = 1 << 16
"""The length of a JPEG segment."""

MAX_SCANNED_PIXELS = 2_000_000_000
"""Pixels of a JPEG times its scans: 0.1 s for each 89 million. Detailed ones have about 12 scans, a bomb
100,000 empty ones."""

SCAN_COST_PIXELS = 100_000
"""The fixed cost of a scan, in pixels."""

MAX_TIFF_VALUES = 1 << 20
"""Numbers in a TIFF's directories: 89 million pixels in tiles of 16 x 16 are 350,000."""

MAX_TILE_PIXELS = 4096 * 4096
"""A tile may be larger than its image, up to this."""

MAX_TILE_OVERHEAD = 4
"""Factor for a HEIC's or AVIF's tiles, which may reach beyond the image, and for its alpha."""

MAX_RLE_BMP_PIXELS = 10_000_000
"""Of a run-length encoded BMP, which Pillow decodes in Python: a second."""

_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
"""The start of a JPEG segment: no stuffed byte, no restart marker inside of a scan."""

_SOS, _EOI = 0xDA, 0xD9

_JPEG_METADATA_KEPT = {
    0xE0: (b"JFIF\0",),
    0xE1: (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"),
    0xEE: (b"Adobe",),
}
"""Application segments about colours or orientation."""

_PNG_METADATA_KEPT = (b"tRNS", b"eXIf", b"iTXtXML:com.adobe.xmp\0", b"zTXtRaw profile type exif\0")
"""Ancillary chunks about transparency or orientation."""

_TIFF_SIZES = dict(zip(range(1, 14), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), strict=True))
_TIFF_SIZES |= {16: 8, 17: 8, 18: 8}  # of BigTIFF, but valid elsewhere
"""Bytes of a value, by type."""

_TIFF_BYTES = (1, 2, 7)
"""Types that Pillow keeps as bytes or text; other values become Python numbers."""

_TIFF_NUMBERS = frozenset((256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 282, 283, 284, 296, 317, 320))
_TIFF_NUMBERS |= {322, 323, 324, 325, 330, 338, 339, 530, 532}
"""Tags that are numbers with any type: sizes, colours, offsets of strips and tiles."""

_TIFF_DIRECTORIES = (34665, 34853, 40965)
"""Tags that point to another directory: EXIF, GPS, interoperability."""

_HEIF_METADATA = re.compile(rb"(?s)(infe[\x02\x03].{7,9})(?:Exif|mime)")
"""The entry of a metadata item in the list of items, up to its type."""


def strip_jpeg_metadata(data: bytes) -> bytes:
    """Keep a JPEG's image, colours and orientation only. Raises `DecodeError` for too many segments."""
    parts = [data[:2]]
    kept: set[bytes] = set()
    for kind, begin, end in _segments(data, 2):
        if kind in (_SOS, _EOI):
            parts.append(data[begin:])
            break
        if 0xE0 <= kind <= 0xEF or kind == 0xFE:
            names = _JPEG_METADATA_KEPT.get(kind, ())
            name = next((name for name in names if data.startswith(name, begin + 4)), None)
            if name is None or name in kept:
                continue
            kept.add(name)
        parts.append(data[begin:end])
    return b"".join(parts)


def strip_png_metadata(data: bytes) -> bytes:
    """Keep a PNG's image, transparency and orientation only. Raises `DecodeError` for too many chunks."""
    parts = [data[:8]]
    kept: set[bytes] = set()
    offset = 8
    for _ in range(MAX_SEGMENTS):
        if offset + 12 > len(data):
            parts.append(data[offset:])
            return b"".join(parts)
        length = int.from_bytes(data[offset : offset + 4], "big")
        name = next((name for name in _PNG_METADATA_KEPT if data.startswith(name, offset + 4)), None)
        is_kept = name is not None and name not in kept and length <= MAX_PNG_ORIENTATION_BYTES
        if is_kept or not data[offset + 4] & 0x20:  # the bit of ancillary chunks
            kept.add(name or b"")
            parts.append(data[offset : offset + 12 + length])
        offset += 12 + length
    raise DecodeError(Reason.TOO_LARGE, f"more than {MAX_SEGMENTS:,} PNG chunks")


def strip_heif_metadata(data: bytes) -> bytes:
    """Give EXIF and XMP of a HEIC or AVIF a type that decoders skip: its orientation is stored elsewhere."""
    data = data.replace(b"ftypavis", b"ftypavif", 1)  # of a sequence the still image, whose size is checked
    return _HEIF_METADATA.sub(rb"\1skip", data)


def check_tiff(data: bytes) -> bytes:
    """Return the TIFF unchanged. Raises `DecodeError` when its directories would fill the memory."""
    values = entries = 0
    pending, seen = [_read_tiff_number(data, 4, 4)], set[int]()
    while pending:
        directory = pending.pop()
        if directory in seen:
            continue
        seen.add(directory)
        count = _read_tiff_number(data, directory, 2)
        entries += count
        if entries > MAX_SEGMENTS:
            raise DecodeError(
                Reason.TOO_LARGE, f"more than {MAX_SEGMENTS:,} entries in the TIFF's directories"
            )
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            values += _count_tiff_values(data, entry)
            if _read_tiff_number(data, entry, 2) in _TIFF_DIRECTORIES:  # a pointer of any size
                pending += (_read_tiff_number(data, entry + 8, size) for size in (1, 2, 4))
    if values > MAX_TIFF_VALUES:
        raise DecodeError(Reason.TOO_LARGE, f"{values:,} numbers in the TIFF's directories")
    return data


def _count_tiff_values(data: bytes, entry: int) -> int:
    """The number of Python numbers that Pillow makes of a directory's entry."""
    tag, kind, count = (_read_tiff_number(data, entry + at, size) for at, size in ((0, 2), (2, 2), (4, 4)))
    size = _TIFF_SIZES.get(kind, 0)
    if not size or count * size > len(data):  # longer than the file: absent
        return 0
    return count if kind not in _TIFF_BYTES or tag in _TIFF_NUMBERS else 0


def _read_tiff_number(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little" if data.startswith(b"II") else "big")


def check_decode_cost(data: bytes, image: ImageFile.ImageFile) -> None:
    """Raise `DecodeError` for an opened image whose decoding would cost far more than its size suggests."""
    pixels = image.width * image.height
    if max(image.size) > MAX_SIDE:
        raise DecodeError(Reason.TOO_LARGE, f"{image.width} x {image.height} pixels")
    match image:
        case JpegImagePlugin.JpegImageFile() if image.info.get("progressive") or _has_partial_scans(
            data, image
        ):
            limit = MAX_SCANNED_PIXELS // (pixels + SCAN_COST_PIXELS)
            if _count_scans(data, limit) > limit:
                raise DecodeError(
                    Reason.TOO_LARGE, f"more than {limit:,} scans of {image.width} x {image.height} pixels"
                )
        case TiffImagePlugin.TiffImageFile():
            width, height = (image.tag_v2.get(tag, 0) for tag in (322, 323))
            if width * height > max(pixels, MAX_TILE_PIXELS):
                raise DecodeError(Reason.TOO_LARGE, f"tiles of {width} x {height} pixels")
        case _ if image.format in ("AVIF", "HEIF"):
            decoded = decoded_pixels(data, av1=image.format == "AVIF")
            if decoded > MAX_TILE_OVERHEAD * pixels + MAX_TILE_PIXELS:
                raise DecodeError(
                    Reason.TOO_LARGE, f"{decoded:,} pixels of tiles for {image.width} x {image.height} pixels"
                )
        case BmpImagePlugin.BmpImageFile() if image.tile and image.tile[0].codec_name == "bmp_rle":
            if pixels > MAX_RLE_BMP_PIXELS:
                raise DecodeError(
                    Reason.TOO_LARGE, f"{image.width} x {image.height} pixels in a run-length encoded BMP"
                )


def _segments(data: bytes, offset: int) -> Iterator[tuple[int, int, int]]:
    """A JPEG's segments from an offset on, as (marker, begin, end without a scan's data)."""
    for _ in range(MAX_SEGMENTS):
        marker = _MARKER.search(data, offset)
        if marker is None:
            return
        begin = marker.end() - 2
        offset = begin + 2 + max(2, int.from_bytes(data[begin + 2 : begin + 4], "big"))
        yield marker[1][0], begin, offset
    raise DecodeError(Reason.TOO_LARGE, f"more than {MAX_SEGMENTS:,} JPEG segments")


def _has_partial_scans(data: bytes, image: JpegImagePlugin.JpegImageFile) -> bool:
    """Whether the first scan has only some of the channels, so that others follow."""
    begin = next((begin for kind, begin, _ in _segments(data, 2) if kind == _SOS), len(data))
    return data[begin + 4 : begin + 5] < bytes([image.layers])


def _count_scans(data: bytes, limit: int) -> int:
    """Count the scans of a JPEG before its end, up to one more than `limit`."""
    count = data.count(b"\xff\xda")  # a fast upper bound
    if count <= limit:
        return count
    count = 0
    for kind, _, _ in _segments(data, 2):
        count += kind == _SOS
        if kind == _EOI or count > limit:
            break
    return count
