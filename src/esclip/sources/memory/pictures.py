"""A picture that a program has, as a record names one: a URL, a file, or the bytes of an image file.

text ─► data: URI ─► bytes;  address ─► URL;  other ─► file
PIL image, array ─► RGB, upright ─► at most 64 MiB ─► BMP, whose bytes depend on the pixels alone
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes

from PIL import Image

from esclip._core.arguments import coerce_image
from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._errors import ConfigError, DecodeError, FetchError
from esclip._errors.reasons import Reason
from esclip._files.locations import user_path
from esclip._images.decode import MAX_PIXELS, to_rgb
from esclip.sources.memory.metadata import is_missing

_DATA = "data:"

_HEADER_BYTES = 1 << 10
"""More than a BMP has before its pixels."""


def resolve_picture(value: object) -> str | Path | bytes:
    """Where the picture is, or its bytes. Raises `RecordError`, and `ConfigError` for another value."""
    if isinstance(value, Mapping):  # as Hugging Face's data sets have it
        value = value.get("path") if is_missing(value.get("bytes")) else value["bytes"]
    picture = coerce_image("its picture", value)
    match picture:
        case bytes():
            return picture
        case Image.Image():
            return _bitmap(picture)
        case str() if picture[: len(_DATA)].lower() == _DATA:
            return _data_of(picture)
        case str() if "://" in picture:
            return picture.strip()
    return resolve_file(picture)


def resolve_file(path: str | Path) -> Path:
    """The file's absolute path. Raises `FetchError` for a text that is no path."""
    try:
        return Path(os.path.normpath(Path.cwd() / user_path(path, "path")))
    except ConfigError as error:
        raise FetchError(Reason.UNREADABLE_FILE, error.message) from error


def names_file(value: object) -> bool:
    """Whether the picture is read from a file, as far as can be seen without reading it."""
    if isinstance(value, Mapping):
        value = value.get("path") if is_missing(value.get("bytes")) else None
    if isinstance(value, str):
        return "://" not in value and value[: len(_DATA)].lower() != _DATA
    return isinstance(value, os.PathLike)


def held_bytes(value: object) -> int:
    """How much memory a picture takes, at least; 0 for one that is elsewhere."""
    match value:
        case str() if value[: len(_DATA)].lower() == _DATA:
            return len(value)
        case bytes() | bytearray():
            return len(value)
        case Image.Image():
            return value.width * value.height * len(value.getbands())
        case Mapping():
            return held_bytes(value.get("bytes"))
    size = getattr(value, "nbytes", 0)  # of an array, of a memoryview
    return size if isinstance(size, int) else 0


def _data_of(uri: str) -> bytes:
    """The bytes that a data URI has inside."""
    head, comma, body = uri.partition(",")
    if not comma:
        raise FetchError(Reason.BAD_URL, "a data: URI without a comma")
    if not head.lower().rstrip().endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(unquote_to_bytes(body), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FetchError(Reason.BAD_URL, f"a data: URI that is no base64: {error}") from error


def _bitmap(image: Image.Image) -> bytes:
    """The image as a file, reduced by a whole factor where its pixels take more than a file may."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise DecodeError(Reason.TOO_LARGE, f"{image.width} x {image.height} pixels")
    if not pixels:
        raise DecodeError(Reason.NOT_AN_IMAGE, f"{image.width} x {image.height} pixels")
    rgb = to_rgb(image)
    bytes_of_all = pixels * 3 + 3 * image.height  # each line is filled up to four bytes
    factor = math.ceil(math.sqrt(bytes_of_all / (MAX_PICTURE_BYTES - _HEADER_BYTES)))
    if factor > 1:
        rgb = rgb.reduce(factor)
    file = io.BytesIO()
    rgb.save(file, "BMP")
    return file.getvalue()
