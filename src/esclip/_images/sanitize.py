"""What stands around the pixels in a file: cut down to what a picture needs, and refused where it is a bomb.

    bytes ─► JPEG, PNG: without metadata but the orientation ─► Pillow opens them ─► check(bytes, image)
             HEIC, AVIF: without metadata                                             work within bounds?
             TIFF: not too many values in its directories

Pillow keeps or unpacks all metadata, in Python, and what it does is bounded by the length of a file only:
there are files of 60 MB, and of 1 kB, with which it is busy for minutes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from PIL import BmpImagePlugin, ImageFile, JpegImagePlugin, TiffImagePlugin

from esclip._core.rejections import Reason
from esclip._errors import DecodeError
from esclip._images.heif import decoded_pixels

__all__ = [
    "check_decode_cost",
    "check_tiff",
    "strip_heif_metadata",
    "strip_jpeg_metadata",
    "strip_png_metadata",
]

MAX_SIDE = 65_535
"""JPEG's own. A narrower and longer picture shows nothing, and costs as much for each of its rows."""

MAX_SEGMENTS = 100_000
"""JPEG segments, or PNG chunks: 64 MiB in chunks of 1 KiB are fewer."""

MAX_PNG_ORIENTATION_BYTES = 1 << 16
"""Bytes of a PNG's orientation; a JPEG's is never longer."""

MAX_SCANNED_PIXELS = 2_000_000_000
"""Pixels of a JPEG, for all of its scans together: a tenth of a second for each 89 million. The most detailed
have about 12 scans, a bomb a hundred thousand that are empty."""

SCAN_COST_PIXELS = 100_000
"""What a scan costs however small the picture, in pixels."""

MAX_TIFF_VALUES = 1 << 20
"""Numbers in a TIFF's directories: 89 million pixels in tiles of 16 x 16 are 350,000."""

MAX_TILE_PIXELS = 4096 * 4096
"""Pixels of a tile that may be larger than its picture."""

MAX_TILE_OVERHEAD = 4
"""Tiles of a HEIC or AVIF, and of its alpha, may stand over its edges, and have a tile's room besides."""

MAX_RLE_BMP_PIXELS = 10_000_000
"""Pixels of a run-length encoded BMP, which Pillow decodes in Python: a second."""

_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd8\xff])")
"""A JPEG segment's begin: not a stuffed byte, not a mark inside of a scan."""

_SOS, _EOI = 0xDA, 0xD9

