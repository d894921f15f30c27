"""Where pictures come from: Unsplash datasets, folders of images, image files.

paths ─► open_source ─┬─► UnsplashSource   a folder with a photos table
                      └─► FolderSource     any other folder, or a file
                                └─► with captions, where they are given
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from esclip._concurrency.streams import owned
from esclip._core.arguments import AnyCaptions, given_path, wrong_kind
from esclip._core.rejections import Rejection
from esclip._core.schema import Field
from esclip._core.types import ImageRecord
from esclip._errors import ConfigError, SourceError
from esclip._files.locations import user_path
from esclip._protocols import Source
from esclip.sources.captions import (
    CaptionedSource,
    Captions,
    PathCaptions,
    Sidecars,
    UncaptionedSource,
    caption_file,
)
from esclip.sources.folder import FolderSource, is_empty
from esclip.sources.unsplash.source import UnsplashSource, is_photos_part, is_unsplash_folder

__all__ = ["FolderSource", "UnsplashSource", "is_gone", "open_source"]

SIDECAR = "sidecar"
"""Captions in a text file beside each picture."""


def open_source(
    paths: Sequence[str | Path],
    *,
    images: Path | None = None,
    limit: int | None = None,
    captions: AnyCaptions | None = None,
    gone: Collection[str | Path] = (),
) -> Source:
    """Open the source that reads some paths, one after the other.

    Args:
        paths: Unsplash dataset folders, folders of images, or image files.
        images: Folder with a dataset's pictures as `<photo_id>.jpg`.
        limit: Read this many records only.
        captions: `sidecar`, a JSON file, a dictionary of texts by path relative to the current folder, or a
            column of a dataset's photos; "": take away those that the index holds; None: leave them.
        gone: Those of `paths` that give no records.

    Raises:
        SourceError: There is nothing to read.
        ConfigError: `images` or `captions` fit none of the paths.
    """
    if not paths:
        raise SourceError(
            "No path given: name an Unsplash dataset folder, a folder of images, or image files"
        )
    if images is not None and not images.is_dir():
        raise ConfigError(f"images: {images} is no folder")
    known, column = _captions(captions)
    sources = [_open(user_path(path, "path"), images, limit, column, gone=path in gone) for path in paths]
    if images is not None and not any(isinstance(source, UnsplashSource) for source in sources):
        raise ConfigError(f"images: {images} is of use with an Unsplash dataset only, and none is given")
    if column is not None and not any(isinstance(source, UnsplashSource) for source in sources):
        raise ConfigError(
            f"captions: {column} would be a column of an Unsplash dataset, and none is given; "
            f"give a .json file, or {SIDECAR}"
        )
    source = sources[0] if len(sources) == 1 else _Chained(sources, limit)
    if captions == "":
        return UncaptionedSource(source)
    return CaptionedSource(source, known, complete=limit is None) if known else source


def is_gone(path: str | Path) -> bool:
    """Whether a path gives nothing: it isn't there, or is a folder without dataset and pictures."""
    named = user_path(path, "path")
    return _dataset(named) is None and is_empty(named)


def _captions(
    captions: AnyCaptions | None,
) -> tuple[Captions | None, str | None]:
    """Captions that lie beside the records, or the column that has them."""
    if captions is None or captions == "":
        return None, None
    if isinstance(captions, Mapping):
        return PathCaptions(captions, Path.cwd(), "captions"), None
    takes = "sidecar, a .json file, a dictionary of paths and texts, or a column of the dataset's photos"
    if not isinstance(captions, str | os.PathLike):
        raise wrong_kind("captions", captions, takes)
    captions = given_path("captions", captions)
    if captions == SIDECAR:
        return Sidecars(), None
    if isinstance(captions, Path) or captions.lower().endswith(".json"):
        return caption_file(user_path(captions, "captions")), None
    return None, captions


def _open(path: Path, images: Path | None, limit: int | None, column: str | None, *, gone: bool) -> Source:
    if (folder := _dataset(path)) is not None:
        return UnsplashSource(folder, images=images, limit=limit, captions=column)
    return FolderSource([path], limit=limit, gone=gone)


def _dataset(path: Path) -> Path | None:
    """The folder of the dataset that a path means; None for pictures, and for what isn't there."""
    try:
        folder = path.parent if is_photos_part(path) else path
        return folder if folder.is_dir() and is_unsplash_folder(folder) else None
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror}") from error


class _Chained:
    """Several sources, one after the other."""

    def __init__(self, sources: Sequence[Source], limit: int | None) -> None:
        self._sources = sources
        self._limit = limit

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(dict.fromkeys(field for source in self._sources for field in source.fields))

    def total(self) -> int | None:
        totals = [source.total() for source in self._sources]
        known = sum(total for total in totals if total is not None)
        return None if None in totals else known if self._limit is None else min(known, self._limit)

    def records(self) -> Iterator[ImageRecord | Rejection]:
        with owned(self._all_records()) as records:
            yield from islice(records, self._limit)

    def passed_over(self) -> Mapping[str, int]:
        passed: Counter[str] = Counter()
        for source in self._sources:
            passed.update(source.passed_over())
        return passed

    def covers(self, location: str) -> bool:
        return any(source.covers(location) for source in self._sources)

    def _all_records(self) -> Iterator[ImageRecord | Rejection]:
        for source in self._sources:
            with owned(source.records()) as records:
                yield from records
