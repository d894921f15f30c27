"""Captions of pictures: in a JSON file by path, or in a text file beside each picture.

Source ─► CaptionedSource ─► the same records, with the captions as their descriptions
              └─ PathCaptions  {"photos/a.jpg": "two dogs in the snow", ...}
              └─ Sidecars      a.jpg.txt or a.txt beside a.jpg

They are the records' descriptions: part of keyword search, and updated without encoding pictures again.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Protocol

import orjson

from esclip._concurrency.streams import owned
from esclip._core.arguments import coerce_path, coerce_text
from esclip._core.captions import MAX_CAPTION_BYTES, clip_caption
from esclip._core.rejections import Rejection
from esclip._core.text_forms import compose, forms
from esclip._core.types import ImageRecord
from esclip._errors import SourceError, error_text, one_line
from esclip._errors.counts import pluralize
from esclip._files.buckets import BucketPath, is_bucket_address
from esclip._files.locations import AnyCaptions, user_path
from esclip._files.objects import text_names
from esclip._files.opening import AnyFile
from esclip._files.text import NotText, read_beginning, read_text
from esclip._protocols import Source
from esclip.sources.wrapper import SourceWrapper

SIDECAR = "sidecar"
"""Captions in a text file beside each picture."""

MAX_FILE_BYTES = 1 << 30
"""Of a captions file: a thousand for each of a million pictures."""

KEPT_LISTINGS = 16
"""Folders of buckets whose texts' names are kept: more than a walk is in at once, mostly."""

ABSENT_ERRORS = (errno.ENOENT, errno.EISDIR, errno.ENAMETOOLONG)
"""The errors for a picture without a text file."""

log = logging.getLogger("esclip")


class Captions(Protocol):
    """Looks up the captions of pictures."""

    def caption_of(self, record: ImageRecord) -> str | None:
        """The caption of a record's picture; empty: it has none; None: unknown."""

    def warn(self) -> None:
        """Log problems, after all pictures were looked up."""


class CaptionedSource(SourceWrapper):
    """A source whose records get captions as descriptions; those without one keep their description."""

    def __init__(self, source: Source, captions: Captions, *, complete: bool) -> None:
        """With `complete`, the source reads all of its records."""
        super().__init__(source)
        self._captions = captions
        self._complete = complete

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """The source's records; then log problems of the captions."""
        with owned(super().records(cancelled)) as items:
            yield from items
        if self._complete:
            self._captions.warn()

    def transform(self, record: ImageRecord) -> ImageRecord:
        """Set the caption; where it is unknown, the index keeps its own."""
        caption = self._captions.caption_of(record)
        if caption is None:
            return record
        return replace(record, description=caption or record.description, captioned=bool(caption))


def resolve_captions(captions: AnyCaptions | None) -> Captions | str | None:
    """Interpret the `captions` option: captions by picture, or the name of a column that has them.

    Raises `SourceError` when a file can't be read, `ConfigError` for a value of another type.
    """
    if captions is None:
        return None
    if captions == "":
        return PathCaptions({}, Path.cwd(), "captions")  # no record has one: the index removes its own
    if isinstance(captions, Mapping):
        return PathCaptions(captions, Path.cwd(), "captions")
    accepted = "sidecar, a .json file, a dictionary of paths and texts, or a column of the dataset's photos"
    captions = coerce_path("captions", captions, accepted)
    if captions == SIDECAR:
        return Sidecars()
    if isinstance(captions, Path) or captions.lower().endswith(".json"):
        file = user_path(captions, "captions")
        return PathCaptions(_read(file), (Path.cwd() / file).parent, str(file))
    return captions


