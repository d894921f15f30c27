"""Bytes become an RGB picture, upright, or a `DecodeError` that says why not.

    bytes ─► format by its first bytes ─► size and work within caps? ─► pixels ─► upright ─► on white ─► RGB
                                                                     └─ as many at once as have room

Which formats there are says `_images.formats`; of several frames the first is read. Pillow's settings are
left as they are, and its warnings about damaged metadata are dropped: the picture is what counts.
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
from esclip._core.rejections import Reason
from esclip._errors import DecodeError, ErrorTable, error_text, map_errors
from esclip._images import convert
from esclip._images.convert import apply_orientation
from esclip._images.formats import INSTALL_HINTS, ImageFormat, detect_format, is_supported
from esclip._images.sanitize import (
    check_decode_cost,
    check_tiff,
    strip_heif_metadata,
    strip_jpeg_metadata,
    strip_png_metadata,
)

__all__ = ["decode", "decoding", "to_rgb"]

MAX_PIXELS = 89_478_485
"""A third of a gigabyte as Pillow holds it; where it begins to warn, so that it never does."""

MAX_PIXELS_IN_MEMORY = 2 * MAX_PIXELS
"""Pixels in memory at once, of all threads: 12 bytes each at worst, so 2.1 GB when all are bombs."""

MAX_READS = 4_000_000
"""What Pillow may read of a file, piece by piece in Python: in a second or two."""


class _Reader(NamedTuple):
    reader: Callable[[io.BytesIO], ImageFile.ImageFile]
    prepared: Callable[[bytes], bytes] = bytes
    """Its bytes as the reader is given them."""


def _heic(file: io.BytesIO) -> ImageFile.ImageFile:
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
    ImageFormat.HEIC: _Reader(_heic, strip_heif_metadata),
}
"""`Image.open` would choose as well, but warns about large pictures before their size can be asked for."""


def decode(data: bytes, *, side: int | None = None, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in `data`: RGB, upright, what is transparent on white. Safe from several threads.

    A JPEG whose short side is at least twice `side` may come out a half, a quarter or an eighth as large, but
    not below it: its blocks of 8 x 8 pixels are decoded to fewer, which saves most of the time.

    Raises `DecodeError`: the bytes are no picture, a damaged one, or one of more than `max_pixels`, or one
    that would take minutes or gigabytes.
    """
    with decoding(data, side=side, max_pixels=max_pixels) as picture:
        return picture


@contextmanager
def decoding(data: bytes, *, side: int | None = None, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """The same picture, for no longer than it is needed: those of other threads may be waiting for room."""
    with map_errors(_DECODE_ERRORS), _ignore_pillow_warnings():
        image, pixels = _open(data, side, max_pixels)
    with _pixel_budget(pixels):
        with map_errors(_DECODE_ERRORS), _ignore_pillow_warnings():
            image = apply_orientation(image)  # step by step: each lets go of what the one before made
            image = convert.to_rgb(image)
        yield image


def to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as `decode` gives it. Raises `DecodeError` when its pixels can't be read."""
    with map_errors(_DECODE_ERRORS), _ignore_pillow_warnings():
        return convert.to_rgb(apply_orientation(image))


def _open(data: bytes, side: int | None, max_pixels: int) -> tuple[Image.Image, int]:
    """The image whose pixels are still to be read, and how many of them that takes room for."""
    reading = _choose_reader(data)
    data = reading.prepared(data)
    image = reading.reader(_CountingFile(data))
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise DecodeError(Reason.TOO_LARGE, f"{image.width} x {image.height} pixels")
    check_decode_cost(data, image)
    if side is not None and isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (side, side))  # of a HEIC it would take a thumbnail, whatever that shows
    match image:
        case JpegImagePlugin.JpegImageFile():
            if "progressive" not in image.info:  # which is held whole
                pixels = image.width * image.height
        case WebPImagePlugin.WebPImageFile():
            pixels *= 2  # its decoder has two pictures of its own
        case _ if image.format in ("AVIF", "HEIF"):
            pixels *= 2  # the same, of more than 8 bits
    return image, min(pixels, MAX_PIXELS_IN_MEMORY)


def _choose_reader(data: bytes) -> _Reader:
    format = detect_format(data)
    if format is None:
        *names, last = (format.value for format in ImageFormat)
        begins = "nothing at all" if not data else f"it begins with {data[:12]!r}"
        raise DecodeError(Reason.NOT_AN_IMAGE, f"not {', '.join(names)} or {last}: {begins}")
    if not is_supported(format):
        raise DecodeError(Reason.NOT_AN_IMAGE, f"no decoder of {format.value} here: {INSTALL_HINTS[format]}")
    return _READERS[format]


class _CountingFile(io.BytesIO):
    """A file that ends a reader which has read it in too many pieces: no picture needs as many."""

    left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise DecodeError(Reason.TOO_LARGE, f"it is in more than {MAX_READS:,} pieces")
        return super().read(size)


class PixelBudget:
    """Room for so many pixels: who needs more than is left waits, and all others behind it."""

    def __init__(self, pixels: int) -> None:
        self._all = pixels
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """All of it is free, in a forked child as well."""
        self._left = self._all
        self._changed = threading.Condition()
        self._turn = threading.Lock()

    @contextmanager
    def __call__(self, pixels: int) -> Iterator[None]:
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._left >= pixels)
            self._left -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._left += pixels
                self._changed.notify_all()


_pixel_budget = PixelBudget(MAX_PIXELS_IN_MEMORY)


def _decode_error(reason: Reason) -> Callable[[Exception], DecodeError]:
    return lambda error: DecodeError(reason, error_text(error, 200))


_DECODE_ERRORS: ErrorTable = (
    ((MemoryError, Image.DecompressionBombError), _decode_error(Reason.TOO_LARGE)),
    (Exception, _decode_error(Reason.TRUNCATED)),  # on damaged bytes Pillow raises almost anything
)


class _WarningFilter:
    """Ignores Pillow's warnings for as long as any thread is inside.

    The filters of `warnings` are the whole process's, so the first thread in sets them and the last one out
    restores them: each for itself, they would undo each other's.
    """

    def __init__(self) -> None:
        self.renew()
        renew_in_children(self)

    def renew(self) -> None:
        """Nobody is inside, in a forked child as well."""
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
