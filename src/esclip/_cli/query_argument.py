"""What the argument of a search is: a text, a picture by path or URL, or a picture on standard input.

    http://..., https://..., s3://...         a picture by its URL, or in a bucket
    an existing file                          a picture
    has a / in it, or ends like a picture     a path: an error where no such file is there
    all else                                  a text

`--text` and `--image` take their values for what they say.
"""

from __future__ import annotations

import logging
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from esclip._core.settings import MAX_PICTURE_BYTES
from esclip._errors import ConfigError, FetchError, RecordError, error_text, one_line
from esclip._errors.reasons import Reason
from esclip._errors.secrets import mask
from esclip._files.buckets import is_bucket_address
from esclip._files.locations import WEB_SCHEMES, correct_address, scheme_of, user_path
from esclip._images.formats import skipped_kind

STDIN = "-"
MAX_SHOWN = 200
"""Characters of an argument that a message repeats."""

_NO_PICTURE = ("", "other_files", "table", "video")
"""Kinds of suffixes that a text may end with."""

log = logging.getLogger("esclip")


def is_picture(given: str) -> bool:
    """Whether the argument of `search` is a picture, by path or URL, and not a text.

    Raises `ConfigError` for what looks like the path of a file that isn't there.
    """
    if given == STDIN:
        raise typer.BadParameter(
            "- is no query: search-image - reads a picture from standard input, search-texts - a text a line"
        )
    if scheme_of(given) in WEB_SCHEMES or is_bucket_address(given):
        return True
    if scheme_of(given) == "file":
        raise ConfigError(f"{_shown(given)}: give the path itself, without file://")
    path, like_path = given, _is_like_path(given)
    with suppress(ConfigError):  # an address of another kind, or an unknown user's home
        path = str(user_path(given, "picture"))
    if os.path.isfile(path):  # noqa: PTH113  # is False, too, for what can't be a name
        if not like_path:
            log.warning(
                "%s is a file here, and taken for a picture; as a text: %s", _shown(given), _as_text(given)
            )
        return True
    if like_path:
        is_folder = os.path.isdir(path)  # noqa: PTH112
        there = "is a folder, not a picture" if is_folder else "looks like a path, and no such file is there"
        url = None if is_folder else correct_address(given)
        address = f"; as an address it is {one_line(mask(url), MAX_SHOWN)}" if url else ""
        raise ConfigError(f"{_shown(given)} {there}{address}; as a text: {_as_text(given)}")
    return False


def _is_like_path(text: str) -> bool:
    has_separator = any(mark in text for mark in ("/", os.sep))
    return has_separator or ("." in text and skipped_kind(text) not in _NO_PICTURE)


def _shown(given: str) -> str:
    return f'"{one_line(given, MAX_SHOWN)}"'


def _as_text(given: str) -> str:
    """How the argument is given as a text."""
    return f"--text {shlex.quote(one_line(given, MAX_SHOWN))}"


def read_picture(given: str) -> str | bytes:
    """The picture that an argument names: its path or URL, or for `-` the bytes of standard input.

    Raises `ConfigError` where these can't be read, `FetchError` where they are too many.
    """
    if given != STDIN:
        return given
    try:
        data = sys.stdin.buffer.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"standard input can't be read: {error_text(error)}") from error
    if not data:
        raise ConfigError("standard input is empty; a picture's bytes are read from there")
    if len(data) > MAX_PICTURE_BYTES:
        raise FetchError(Reason.TOO_LARGE, f"standard input: more than {MAX_PICTURE_BYTES} bytes")
    return data


@contextmanager
def naming_stdin(*pictures: object) -> Iterator[None]:
    """Within it, an error of a picture says so where that one came from standard input, as bytes."""
    named = [
        f"{one_line(str(picture), MAX_SHOWN)}: " for picture in pictures if not isinstance(picture, bytes)
    ]
    try:
        yield
    except RecordError as error:
        if len(named) == len(pictures) or error.detail.startswith(tuple(named)):
            raise
        raise type(error)(error.reason, f"standard input: {error.detail}") from error