class PathCaptions:
    """Captions by the path or URL of their picture."""

    def __init__(self, texts: Mapping[str, str] | Mapping[Path, str], folder: Path, name: str) -> None:
        """Paths are relative to `folder`; `name` is for messages. Raises `ConfigError` for other values."""
        self._name = name
        self._current_folder = Path.cwd()
        self._texts: dict[str, str] = {}
        for path, text in texts.items():
            key = _normalize(folder, os.fspath(coerce_path("the path of a caption", path)))
            self._texts[key] = coerce_text("a caption", text)
        self._unused = set(self._texts)

    def caption_of(self, record: ImageRecord) -> str:
        """Look up the picture's file, else its location."""
        picture = record.picture
        key = _normalize(self._current_folder, str(picture) if isinstance(picture, Path) else record.location)
        self._unused.discard(key)
        return clip_caption(self._texts.get(key, ""))

    def warn(self) -> None:
        """Log the number of captions without a picture."""
        if self._unused:
            log.warning(
                "%s: %s of %d for no picture that is ingested: %s, for one",
                self._name,
                pluralize(len(self._unused), "caption"),
                len(self._texts),
                one_line(min(self._unused)),
            )


class Sidecars:
    """Text files beside the pictures: `a.jpg.txt`, else `a.txt`. Links to other folders are not followed."""

    def __init__(self) -> None:
        self._unreadable = 0
        self._example = ""
        self._listed: dict[BucketPath, frozenset[str]] = {}
        """Names of texts in folders of buckets."""

    def caption_of(self, record: ImageRecord) -> str | None:
        """The text of the first file that exists; None where it can't be read."""
        picture = _file_of(record)
        if picture is None:
            return ""
        for file in _sidecar_paths(picture):
            try:
                if file != picture and self._may_be_there(file):
                    return clip_caption(read_beginning(file, MAX_CAPTION_BYTES))
            except (OSError, NotText) as error:
                if isinstance(error, OSError) and error.errno in ABSENT_ERRORS:
                    continue
                self._example = self._example or f"{file}: {error_text(error)}"
                self._unreadable += 1
                return None
        return ""

    def _may_be_there(self, file: AnyFile) -> bool:
        """Whether the listing of a folder in a bucket has it: one request for many pictures.

        Raises `OSError` where it can't be listed.
        """
        if isinstance(file, Path):
            return True
        if file.parent not in self._listed:
            while len(self._listed) >= KEPT_LISTINGS:
                self._listed.pop(next(iter(self._listed)))
            self._listed[file.parent] = text_names(file.parent)
        return file.name in self._listed[file.parent]

    def warn(self) -> None:
        """Log the number of unreadable text files."""
        if self._unreadable:
            log.warning(
                "no captions from %s beside pictures, which can't be read: %s, for one",
                pluralize(self._unreadable, "text file"),
                one_line(self._example),
            )
            self._unreadable, self._example = 0, ""


def _file_of(record: ImageRecord) -> AnyFile | None:
    """The file or object that has a picture; None for another."""
    picture = record.picture
    if isinstance(picture, Path):
        return picture
    try:
        return BucketPath.parse(picture) if isinstance(picture, str) and is_bucket_address(picture) else None
    except ValueError:
        return None


def _sidecar_paths(picture: AnyFile) -> Iterator[AnyFile]:
    """The possible paths of a picture's text, in all Unicode forms of the name."""
    folder = picture.parent
    for name in (f"{picture.name}.txt", picture.with_suffix(".txt").name):
        yield from (folder / form for form in forms(name))


def _read(file: Path) -> dict[str, str]:
    try:
        data = orjson.loads(read_text(file, MAX_FILE_BYTES))
    except (OSError, NotText) as error:
        raise SourceError(f"captions: {file} can't be read: {error_text(error)}") from error
    except orjson.JSONDecodeError as error:
        raise SourceError(f"captions: {file} is no JSON: {one_line(str(error))}") from error
    if not isinstance(data, dict):
        raise SourceError(f'captions: {file} has to be an object of paths and texts: {{"a.jpg": "a dog"}}')
    wrong = next((path for path, text in data.items() if not isinstance(text, str)), None)
    if wrong is not None:
        raise SourceError(f"captions: {file}: what it says of {one_line(wrong)!r} is no text")
    return data


def _normalize(folder: Path, path: str) -> str:
    return compose(path if "://" in path else os.path.normpath(folder / path))
