"""Small files that would take minutes or gigabytes to decode, and the largest pictures that are decoded.

python -m scripts.picture_bombs      what each takes here: seconds, megabytes, and what becomes of it
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pillow_heif
from PIL import Image

__all__ = [
    "BOMBS",
    "MONSTERS",
    "UPSIDE_DOWN",
    "avif_with_exif",
    "bmp",
    "gif",
    "heic_of_tiles",
    "jpeg",
    "jpeg_of_scans",
    "peak_megabytes",
    "png",
    "png_chunk",
    "tiff",
]

SIDE = 9_459
"""A square of this side is just below the cap of 89 megapixels."""

UPSIDE_DOWN = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
"""EXIF that says so."""


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: int = 1, *, bits: int = 8, color: int = 2, extra: bytes = b"", behind: bytes = b"") -> bytes:
    """A black square of a color type, with chunks before its pixels and behind them."""
    row = bytes(1 + -(-side * bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color] // 8))
    packer = zlib.compressobj(1)
    pixels = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, color, 0, 0, 0))
    rest = png_chunk(b"IDAT", pixels) + behind + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + extra + rest


def gif(extensions: bytes) -> bytes:
    """A GIF of one pixel with something before it."""
    file = io.BytesIO()
    Image.new("P", (1, 1)).save(file, "GIF")
    data = file.getvalue()
    at = data.index(b",")
    return b"GIF89a" + data[6:at] + extensions + data[at:]


def bmp(width: int, height: int, bits: int, compression: int, pixels: bytes) -> bytes:
    """A BMP with a black palette; compression 1 and 2 are run-length encodings of 8 and 4 bits."""
    palette = bytes(4 << bits) if bits <= 8 else b""
    begin = 54 + len(palette)
    head = b"BM" + struct.pack("<IHHI", begin + len(pixels), 0, 0, begin)
    sizes = (40, width, height, 1, bits, compression, len(pixels), 2835, 2835, 0, 0)
    return head + struct.pack("<IiiHHIIiiII", *sizes) + palette + pixels


def jpeg(segments: bytes = b"") -> bytes:
    """A small JPEG with something before all else."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "JPEG")
    return file.getvalue()[:2] + segments + file.getvalue()[2:]


