"""A picture to search with, from wherever a user has it."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from esclip._core.arguments import AnyImage, given_image
from esclip._core.rejections import Reason
from esclip._errors import FetchError, RecordError, one_line
from esclip._files.locations import correct_address, user_path
from esclip._images.decode import decode, to_rgb

__all__ = ["open_image"]


def open_image(image: AnyImage) -> Image.Image:
    """The picture as RGB. Raises `ConfigError` for what is none, `FetchError` and `DecodeError`."""
    image = given_image("the picture", image)
    match image:
        case Image.Image():
            return to_rgb(image)
        case bytes():
            return decode(image)
        case _:
            return _read_image(image)


def _read_image(place: str | Path) -> Image.Image:
    """The picture at a path or URL that the user named; any host will do, whatever it says of robots."""
    from esclip._fetch.fetcher import Fetcher

    is_address = isinstance(place, str) and "://" in place
    if not is_address and (spelled := correct_address(str(place))) and not os.path.lexists(place):
        raise FetchError(Reason.BAD_URL, f"{place}: no such file, and as an address it is {spelled}")
    picture = place if is_address else user_path(place, "picture")
    try:
        with Fetcher(allow_hosts=None, cache=None, workers=1, ignore_robots_tag=True) as fetcher:
            return decode(fetcher.fetch(picture))
    except RecordError as error:
        raise type(error)(error.reason, f"{one_line(str(place), 200)}: {error.detail}") from error