_JPEG_METADATA_KEPT = {
    0xE0: (b"JFIF\0",),
    0xE1: (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"),
    0xEE: (b"Adobe",),
}
"""Of the segments that applications write, those that say how colours are stored, or which way is up."""

_PNG_METADATA_KEPT = (b"tRNS", b"eXIf", b"iTXtXML:com.adobe.xmp\0", b"zTXtRaw profile type exif\0")
"""The same of a PNG's chunks that a decoder need not know."""

_TIFF_SIZES = dict(zip(range(1, 14), (1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4), strict=True))
_TIFF_SIZES |= {16: 8, 17: 8, 18: 8}  # of BigTIFF, but others may have them as well
"""Bytes of a value of each type."""

_TIFF_BYTES = (1, 2, 7)
"""Types that stay as they are, as bytes or text; values of all others become Python numbers."""

_TIFF_NUMBERS = frozenset((256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 282, 283, 284, 296, 317, 320))
_TIFF_NUMBERS |= {322, 323, 324, 325, 330, 338, 339, 530, 532}
"""Tags whose values are numbers whatever their type: sizes, colours, where strips and tiles are."""

_TIFF_DIRECTORIES = (34665, 34853, 40965)
"""Tags that lead to a directory of their own: EXIF, GPS, interoperability."""

_HEIF_METADATA = re.compile(rb"(?s)(infe[\x02\x03].{7,9})(?:Exif|mime)")
"""An item that holds metadata: its entry in the list of items, up to its type."""


def strip_jpeg_metadata(data: bytes) -> bytes:
    """The JPEG with what decides colours and orientation only. Raises `DecodeError` for too many segments."""
    parts = [data[:2]]
    kept: set[bytes] = set()
    for kind, begin, end in _segments(data, 2):
        if kind in (_SOS, _EOI):
            parts.append(data[begin:])
            break
        if 0xE0 <= kind <= 0xEF or kind == 0xFE:
            known = next(
                (name for name in _JPEG_METADATA_KEPT.get(kind, ()) if data.startswith(name, begin + 4)), None
            )
            if known is None or known in kept:
                continue
            kept.add(known)
        parts.append(data[begin:end])
    return b"".join(parts)


def strip_png_metadata(data: bytes) -> bytes:
    """The PNG with its picture and orientation only. Raises `DecodeError` for too many chunks."""
    parts = [data[:8]]
    kept: set[bytes] = set()
    at = 8
    for _ in range(MAX_SEGMENTS):
        if at + 12 > len(data):
            parts.append(data[at:])
            return b"".join(parts)
        length = int.from_bytes(data[at : at + 4], "big")
        known = next((name for name in _PNG_METADATA_KEPT if data.startswith(name, at + 4)), None)
        is_wanted = known is not None and known not in kept and length <= MAX_PNG_ORIENTATION_BYTES
        if is_wanted or not data[at + 4] & 0x20:  # the bit says that a decoder may do without
            kept.add(known or b"")
            parts.append(data[at : at + 12 + length])
        at += 12 + length
    raise DecodeError(Reason.TOO_LARGE, f"more than {MAX_SEGMENTS:,} PNG chunks")


def strip_heif_metadata(data: bytes) -> bytes:
    """The HEIC or AVIF whose EXIF and XMP have a type that nobody reads: which way is up stands elsewhere."""
    data = data.replace(b"ftypavis", b"ftypavif", 1)  # a sequence: its picture, whose size is looked at
    return _HEIF_METADATA.sub(rb"\1skip", data)


def check_tiff(data: bytes) -> bytes:
    """The TIFF as it is. Raises `DecodeError` when its directories would fill the memory."""
    values = entries = 0
    waiting, seen = [_tiff_number(data, 4, 4)], set[int]()
    while waiting:
        directory = waiting.pop()
        if directory in seen:
            continue
        seen.add(directory)
        count = _tiff_number(data, directory, 2)
        entries += count
        if entries > MAX_SEGMENTS:
            raise DecodeError(
                Reason.TOO_LARGE, f"more than {MAX_SEGMENTS:,} entries in the TIFF's directories"
            )
        for at in range(directory + 2, directory + 2 + 12 * count, 12):
            values += _tiff_values(data, at)
            if _tiff_number(data, at, 2) in _TIFF_DIRECTORIES:  # it may be written with any size
                waiting += (_tiff_number(data, at + 8, size) for size in (1, 2, 4))
    if values > MAX_TIFF_VALUES:
        raise DecodeError(Reason.TOO_LARGE, f"{values:,} numbers in the TIFF's directories")
    return data


def _tiff_values(data: bytes, at: int) -> int:
    """How many Python numbers an entry of a directory becomes."""
    tag, kind, count = (_tiff_number(data, at + begin, size) for begin, size in ((0, 2), (2, 2), (4, 4)))
    size = _TIFF_SIZES.get(kind, 0)
    if not size or count * size > len(data):  # what is longer than the file is not there
        return 0
    return count if kind not in _TIFF_BYTES or tag in _TIFF_NUMBERS else 0


def _tiff_number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little" if data.startswith(b"II") else "big")


def check_decode_cost(data: bytes, image: ImageFile.ImageFile) -> None:
    """Raises `DecodeError` when an opened picture would take far longer to decode than its pixels explain."""
    pixels = image.width * image.height
    if max(image.size) > MAX_SIDE:
        raise DecodeError(Reason.TOO_LARGE, f"{image.width} x {image.height} pixels")
    match image:
        case JpegImagePlugin.JpegImageFile() if image.info.get("progressive") or _has_partial_scans(
            data, image
        ):
            most = MAX_SCANNED_PIXELS // (pixels + SCAN_COST_PIXELS)
            if _count_scans(data, most) > most:
                raise DecodeError(
                    Reason.TOO_LARGE, f"more than {most:,} scans of {image.width} x {image.height} pixels"
                )
        case TiffImagePlugin.TiffImageFile():
            width, height = (image.tag_v2.get(tag, 0) for tag in (322, 323))
            if width * height > max(pixels, MAX_TILE_PIXELS):
                raise DecodeError(Reason.TOO_LARGE, f"tiles of {width} x {height} pixels")
        case _ if image.format in ("AVIF", "HEIF"):
            made = decoded_pixels(data, av1=image.format == "AVIF")
            if made > MAX_TILE_OVERHEAD * pixels + MAX_TILE_PIXELS:
                raise DecodeError(
                    Reason.TOO_LARGE, f"{made:,} pixels of tiles for {image.width} x {image.height} pixels"
                )
        case BmpImagePlugin.BmpImageFile() if image.tile and image.tile[0].codec_name == "bmp_rle":
            if pixels > MAX_RLE_BMP_PIXELS:
                raise DecodeError(
                    Reason.TOO_LARGE, f"{image.width} x {image.height} pixels in a run-length encoded BMP"
                )


def _segments(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """A JPEG's segments from a place on: what each is, where it begins, and ends without what is scanned."""
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        begin = found.end() - 2
        at = begin + 2 + max(2, int.from_bytes(data[begin + 2 : begin + 4], "big"))
        yield found[1][0], begin, at
    raise DecodeError(Reason.TOO_LARGE, f"more than {MAX_SEGMENTS:,} JPEG segments")


def _has_partial_scans(data: bytes, image: JpegImagePlugin.JpegImageFile) -> bool:
    """Whether the first scan has some of the colours only, so that others must follow."""
    begin = next((begin for kind, begin, _ in _segments(data, 2) if kind == _SOS), len(data))
    return data[begin + 4 : begin + 5] < bytes([image.layers])


def _count_scans(data: bytes, most: int) -> int:
    """How many scans a JPEG has; none are counted beyond `most`, nor behind its end."""
    count = data.count(b"\xff\xda")  # at least as many, and soon known
    if count <= most:
        return count
    count = 0
    for kind, _, _ in _segments(data, 2):
        count += kind == _SOS
        if kind == _EOI or count > most:
            break
    return count
