"""Descriptions that come with pictures: in a JSON file by path, or in a text file beside each picture.

Source ─► CaptionedSource ─► the same records, with the captions as their descriptions
              └─ PathCaptions  {"photos/a.jpg": "two dogs in the snow", ...}
              └─ Sidecars      a.jpg.txt or a.txt beside a.jpg

They are texts of the record: found by keyword search, and changed without encoding the picture again.
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
from esclip._core.arguments import AnyCaptions, given_path, given_text
from esclip._core.rejections import Rejection
from esclip._core.types import ImageRecord
from esclip._errors import SourceError, error_text, one_line
from esclip._files.locations import user_path
from esclip._files.text import NotText, read_beginning, read_text
from esclip._protocols import Source
from esclip._text.forms import compose, forms
from esclip.sources.wrapper import SourceWrapper

__all__ = [
    "LONGEST_CAPTION",
    "SIDECAR",
    "CaptionedSource",
    "Captions",
    "resolve_captions",
]

SIDECAR = "sidecar"
"""Captions in a text file beside each picture."""

LONGEST_CAPTION = 64 * 1024
"""Bytes of a caption; of a longer one the beginning is taken."""

LARGEST_FILE = 1 << 30
"""Bytes of a captions file: a thousand for each of a million pictures."""

ABSENT = (errno.ENOENT, errno.EISDIR, errno.ENAMETOOLONG)
"""Where there is no text beside a picture."""

log = logging.getLogger("esclip")


class Captions(Protocol):
    """What knows the captions of pictures."""

    def of(self, record: ImageRecord) -> str | None:
        """The caption of a record's picture; empty where there is none, None where that can't be told."""
        ...

    def warn(self) -> None:
        """Log what was wrong, after a complete walk over the pictures."""
        ...


class CaptionedSource(SourceWrapper):
    """A source whose records get their captions as descriptions; those without one stay as they are."""

    def __init__(self, source: Source, captions: Captions, *, complete: bool) -> None:
        """`complete` says that the source gives all that there is."""
        super().__init__(source)
        self._captions = captions
        self._complete = complete

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """The source's records; then warn of what was wrong."""
        with owned(super().records(cancelled)) as items:
            yield from items
        if self._complete:
            self._captions.warn()

    def changed(self, record: ImageRecord) -> ImageRecord:
        """With its caption; where that can't be told, the index keeps what it holds."""
        caption = self._captions.of(record)
        if caption is None:
            return record
        return replace(record, description=caption or record.description, captioned=bool(caption))


def resolve_captions(captions: AnyCaptions | None) -> Captions | str | None:
    """What an ingest was given as captions: texts beside the records, or the name of a column that has them.

    Raises `SourceError` when a file can't be read, `ConfigError` when it is something else.
    """
    if captions is None:
        return None
    if captions == "":
        return PathCaptions({}, Path.cwd(), "captions")  # records without: the index drops those it holds
    if isinstance(captions, Mapping):
        return PathCaptions(captions, Path.cwd(), "captions")
    accepted = "sidecar, a .json file, a dictionary of paths and texts, or a column of the dataset's photos"
    captions = given_path("captions", captions, accepted)
    if captions == SIDECAR:
        return Sidecars()
    if isinstance(captions, Path) or captions.lower().endswith(".json"):
        file = user_path(captions, "captions")
        return PathCaptions(_read(file), (Path.cwd() / file).parent, str(file))
    return captions


class PathCaptions:
    """Texts by the path of their picture, or by the URL of one there."""

    def __init__(self, texts: Mapping[str, str] | Mapping[Path, str], folder: Path, name: str) -> None:
        """Paths are relative to `folder`; `name` is where they stand. Raises `ConfigError` for no texts."""
        self._name = name
        self._here = Path.cwd()
        self._texts: dict[str, str] = {}
        for path, text in texts.items():
            place = _place(folder, os.fspath(given_path("the path of a caption", path)))
            self._texts[place] = given_text("a caption", text)
        self._unused = set(self._texts)

    def of(self, record: ImageRecord) -> str:
        """By the file of the picture, else by its location."""
        picture = record.picture
        place = _place(self._here, str(picture) if isinstance(picture, Path) else record.location)
        self._unused.discard(place)
        return _clipped(self._texts.get(place, ""))

    def warn(self) -> None:
        """Of entries without a picture."""
        if self._unused:
            log.warning(
                "%s: %d of %d captions are of no picture that is ingested: %s, for one",
                self._name,
                len(self._unused),
                len(self._texts),
                one_line(min(self._unused)),
            )


class Sidecars:
    """Text files beside the pictures: `a.jpg.txt`, else `a.txt`. No link leads to one in another folder."""

    def __init__(self) -> None:
        self._unreadable = 0
        self._first = ""

    def of(self, record: ImageRecord) -> str | None:
        """The text of the first that is there; None where it can't be read."""
        if not isinstance(record.picture, Path):
            return ""
        for file in _beside(record.picture):
            try:
                if file != record.picture:
                    return _clipped(read_beginning(file, LONGEST_CAPTION))
            except (OSError, NotText) as error:
                if isinstance(error, OSError) and error.errno in ABSENT:
                    continue
                self._first = self._first or f"{file}: {error_text(error)}"
                self._unreadable += 1
                return None
        return ""

    def warn(self) -> None:
        """Of those that can't be read."""
        if self._unreadable:
            log.warning(
                "%d text files beside pictures can't be read, and give no captions: %s, for one",
                self._unreadable,
                one_line(self._first),
            )
            self._unreadable, self._first = 0, ""


def _beside(picture: Path) -> Iterator[Path]:
    """Where its text may be, in any form of the name."""
    for file in (picture.with_name(f"{picture.name}.txt"), picture.with_suffix(".txt")):
        yield from map(file.with_name, forms(file.name))


def _read(file: Path) -> dict[str, str]:
    try:
        data = orjson.loads(read_text(file, LARGEST_FILE))
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


def _place(folder: Path, path: str) -> str:
    return compose(path if "://" in path else os.path.normpath(folder / path))


def _clipped(text: str) -> str:
    """As much of a text as a caption may have, without what is left of a character at the end."""
    text = text.strip()
    data = text.encode()
    return text if len(data) <= LONGEST_CAPTION else data[:LONGEST_CAPTION].decode(errors="ignore").strip()
