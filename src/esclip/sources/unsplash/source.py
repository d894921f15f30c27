"""An Unsplash dataset as unzipped: a folder of tables, without pictures.

    photos.tsv000 ... ─► rows, numbered ─┬─► ids ─► joined with keywords, colors, collections
                                         │                   │ a page of photos at a time
                                         └─► once more ──────┴─► ImageRecord | Rejection

The photos are read twice, which is cheap, so that only ids and the other tables' rows have to be sorted, on
disk. All releases are supported: columns are read by name, and columns that a release lacks are left out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Event
from typing import NamedTuple

from esclip._concurrency.streams import batches, owned
from esclip._core.picture_color import COLOR
from esclip._core.rejections import Rejection, Stage
from esclip._core.types import MAX_ID_BYTES, ImageRecord, id_problem
from esclip._core.urls import is_web_address
from esclip._errors import ConfigError, SourceError, suggest
from esclip._errors.reasons import Reason
from esclip._protocols import Source
from esclip.sources.tables.csv_rows import BrokenRow, Row
from esclip.sources.unsplash.child_tables import CHILD_TABLES
from esclip.sources.unsplash.fields import FIELDS, KNOWN_COLUMNS, parse_integer, photo_metadata, sized_url
from esclip.sources.unsplash.joins import PhotoDetails, open_joins
from esclip.sources.unsplash.tables import TablePart, find_parts, is_table_part

KEYWORD_THRESHOLD = 40.0
"""Percent: Unsplash leaves out keywords below since release 1.3."""

PAGE = 2_000
"""Photos for which the other tables are queried at once."""

log = logging.getLogger("esclip")


def is_dataset(path: Path) -> bool:
    """Whether this is a folder with a photos table, or a file of one. Raises `SourceError`."""
    try:
        folder = _folder(path)
        if not folder.is_dir():
            return False
        with os.scandir(folder) as entries:  # one by one: there may be a million pictures instead
            return any(is_table_part(entry, "photos") for entry in entries)
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror}") from error


def _folder(path: Path) -> Path:
    return path.parent if is_table_part(path, "photos") else path


class UnsplashSource(Source):
    """The photos of a dataset folder, joined with its other tables."""

    fields = FIELDS

    def __init__(
        self,
        path: Path,
        *,
        images: Path | None = None,
        limit: int | None = None,
        keyword_threshold: float = KEYWORD_THRESHOLD,
        captions: str | None = None,
    ) -> None:
        """`path` is the dataset's folder, or a file of its photos table.

        `images` is a folder with the pictures as `<photo_id>.jpg`; without it they are fetched by URL.
        `captions` is a column of the photos that has their descriptions, where it isn't empty. A photo
        without keywords by people gets those by AI with a confidence of at least `keyword_threshold` percent.

        Raises `SourceError` when a table can't be read, or lacks its header or a required column, and
        `ConfigError` when no column is called `captions`.
        """
        folder = _folder(path)
        self._images = images
        self._captions = captions
        self._limit = limit
        self._threshold = keyword_threshold
        self._photos = find_parts(folder, "photos")
        if not self._photos:
            raise SourceError(f"{folder} has no photos table (any more); name the dataset's folder")
        for part in self._photos:
            _check_columns(part, captions)
        self._description = (*([captions] if captions else ()), "photo_description", "ai_description")
        tables = {name: find_parts(folder, name) for name in CHILD_TABLES}
        self._children = {name: parts for name, parts in tables.items() if parts}
        self._total: int | None = None

    def total(self) -> int:
        """The number of photos, counted by reading them once."""
        if self._total is None:
            self._total = sum(1 for _ in self._rows())
        return self._total

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Every photo, in the order of the files and their rows. Uses a temporary folder until closed."""
        children = self._children
        join = open_joins(self._ids(), children, self._threshold, cancelled) if children else nullcontext()
        with join as joins, owned(batches(self._rows(), PAGE)) as pages:
            for page in pages:
                details = joins.details(page[0].number, page[-1].number) if joins else {}
                for photo in page:
                    yield self._record(photo, details.get(photo.number, PhotoDetails()))

    def covers(self, location: str) -> bool:
        """Every URL: so pruning removes the photos of other datasets in the index."""
        images = f"{self._images}{os.sep}" if self._images else None
        return location.startswith(("https://", "http://")) or bool(images and location.startswith(images))

    def _ids(self) -> Iterator[tuple[int, str]]:
        with owned(self._rows()) as rows:
            for number, part, row in rows:
                if isinstance(row, Row):
                    yield number, row.values[part.columns.index("photo_id")]

    def _rows(self) -> Iterator[_PhotoRow]:
        number = 0
        for part in self._photos:
            with owned(part.rows()) as rows:
                for row in rows:
                    if number == self._limit:
                        return
                    yield _PhotoRow(number, part, row)
                    number += 1

    def _record(self, photo: _PhotoRow, details: PhotoDetails) -> ImageRecord | Rejection:
        """The record of a row with any URL: the fetcher checks it."""
        if isinstance(photo.row, BrokenRow):
            return photo.rejected("", Reason.BAD_ROW, photo.row.problem)
        row = {name: value for name, value in zip(photo.part.columns, photo.row.values, strict=True) if value}
        id = row.get("photo_id", "")
        if problem := self._id_problem(id):
            return photo.rejected(id, Reason.BAD_ID, problem)
        url, page = row.get("photo_image_url", ""), row.get("photo_url", "")
        if not url and not self._images:
            return photo.rejected(id, Reason.BAD_URL, "no photo_image_url")
        width, height = (parse_integer(row.get(name, "")) for name in ("photo_width", "photo_height"))
        picture = self._images / f"{id}.jpg" if self._images else sized_url(url, width, height)
        # Galleries show the location: where the URL can't be opened, the file.
        has_url = is_web_address(url) or not self._images
        metadata = photo_metadata(row, details)
        return ImageRecord(
            id=id,
            location=url if has_url else str(picture),
            picture=picture,
            image_version=url or str(picture),
            page=page if is_web_address(page) else None,
            description=next((row[name] for name in self._description if name in row), ""),
            metadata=metadata,
            picture_fields=() if COLOR in metadata else (COLOR,),
            captioned=self._captions in row if self._captions else None,
        )

    def _id_problem(self, id: str) -> str:
        if not id.strip():
            return "no photo_id"
        if problem := id_problem(id):
            return f"photo_id {problem}"
        if self._images and (id in (".", "..") or set(id) & set("/\\")):
            return f"photo_id is no file name: {id}"
        return ""


class _PhotoRow(NamedTuple):
    """A row of the photos table, its number in the dataset, and its file."""

    number: int
    part: TablePart
    row: Row | BrokenRow

    def rejected(self, id: str, reason: Reason, problem: str) -> Rejection:
        """The row as a rejection with its file and line."""
        location = f"{self.part.path}:{self.row.line}"
        detail = f"{self.part.path.name}, line {self.row.line}: {problem}"
        return Rejection(id[:MAX_ID_BYTES], location, Stage.READ, reason, detail)


def _check_columns(part: TablePart, captions: str | None) -> None:
    if "photo_image_url" not in part.columns:
        raise SourceError(
            f"{part.path}, line 1: no column photo_image_url in {', '.join(part.columns)[:200]!a}"
        )
    if captions is not None and captions not in part.columns:
        similar = suggest(captions, part.columns)
        raise ConfigError(f"captions: {part.path} has no column {captions!r:.80}; it may be {similar:.400}")
    if unknown := [name for name in part.columns if name not in KNOWN_COLUMNS | {captions}]:
        log.warning("%s: unknown columns are left out: %s", part.path, ", ".join(unknown))
