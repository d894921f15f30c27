"""Decode bytes to an RGB image in its EXIF orientation, or raise `DecodeError`.

    bytes ─► format by signature ─► size and cost within limits? ─► pixels ─► oriented ─► on white ─► RGB
                                                                    └─ within a budget of memory

`_images.formats` lists the formats; of several frames the first is read. Pillow's settings are not changed,
and its warnings about damaged metadata are ignored.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from esclip._concurrency.forks import renew_in_children
from esclip._core.picture_color import COLOR
from esclip._core.types import Metadata
from esclip._errors import DecodeError, ErrorTable, error_text, map_errors
from esclip._errors.reasons import Reason
from esclip._images import convert
from esclip._images.color import SMALL, mean_color
from esclip._images.convert import apply_orientation
from esclip._images.facts import picture_facts
from esclip._images.formats import INSTALL_HINTS, ImageFormat, detect_format, is_supported
from esclip._images.sanitize import (
    check_decode_cost,
    check_tiff,
    strip_heif_metadata,
    strip_jpeg_metadata,
    strip_png_metadata,
)

MAX_PIXELS = 89_478_485
"""A third of a gigabyte in Pillow; its own limit for warnings, which so never come."""

MAX_PIXELS_IN_MEMORY = 2 * MAX_PIXELS
"""Of all threads together: at worst 12 bytes each, 2.1 GB in all."""

JPEG_BLOCK = 1 << 20
"""Bytes that are given to the JPEG decoder at once: with Pillow's 64 kB it takes an eighth longer."""

MAX_READS = 4_000_000
"""Reads of a file by Pillow, in Python: they take a second or two."""


class _Reader(NamedTuple):
    open: Callable[[io.BytesIO], ImageFile.ImageFile]
    sanitize: Callable[[bytes], bytes] = bytes
    """Applied to the bytes before."""


def _open_heic(file: io.BytesIO) -> ImageFile.ImageFile:
    from pillow_heif import HeifImageFile

    image: ImageFile.ImageFile = HeifImageFile(file)
    return image


_READERS = {
    ImageFormat.JPEG: _Reader(JpegImagePlugin.JpegImageFile, strip_jpeg_metadata),
    ImageFormat.PNG: _Reader(PngImagePlugin.PngImageFile, strip_png_metadata),
    ImageFormat.WEBP: _Reader(WebPImagePlugin.WebPImageFile),
    ImageFormat.GIF: _Reader(GifImagePlugin.GifImageFile),
    ImageFormat.BMP: _Reader(BmpImagePlugin.BmpImageFile),
    ImageFormat.TIFF: _Reader(TiffImagePlugin.TiffImageFile, check_tiff),
    ImageFormat.AVIF: _Reader(AvifImagePlugin.AvifImageFile, strip_heif_metadata),
    ImageFormat.HEIC: _Reader(_open_heic, strip_heif_metadata),
}
"""Not `Image.open`, which warns about large images before their size can be checked."""


