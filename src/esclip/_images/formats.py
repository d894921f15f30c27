"""The formats of pictures that are read: what their files are called, and how their bytes begin.

a file's name  ─► passed_over_as ─► None: a folder's walk takes it, or a kind to be counted
a file's bytes ─► format_of ─► what the decoder reads it with; of a file that a person names, they alone count

One list for both, so that what a walk takes can be decoded, and what is decoded is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib.util import find_spec

__all__ = [
    "INSTALLS",
    "LINKED_FOLDERS",
    "UNREAD",
    "PictureFormat",
    "described",
    "format_of",
    "is_read",
    "passed_over_as",
    "suffixes",
]


class PictureFormat(Enum):
    """A format, by the name that people know."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    AVIF = "AVIF"
    HEIC = "HEIC"


INSTALLS: Mapping[PictureFormat, str] = {
    PictureFormat.HEIC: "pip install 'esclip[heic]'",
    PictureFormat.AVIF: "install a Pillow that has it",
}
"""What reads the formats that not every installation reads."""

_SUFFIXES: Mapping[PictureFormat, str] = {
    PictureFormat.JPEG: ".jpg .jpeg .jpe .jfif .pjpeg .pjp",
    PictureFormat.PNG: ".png .apng",
    PictureFormat.WEBP: ".webp",
    PictureFormat.GIF: ".gif",
    PictureFormat.BMP: ".bmp .dib",
    PictureFormat.TIFF: ".tif .tiff",
    PictureFormat.AVIF: ".avif .avifs",
    PictureFormat.HEIC: ".heic .heif .hif",
}

_MARKS: tuple[tuple[PictureFormat, tuple[tuple[int, bytes], ...]], ...] = (
    (PictureFormat.JPEG, ((0, b"\xff\xd8\xff"),)),
    (PictureFormat.PNG, ((0, b"\x89PNG\r\n\x1a\n"),)),
    (PictureFormat.WEBP, ((0, b"RIFF"), (8, b"WEBP"))),
    (PictureFormat.GIF, ((0, b"GIF87a"),)),
    (PictureFormat.GIF, ((0, b"GIF89a"),)),
    (PictureFormat.BMP, ((0, b"BM"), (6, bytes(4)))),
    (PictureFormat.TIFF, ((0, b"II*\x00"),)),
    (PictureFormat.TIFF, ((0, b"MM\x00*"),)),
)
"""What a format's bytes have at which place."""

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
MOST_BRANDS = 64

LINKED_FOLDERS = "linked_folders"

UNREAD = frozenset(format.value.lower() for format in PictureFormat)
"""The kinds of what is passed over where nothing is installed that reads it."""

_WORDS: Mapping[str, str] = {
    "heic": "HEIC {:,} (pip install 'esclip[heic]' reads them)",
    "avif": "AVIF {:,} (a Pillow with AVIF reads them)",
    "raw": "raw camera pictures {:,}",
    "video": "videos {:,}",
    "other_pictures": "pictures of other formats {:,}",
    LINKED_FOLDERS: "linked folders {:,} (to ingest them, name them)",
    "other_files": "other files {:,}",
}
"""The kinds of what is passed over, in the order in which they are told."""

_KINDS: Mapping[str, str] = {
    "raw": ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .gpr .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf "
    ".raw .rw2 .rwl .sr2 .srf .srw .x3f",
    "video": ".3g2 .3gp .avi .flv .insv .lrv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .webm .wmv",
    "other_pictures": ".ai .cur .dds .djvu .emf .eps .exr .hdr .heics .heifs .icns .ico .insp .j2k .jp2 .jpf "
    ".jpx .jxl .jxr .pbm .pcx .pdf .pgm .pnm .ppm .psb .psd .qoi .svg .svgz .tga .wmf .xcf",
    "": ".aae .db .ini .json .thm .txt .xmp",  # stand beside pictures: nobody misses them
}


def format_of(data: bytes) -> PictureFormat | None:
    """The format of a picture that begins so; None for any other."""
    for format, marks in _MARKS:
        if all(data.startswith(mark, at) for at, mark in marks):
            return format
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), 16 + 4 * MOST_BRANDS)
    brands = {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return PictureFormat.AVIF
    return PictureFormat.HEIC if brands & _HEIC_BRANDS else None


@cache
def is_read(format: PictureFormat) -> bool:
    """Whether this installation has what decodes it."""
    match format:
        case PictureFormat.HEIC:
            return find_spec("pillow_heif") is not None
        case PictureFormat.AVIF:
            from PIL import features

            return features.check("avif") is True
        case _:
            return True


def suffixes() -> list[str]:
    """How files are called that a folder's walk takes."""
    return sorted(
        suffix for format in PictureFormat if is_read(format) for suffix in _SUFFIXES[format].split()
    )


@cache
def _kinds() -> Mapping[str, str | None]:
    """The kind that a suffix stands for; None for a picture that is read."""
    kinds: dict[str, str | None] = {suffix: kind for kind, all in _KINDS.items() for suffix in all.split()}
    for format in PictureFormat:
        kind = None if is_read(format) else format.value.lower()
        kinds |= dict.fromkeys(_SUFFIXES[format].split(), kind)
    return kinds


def passed_over_as(name: str) -> str | None:
    """The kind under which a walk counts a file of this name; empty for none, None where it is taken."""
    _, dot, suffix = name.rpartition(".")
    return _kinds().get(dot + suffix.lower() if dot else "", "other_files")


def described(passed: Mapping[str, int]) -> str:
    """What was passed over, in words."""
    return ", ".join(words.format(passed[kind]) for kind, words in _WORDS.items() if passed.get(kind))
