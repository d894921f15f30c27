"""Bytes become an RGB picture, upright, or a `DecodeError` that says why not.

    bytes ─► format by its first bytes ─► size within the cap? ─► pixels ─► upright ─► 8 bits, on white ─► RGB

Six formats are read: JPEG, PNG, WebP, GIF, BMP and TIFF; of several frames the first. Pillow's settings
are left as they are, and its warnings about damaged metadata are dropped: the picture is what counts.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from esclip._errors import DecodeError
from esclip._rejections import Reason

__all__ = ["decode", "to_rgb"]

MAX_PIXELS = 89_478_485
"""A quarter of a gigabyte as RGB; where Pillow begins to warn, so that it never does."""

_FORMATS: tuple[tuple[tuple[tuple[int, bytes], ...], type[ImageFile.ImageFile]], ...] = (
    (((0, b"\xff\xd8\xff"),), JpegImagePlugin.JpegImageFile),
    (((0, b"\x89PNG\r\n\x1a\n"),), PngImagePlugin.PngImageFile),
    (((0, b"RIFF"), (8, b"WEBP")), WebPImagePlugin.WebPImageFile),
    (((0, b"GIF87a"),), GifImagePlugin.GifImageFile),
    (((0, b"GIF89a"),), GifImagePlugin.GifImageFile),
    (((0, b"BM"), (6, bytes(4))), BmpImagePlugin.BmpImageFile),
    (((0, b"II*\x00"),), TiffImagePlugin.TiffImageFile),
    (((0, b"MM\x00*"),), TiffImagePlugin.TiffImageFile),
)
"""What the bytes of a format have at which place, and what reads it. `Image.open` would choose as well, but
warns about large pictures before their size can be asked for."""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""


def decode(data: bytes, *, side: int | None = None, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture in `data`: RGB, upright, what is transparent on white. Safe from several threads.

    A JPEG whose short side is at least twice `side` may come out a half, a quarter or an eighth as large, but
    not below it: its blocks of 8 x 8 pixels are decoded to fewer, which saves most of the time.

    Raises `DecodeError`: the bytes are no picture, a damaged one, or one of more than `max_pixels`.
    """
    reader = _reader(data)
    with _foreign_errors_mapped(), _pillow_silenced():
        image = reader(io.BytesIO(data))
        if image.width * image.height > max_pixels:
            raise DecodeError(Reason.TOO_LARGE, f"{image.width} x {image.height} pixels")
        if side is not None:
            image.draft(None, (side, side))  # does something for JPEGs only
        return _rgb(image)


def to_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as `decode` gives it. Raises `DecodeError` when its pixels can't be read."""
    with _foreign_errors_mapped(), _pillow_silenced():
        return _rgb(image)


def _reader(data: bytes) -> type[ImageFile.ImageFile]:
    for marks, reader in _FORMATS:
        if all(data.startswith(mark, at) for at, mark in marks):
            return reader
    begins = "nothing at all" if not data else f"it begins with {data[:12]!r}"
    raise DecodeError(Reason.NOT_AN_IMAGE, f"not JPEG, PNG, WebP, GIF, BMP or TIFF: {begins}")


def _rgb(image: Image.Image) -> Image.Image:
    image.load()
    upright = _upright(image)
    match upright.mode:
        case "I" | "F" | "I;16" | "I;16L" | "I;16B" | "I;16N":
            return _eight_bits(upright).convert("RGB")
        case "La":
            return _on_white(upright.convert("LA").convert("RGBA"))  # Pillow knows no direct way
        case _ if upright.has_transparency_data:
            return _on_white(upright.convert("RGBA"))
        case _:
            return upright.convert("RGB")


def _upright(image: Image.Image) -> Image.Image:
    with suppress(Exception):  # damaged EXIF costs the orientation, not the picture
        method = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
        return image if method is None else image.transpose(method)
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more bits, scaled: Pillow would clip at 255. Where the range isn't known, its own is taken."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode != "F" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    scaled = (values - low) * (255.0 / max(high - low, 1e-30))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


_FOREIGN: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason], ...] = (
    ((MemoryError, Image.DecompressionBombError), Reason.TOO_LARGE),
    (Exception, Reason.TRUNCATED),  # on damaged bytes Pillow raises almost anything
)


@contextmanager
def _foreign_errors_mapped() -> Iterator[None]:
    try:
        yield
    except DecodeError:
        raise
    except Exception as error:
        reason = next(reason for kinds, reason in _FOREIGN if isinstance(error, kinds))
        words = " ".join(str(error).split())[:200] or type(error).__name__
        raise DecodeError(reason, words) from error


class _Silence:
    """Ignores Pillow's warnings for as long as any thread is inside.

    The filters of `warnings` are the whole process's, so the first thread in sets them and the last one out
    restores them: each for itself, they would undo each other's.
    """

    def __init__(self) -> None:
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


_pillow_silenced = _Silence()