def decode(data: bytes, *, side: int | None = None, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode an image to RGB, in its EXIF orientation, with transparent pixels on white. Thread-safe.

    `side` is the short side that is needed, in pixels: a JPEG of at least twice that is decoded to a half, a
    quarter or an eighth of its size, which saves most of the time. `max_pixels` limits width x height.

    Raises `DecodeError`: the bytes are no image, a damaged one, one of more than `max_pixels`, or one that
    would take minutes or gigabytes.
    """
    with decoding(data, side=side, max_pixels=max_pixels) as image:
        return image


@contextmanager
def decoding(data: bytes, *, side: int | None = None, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Context manager: the image of `decode`; its share of the pixel budget is freed on exit."""
    with decoding_with_facts(data, side=side, max_pixels=max_pixels) as (image, _):
        yield image


@contextmanager
def decoding_with_facts(
    data: bytes, *, side: int | None = None, max_pixels: int = MAX_PIXELS
) -> Iterator[tuple[Image.Image, Metadata]]:
    """Context manager: the image of `decoding`, and the facts of the picture in its bytes."""
    with map_errors(_DECODE_ERRORS), _ignore_pillow_warnings():
        image, pixels, size, format = _open(data, side, max_pixels)
    with _pixel_budget(pixels):
        with map_errors(_DECODE_ERRORS), _ignore_pillow_warnings():
            image.load()
            facts = picture_facts(data, image, format, size)
            image = apply_orientation(image)  # step by step: each frees the image before
            image = convert.to_rgb(image)
            facts = {**facts, COLOR: mean_color(image)}
        yield image, facts


def read_facts(data: bytes, *, color: bool = True) -> Metadata:
    """The facts of the picture in these bytes; without its `color` it is not decoded.

    Raises `DecodeError` as `decode` does.
    """
    if color:
        with decoding_with_facts(data, side=SMALL) as (_, facts):
            return facts
    with map_errors(_DECODE_ERRORS), _ignore_pillow_warnings():
        image, pixels, size, format = _open(data, None, MAX_PIXELS)
        with _pixel_budget(pixels):  # a PNG is decoded where its orientation may be at its end
            return picture_facts(data, image, format, size)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert an image of any mode as `decode` does. Raises `DecodeError` when its pixels can't be read."""
    with map_errors(_DECODE_ERRORS), _ignore_pillow_warnings():
        return convert.to_rgb(apply_orientation(image))


class _Opened(NamedTuple):
    """An image whose pixels have not been read."""

    image: Image.Image
    pixels: int
    """How many decoding holds in memory."""
    size: tuple[int, int]
    """Of the whole picture, as it is stored: the image may be decoded to a part of that."""
    format: ImageFormat


def _open(data: bytes, side: int | None, max_pixels: int) -> _Opened:
    format = _detect_format(data)
    reader = _READERS[format]
    data = reader.sanitize(data)
    image = reader.open(_CountingFile(data))
    size, pixels = image.size, image.width * image.height
    if pixels > max_pixels:
        raise DecodeError(Reason.TOO_LARGE, f"{image.width} x {image.height} pixels")
    check_decode_cost(data, image)
    if side is not None and isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (side, side))  # a HEIC's draft would be its embedded thumbnail
    match image:
        case JpegImagePlugin.JpegImageFile():
            image.decodermaxblock = JPEG_BLOCK
            if "progressive" not in image.info:  # which is decoded whole
                pixels = image.width * image.height
        case WebPImagePlugin.WebPImageFile():
            pixels *= 2  # its decoder holds two more images
        case _ if image.format in ("AVIF", "HEIF"):
            pixels *= 2  # the same, of more than 8 bits
    return _Opened(image, min(pixels, MAX_PIXELS_IN_MEMORY), size, format)


def _detect_format(data: bytes) -> ImageFormat:
    format = detect_format(data)
    if format is None:
        *names, last = (format.value for format in ImageFormat)
        begins = "nothing at all" if not data else f"it begins with {data[:12]!r}"
        raise DecodeError(Reason.NOT_AN_IMAGE, f"not {', '.join(names)} or {last}: {begins}")
    if not is_supported(format):
        raise DecodeError(Reason.NOT_AN_IMAGE, f"no decoder of {format.value} here: {INSTALL_HINTS[format]}")
    return format


class _CountingFile(io.BytesIO):
    """A file that raises `DecodeError` after `MAX_READS` reads: no image needs as many."""

    remaining = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.remaining -= 1
        if self.remaining < 0:
            raise DecodeError(Reason.TOO_LARGE, f"it is in more than {MAX_READS:,} pieces")
        return super().read(size)


class PixelBudget:
    """A budget of pixels in memory: a thread that needs more than is free waits, and later ones queue."""

    def __init__(self, pixels: int) -> None:
        self._total = pixels
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Free all of it; also called in a forked child."""
        self._free = self._total
        self._changed = threading.Condition()
        self._queue = threading.Lock()

    @contextmanager
    def __call__(self, pixels: int) -> Iterator[None]:
        with self._queue, self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_pixel_budget = PixelBudget(MAX_PIXELS_IN_MEMORY)


def _decode_error(reason: Reason) -> Callable[[Exception], DecodeError]:
    return lambda error: DecodeError(reason, error_text(error, 200))


_DECODE_ERRORS: ErrorTable = (
    ((MemoryError, Image.DecompressionBombError), _decode_error(Reason.TOO_LARGE)),
    (Exception, _decode_error(Reason.TRUNCATED)),  # Pillow raises almost anything on damaged bytes
)


class _WarningFilter:
    """Context manager: ignores Pillow's warnings while any thread is inside.

    `warnings` has one list of filters for the process: the first thread in sets it, the last one out restores
    it.
    """

    def __init__(self) -> None:
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Start without threads inside; also called in a forked child."""
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._filters.__exit__(None, None, None)


_ignore_pillow_warnings = _WarningFilter()