def jpeg_of_scans(scans: int, side: int, *, progressive: bool) -> bytes:
    """A JPEG that says how large it is and then has scans that are empty: its decoder fills in zeros."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", progressive=progressive)
    data = file.getvalue()
    frame, first = data.index(b"\xff\xc2" if progressive else b"\xff\xc0"), data.index(b"\xff\xda")
    head = data[: frame + 5] + struct.pack(">HH", side, side) + data[frame + 9 : first]
    dc, rest = b"\xff\xda\0\x08\x01\x01\x00\x00\x00\x00", b"\xff\xda\0\x08\x01\x01\x00\x01\x3f\x00"
    sequential = b"\xff\xda\0\x08\x01\x01\x00\x00\x3f\x00"
    return head + (dc + rest * scans if progressive else sequential * scans) + b"\xff\xd9"


def tiff(tags: Mapping[int, tuple[int, int, int | bytes]], pixels: bytes = b"") -> bytes:
    """A grey TIFF of 100 x 100 pixels, unless tags (type, count, value) say something else."""
    usual = {256: 100, 257: 100, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 100, 279: 10_000}
    all_tags = {tag: (4, 1, value) for tag, value in usual.items()} | dict(tags)
    heap_at = 8 + 2 + 12 * len(all_tags) + 4
    directory, heap = struct.pack("<H", len(all_tags)), b""
    for tag, (kind, count, value) in sorted(all_tags.items()):
        place = heap_at + len(heap) if isinstance(value, bytes) else value
        heap += value if isinstance(value, bytes) else b""
        directory += struct.pack("<HHLL", tag, kind, count, place)
    return b"II*\0\x08\0\0\0" + directory + bytes(4) + heap + pixels


def _with_directory(tag: int, values: int) -> bytes:
    """A TIFF with a further directory behind it, which the tag leads to, of signed bytes."""
    end = len(tiff({tag: (4, 1, 0)}))
    entry = struct.pack("<HHLL", 65000, 6, values, end + 18)
    return tiff({tag: (4, 1, end)}) + struct.pack("<H", 1) + entry + bytes(4) + bytes(values)


def heic_of_tiles(columns: int, rows: int, side: int) -> bytes:
    """A HEIC of 1,000 x 1,000 pixels that is a grid of one and the same tile, which is far larger."""
    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(file, "HEIF", quality=10)
    one = file.getvalue()
    tile = _box_content(one, b"mdat")
    config = _box(b"hvcC", _box_content(one, b"hvcC"))
    count = columns * rows
    sizes = [_full_box(b"ispe", struct.pack(">II", length, length)) for length in (side, 1_000)]
    associated = struct.pack(">IHBBBHBB", 2, 1, 2, 1, 0x82, 2, 1, 3)
    items = [
        _full_box(b"infe", struct.pack(">HH", number, 0) + kind + b"\0", version=2)
        for number, kind in ((1, b"hvc1"), (2, b"grid"))
    ]
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, 1_000, 1_000)

    def meta(begin: int) -> bytes:
        places = struct.pack(">BBHHHHHII", 0x44, 0, 2, 1, 0, 0, 1, begin, len(tile))
        places += struct.pack(">HHHHII", 2, 1, 0, 1, 0, len(grid))
        return _full_box(
            b"meta",
            _full_box(b"hdlr", bytes(4) + b"pict" + bytes(13)),
            _full_box(b"pitm", struct.pack(">H", 2)),
            _full_box(b"iloc", places, version=1),
            _full_box(b"iinf", struct.pack(">H", 2), *items),
            _full_box(b"iref", _box(b"dimg", struct.pack(">HH", 2, count) + b"\0\1" * count)),
            _box(b"iprp", _box(b"ipco", sizes[0], config, sizes[1]), _full_box(b"ipma", associated)),
            _box(b"idat", grid),
        )

    head = _box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + _box(b"mdat", tile)


def _box(kind: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I", 8 + sum(map(len, parts))) + kind + b"".join(parts)


def _full_box(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return _box(kind, bytes((version, 0, 0, 0)), *parts)


def _box_content(data: bytes, kind: bytes) -> bytes:
    at = data.index(kind)
    return data[at + 4 : at - 4 + int.from_bytes(data[at - 4 : at], "big")]


def _small_avif_of_a_large_frame() -> bytes:
    """An AVIF that says it is of 9 x 9 pixels: its decoder makes all of them before it scales them down."""
    file = io.BytesIO()
    Image.new("RGB", (4_200, 4_200), "red").save(file, "AVIF", speed=10)
    return file.getvalue().replace(struct.pack(">II", 4_200, 4_200), struct.pack(">II", 9, 9))


def avif_with_exif(values: int) -> bytes:
    """A small AVIF whose EXIF has so many signed bytes."""
    entry = struct.pack(">HHLL", 65000, 6, values, 26)
    exif = b"MM\0*\0\0\0\x08\0\x01" + entry + bytes(4) + bytes(values)
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "AVIF", exif=exif, speed=10)
    return file.getvalue()


def _avif() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "red").save(file, "AVIF", speed=10)
    return file.getvalue()


def _webp(mode: str) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (SIDE, SIDE), "red").save(file, "WEBP", lossless=True, method=0, quality=0)
    return file.getvalue()


def _scanned_again() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "red").save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * (22 - data.count(b"\xff\xda")) + data[-2:]


BOMBS: Mapping[str, Callable[[], bytes]] = {
    "JPEG of progressive scans": lambda: jpeg_of_scans(1_000, SIDE, progressive=True),
    "JPEG of sequential scans": lambda: jpeg_of_scans(1_000, SIDE, progressive=False),
    "JPEG of tiny scans": lambda: jpeg_of_scans(50_000, 8, progressive=True),
    "JPEG of comments": lambda: jpeg(b"\xff\xfe\0\x02" * 100_001),
    "PNG of chunks": lambda: png(extra=png_chunk(b"abCd", b"") * 100_001),
    "PNG of empty pixels": lambda: png(extra=png_chunk(b"IDAT", b"") * 100_001),
    "GIF of blocks": lambda: gif(b"!\xff" + b"\x01a" * 2_100_000 + b"\0"),
    "BMP of one row": lambda: bmp(89_000_000, 1, 8, 1, b"\x01\x00\x00\x00\x00\x01"),
    "BMP of line ends": lambda: bmp(SIDE, SIDE, 8, 1, b"\x01\x00\x00\x00" * SIDE),
    "BMP of runs of nothing": lambda: bmp(10, 10, 8, 1, b"\x0a\0" + b"\x05\0" * 2_100_000),
    "TIFF of strips": lambda: tiff({278: (4, 1, 1), 273: (4, 1_100_000, bytes(4_400_000))}),
    "TIFF of byte-sized strips": lambda: tiff({278: (4, 1, 1), 273: (1, 1_100_000, bytes(1_100_000))}),
    "TIFF of resolutions": lambda: tiff({282: (5, 1_100_000, bytes(8_800_000))}),
    **{
        f"TIFF of numbers of type {kind}": partial(tiff, {65000: (kind, 1_100_000, bytes(1_100_000 * size))})
        for kind, size in {3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}.items()
    },
    "TIFF of a byte-sized palette": lambda: tiff({320: (1, 1_100_000, bytes(1_100_000))}),
    **{
        f"TIFF of numbers in the directory of {tag}": partial(_with_directory, tag, 1_100_000)
        for tag in (34665, 34853)
    },
    "HEIC of tiles": lambda: heic_of_tiles(4, 4, 2_048),
    "AVIF of a large frame": _small_avif_of_a_large_frame,
    "TIFF of a huge tile": lambda: tiff(
        {259: (4, 1, 8), 322: (4, 1, 32_000), 323: (4, 1, 32_000), 324: (4, 1, 8), 325: (4, 1, 99)}
    ),
}
"""What is refused as too large; with larger files of these kinds it could go on for hours."""

MONSTERS: Mapping[str, Callable[[], bytes]] = {
    "PNG": lambda: png(SIDE),
    "PNG upside down, with alpha": lambda: png(SIDE, color=6, extra=png_chunk(b"eXIf", UPSIDE_DOWN)),
    "PNG grey, with alpha": lambda: png(SIDE, color=4),
    "PNG of 16 bits": lambda: png(SIDE, bits=16, color=0),
    "WebP": lambda: _webp("RGB"),
    "WebP with alpha": lambda: _webp("RGBA"),
    "JPEG of 22 scans": _scanned_again,
    "BMP of runs": lambda: bmp(9_900, 1_000, 8, 1, (b"\x01\x00\x00\x00") * 1_000),
    "AVIF": _avif,
    "AVIF with EXIF of 40 MB": lambda: avif_with_exif(40_000_000),
    "GIF of few blocks": lambda: gif(b"!\xff" + b"\x01a" * 1_900_000 + b"\0"),
}
"""The worst of what is within all caps."""


def main() -> None:
    """Decode each in a process of its own, which hasn't made it: that takes memory, too."""
    if sys.argv[1:] == ["-"]:
        print(json.dumps(_decoded(sys.stdin.buffer.read())))
        return
    for name, made in {**BOMBS, **MONSTERS}.items():
        command = [sys.executable, "-m", "scripts.picture_bombs", "-"]
        done = subprocess.run(command, input=made(), stdout=subprocess.PIPE, check=True)
        print(f"{name:30}", *json.loads(done.stdout), sep="\t", flush=True)


def _decoded(data: bytes) -> tuple[str, str, str]:
    from esclip._errors import DecodeError
    from esclip._images.decode import decode

    before, began = peak_megabytes(), time.monotonic()
    try:
        outcome = "decoded, {} x {}".format(*decode(data).size)
    except DecodeError as error:
        outcome = f"{error.reason.value}: {error.detail}"
    return f"{time.monotonic() - began:.1f} s", f"{peak_megabytes() - before} MB", outcome


def peak_megabytes() -> int:
    """The most memory that this process had resident; Linux only."""
    status = Path("/proc/self/status").read_text("ascii")  # getrusage would count the parent's
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1000


if __name__ == "__main__":
    main()
