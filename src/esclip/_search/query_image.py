"""The image of a query: opened from a path, a URL, bytes, an array or a PIL image."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PIL import Image

from esclip._core.arguments import AnyImage, coerce_image
from esclip._core.types import Pixels
from esclip._errors import FetchError, RecordError, one_line
from esclip._errors.reasons import Reason
from esclip._files.locations import correct_address, user_path
from esclip._images.decode import decode, to_rgb
from esclip._protocols import Encoder

T = TypeVar("T")


def open_image(image: AnyImage) -> Image.Image:
    """The image as RGB. Raises `ConfigError` for a value of another type, `FetchError` and `DecodeError`."""
    image = coerce_image("the picture", image)
    match image:
        case Image.Image():
            return to_rgb(image)
        case bytes():
            return decode(image)
        case _:
            return _read_image(image)


def load_pixels(encoder: Encoder, image: AnyImage) -> Pixels | RecordError:
    """The image as the encoder takes it, or why it can't be fetched or read."""
    try:
        return encoder.preprocess(open_image(image))
    except RecordError as error:
        return error


def image_bytes(image: AnyImage) -> bytes:
    """The bytes of the image's file, unread; of pixels in memory, of a PNG. Raises as `open_image`."""
    image = coerce_image("the picture", image)
    match image:
        case bytes():
            return image
        case Image.Image():
            file = io.BytesIO()
            to_rgb(image).save(file, "PNG", compress_level=1)
            return file.getvalue()
        case _:
            return _read_bytes(image, lambda data: data)


def _read_image(location: str | Path) -> Image.Image:
    return _read_bytes(location, decode)


def _read_bytes(location: str | Path, use: Callable[[bytes], T]) -> T:
    """What `use` makes of the bytes at a path or URL; its errors name that, too.

    The user named it, so any host is allowed, and robots tags are ignored.
    """
    from esclip._fetch.fetcher import Fetcher
    from esclip._fetch.hosts import HostPolicy

    is_url = isinstance(location, str) and "://" in location
    if not is_url and (url := correct_address(str(location))) and not os.path.lexists(location):
        raise FetchError(Reason.BAD_URL, f"{location}: no such file, and as an address it is {url}")
    source = location if is_url else user_path(location, "picture")
    try:
        with Fetcher(HostPolicy(None), ignore_robots_tag=True) as fetcher:
            return use(fetcher.fetch(source))
    except RecordError as error:
        raise type(error)(error.reason, f"{one_line(str(location), 200)}: {error.detail}") from error
