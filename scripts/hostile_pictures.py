"""Pictures that bite: ordinary ones of all kinds, and ways to damage them.

ordinary() ─► damaged(picture, rng) ─► bytes that may be anything
"""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping

import pillow_heif
from PIL import Image

from scripts.picture_bombs import UPSIDE_DOWN, bmp

__all__ = ["damaged", "ordinary"]

ABSURD = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def ordinary() -> list[bytes]:
    """Small pictures of all formats, and of the modes, packings, animations and metadata that they have."""
    base = Image.radial_gradient("L").resize((24, 16))
    colored = Image.merge("RGB", [base, base.rotate(90), base.rotate(180)])
    frames = {"save_all": True, "append_images": [colored.rotate(90), colored.rotate(180)]}
    exif = {"exif": b"Exif\0\0" + UPSIDE_DOWN, "icc_profile": bytes(range(256)) * 9}
    saved: list[tuple[str, str, Mapping[str, object]]] = [
        *((mode, "PNG", {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
        ("P", "PNG", {"transparency": 3}),
        ("RGB", "PNG", exif | frames),
        *((mode, "JPEG", {}) for mode in ("L", "RGB", "CMYK")),
        ("RGB", "JPEG", exif | {"progressive": True, "comment": b"x" * 99}),
        *((mode, "WEBP", {"lossless": packed}) for mode in ("RGB", "RGBA") for packed in (True, False)),
        ("RGB", "WEBP", exif | frames),
        ("P", "GIF", {"comment": b"x" * 600}),
        ("P", "GIF", {"transparency": 3, "interlace": 1}),
        ("RGB", "GIF", frames),
        *((mode, "BMP", {}) for mode in ("1", "L", "P", "RGB", "RGBA")),
        *((mode, "TIFF", {}) for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "LAB")),
        *(("RGB", "TIFF", {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")),
        ("L", "TIFF", {"compression": "packbits"}),
        ("1", "TIFF", {"compression": "group4"}),
        ("RGB", "TIFF", {**frames, "exif": UPSIDE_DOWN}),
        *((mode, "AVIF", {"speed": 10}) for mode in ("L", "RGB", "RGBA")),
        ("RGB", "AVIF", {"exif": UPSIDE_DOWN, "icc_profile": bytes(range(256)) * 9, "speed": 10}),
        ("RGB", "AVIF", {**frames, "speed": 10}),
        *((mode, "HEIF", {}) for mode in ("L", "RGB", "RGBA", "I;16")),
        ("RGB", "HEIF", {"exif": UPSIDE_DOWN, "icc_profile": bytes(range(256)) * 9}),
        ("RGB", "HEIF", frames),
    ]
    pillow_heif.register_heif_opener()
    pictures = []
    for mode, format, settings in saved:
        file = io.BytesIO()
        image = Image.new(mode, base.size) if mode in ("I;16", "LAB") else colored.convert(mode)
        image.save(file, format, **settings)
        pictures.append(file.getvalue())
    runs = b"\x05\x01\x00\x00" * 4 + b"\x00\x02\x02\x02" + b"\x00\x05abcde\x00" + b"\x00\x01"
    return [
        *pictures,
        bmp(24, 16, 8, 1, runs),
        bmp(24, 16, 4, 2, runs),
        bmp(24, -16, 24, 0, bytes(24 * 16 * 3)),
    ]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The picture with a few things wrong: bytes, lengths, order, end."""
    damage = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(_DAMAGES)(damage, rng)
    return _with_checksums(bytes(damage)) if rng.random() < 0.8 else bytes(damage)


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 6)):
        if data:
            data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def _absurd(data: bytearray, rng: random.Random) -> None:
    """A number of a header, which is where most numbers are, becomes an absurd one."""
    at = rng.randrange(min(len(data), rng.choice((32, 128, 2_000))) or 1)
    size, order = rng.choice((1, 2, 3, 4)), rng.choice((">", "<"))
    packed = struct.pack(order + "Q", rng.choice(ABSURD))
    data[at : at + size] = packed[8 - size :] if order == ">" else packed[:size]


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _splice(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at : at + rng.randrange(40)] = rng.randbytes(rng.randrange(40))


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    data[at:at] = data[at : at + rng.randrange(1, 200)] * rng.choice((1, 2, 50, 1_000))


def _move(data: bytearray, rng: random.Random) -> None:
    begin = rng.randrange(len(data) + 1)
    part = data[begin : begin + rng.randrange(1, 100)]
    del data[begin : begin + len(part)]
    at = rng.randrange(len(data) + 1)
    data[at:at] = part


_DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flip,
    _absurd,
    _cut,
    _splice,
    _repeat,
    _move,
)


def _with_checksums(data: bytes) -> bytes:
    """A PNG with its checksums right again, or nothing behind them is ever looked at."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    parts, at = [data[:8]], 8
    while at + 12 <= len(data):
        body = data[at + 8 : at + 8 + int.from_bytes(data[at : at + 4], "big")]
        parts.append(data[at : at + 4] + data[at + 4 : at + 8] + body)
        parts.append(struct.pack(">I", zlib.crc32(data[at + 4 : at + 8] + body)))
        at += 12 + len(body)
    return b"".join([*parts, data[at:]])
