"""Image formats: file supported_suffixes, and signatures in the first bytes.

a folder's file by its name ─► skipped_kind ─► None: the walk takes it; or a kind to count
a file by its first bytes   ─► detect_format ─► the decoder's format

Both use one list, so that every file that a walk takes can be decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib.util import find_spec


class ImageFormat(Enum):
    """An image format, by its common name."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    GIF = "GIF"
    BMP = "BMP"
    TIFF = "TIFF"
    AVIF = "AVIF"
    HEIC = "HEIC"


INSTALL_HINTS: Mapping[ImageFormat, str] = {
    ImageFormat.HEIC: "pip install 'esclip[heic]'",
    ImageFormat.AVIF: "install a Pillow that has it",
}
"""How to add the formats that not every installation reads."""

MEDIA_TYPES: Mapping[ImageFormat, str] = {format: f"image/{format.value.lower()}" for format in ImageFormat}
"""The content types of HTTP."""

_SUFFIXES: Mapping[ImageFormat, str] = {
    ImageFormat.JPEG: ".jpg .jpeg .jpe .jfif .pjpeg .pjp",
    ImageFormat.PNG: ".png .apng",
    ImageFormat.WEBP: ".webp",
    ImageFormat.GIF: ".gif",
    ImageFormat.BMP: ".bmp .dib",
    ImageFormat.TIFF: ".tif .tiff",
    ImageFormat.AVIF: ".avif .avifs",
    ImageFormat.HEIC: ".heic .heif .hif",
}

_SIGNATURES: tuple[tuple[ImageFormat, tuple[tuple[int, bytes], ...]], ...] = (
    (ImageFormat.JPEG, ((0, b"\xff\xd8\xff"),)),
    (ImageFormat.PNG, ((0, b"\x89PNG\r\n\x1a\n"),)),
    (ImageFormat.WEBP, ((0, b"RIFF"), (8, b"WEBP"))),
    (ImageFormat.GIF, ((0, b"GIF87a"),)),
    (ImageFormat.GIF, ((0, b"GIF89a"),)),
    (ImageFormat.BMP, ((0, b"BM"), (6, bytes(4)))),
    (ImageFormat.TIFF, ((0, b"II*\x00"),)),
    (ImageFormat.TIFF, ((0, b"MM\x00*"),)),
)
"""By format: bytes at offsets."""

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
MAX_BRANDS = 64

LINKED_FOLDERS = "linked_folders"
LINKED_FILES = "linked_files"

UNREADABLE_KINDS = frozenset(format.value.lower() for format in ImageFormat)
"""Kinds of skipped files of the formats that not every installation reads."""

_KIND_TEXTS: Mapping[str, str] = {
    "heic": "HEIC {:,} (pip install 'esclip[heic]' reads them)",
    "avif": "AVIF {:,} (a Pillow with AVIF reads them)",
    "raw": "raw camera pictures {:,}",
    "video": "videos {:,} (to ingest their frames, name them)",
    "other_pictures": "pictures of other formats {:,}",
    "excluded": "excluded {:,}",
    "archive": "archives {:,} (to ingest them, name them)",
    "table": "tables {:,} (to ingest their rows, name them)",
    LINKED_FILES: "links in archives {:,}",
    LINKED_FOLDERS: "linked folders {:,} (to ingest them, name them)",
    "other_files": "other files {:,}",
}
"""Texts for the kinds of skipped files, in order of report."""

_SUFFIXES_BY_KIND: Mapping[str, str] = {
    "archive": ".tar .zip",
    "table": ".csv .jsonl .ndjson .parquet .pq .tsv",
    "raw": ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .gpr .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf "
    ".raw .rw2 .rwl .sr2 .srf .srw .x3f",
    "video": ".3g2 .3gp .avi .flv .insv .lrv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .webm .wmv",
    "other_pictures": ".ai .cur .dds .djvu .emf .eps .exr .hdr .heics .heifs .icns .ico .insp .j2k .jp2 .jpf "
    ".jpx .jxl .jxr .pbm .pcx .pdf .pgm .pnm .ppm .psb .psd .qoi .svg .svgz .tga .wmf .xcf",
    "": ".aae .db .ini .json .thm .txt .xmp",  # metadata beside pictures: not counted
}


def detect_format(data: bytes) -> ImageFormat | None:
    """Detect the format by a file's first bytes; None for any other."""
    for format, parts in _SIGNATURES:
        if all(data.startswith(part, offset) for offset, part in parts):
            return format
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), 16 + 4 * MAX_BRANDS)
    brands = {data[8:12], *(data[offset : offset + 4] for offset in range(16, end, 4))}
    if brands & _AVIF_BRANDS:
        return ImageFormat.AVIF
    return ImageFormat.HEIC if brands & _HEIC_BRANDS else None


@cache
def is_supported(format: ImageFormat) -> bool:
    """Whether this installation can decode it."""
    match format:
        case ImageFormat.HEIC:
            return find_spec("pillow_heif") is not None
        case ImageFormat.AVIF:
            from PIL import features

            return features.check("avif") is True
        case _:
            return True


def supported_suffixes() -> list[str]:
    """Suffixes of the files that a folder's walk takes."""
    return sorted(
        suffix for format in ImageFormat if is_supported(format) for suffix in _SUFFIXES[format].split()
    )


def usual_suffix(format: ImageFormat) -> str:
    """The suffix that files of the format mostly have."""
    return _SUFFIXES[format].split()[0]


def file_name_of(name: str, format: ImageFormat) -> str:
    """A file's printable name with a suffix of its format; another suffix is kept before that."""
    name = "".join(character for character in name if character.isprintable())
    stem, _, suffix = name.rpartition(".")
    fits = bool(stem) and f".{suffix.lower()}" in _SUFFIXES[format].split()
    return name if fits else f"{name or 'picture'}{usual_suffix(format)}"


@cache
def _kinds() -> Mapping[str, str | None]:
    """Kinds of skipped files by suffix; None for a supported image."""
    kinds: dict[str, str | None] = {
        suffix: kind for kind, all in _SUFFIXES_BY_KIND.items() for suffix in all.split()
    }
    for format in ImageFormat:
        kind = None if is_supported(format) else format.value.lower()
        kinds |= dict.fromkeys(_SUFFIXES[format].split(), kind)
    return kinds


def skipped_kind(name: str) -> str | None:
    """The kind as which a walk counts a skipped file; empty: not counted; None: not skipped."""
    _, dot, suffix = name.rpartition(".")
    return _kinds().get(dot + suffix.lower() if dot else "", "other_files")


def describe_skipped(counts: Mapping[str, int]) -> str:
    """Describe the numbers of skipped files by kind."""
    return ", ".join(text.format(counts[kind]) for kind, text in _KIND_TEXTS.items() if counts.get(kind))
