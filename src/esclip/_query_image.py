"""A picture to search with, from wherever a user has it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from esclip._decode import decode, to_rgb
from esclip._errors import RecordError, one_line

__all__ = ["open_image"]


def open_image(image: str | Path | bytes | Image.Image) -> Image.Image:
    match image:
        case Image.Image():
            return to_rgb(image)
        case bytes():
            return decode(image)
        case _:
            return _read_image(image)


def _read_image(place: str | Path) -> Image.Image:
    """The picture at a path or URL that the user named; any host will do, whatever it says of robots."""
    from esclip._fetch import Fetcher

    picture = place if isinstance(place, str) and "://" in place else Path(place)
    try:
        with Fetcher(allow_hosts=None, cache=None, workers=1, ignore_robots_tag=True) as fetcher:
            return decode(fetcher.fetch(picture))
    except RecordError as error:
        raise type(error)(error.reason, f"{one_line(str(place), 200)}: {error.detail}") from error
