"""Pictures on disk: folders, walked to the bottom, and single files.

    paths ─► files, folder by folder in the order of their names ─► ImageRecord | Rejection

A picture's id is made of its absolute path, so it is the same from whichever folder it is reached.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from esclip._errors import SourceError
from esclip._flow import owned
from esclip._rejections import Reason, Rejection, Stage
from esclip._schema import Field, FieldType
from esclip._types import ImageRecord, MetadataValue

__all__ = ["FolderSource", "file_id", "file_record"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

FIELDS = (
    Field("file_name", FieldType.KEYWORD),
    Field("folder", FieldType.KEYWORD),
    Field("file_size", FieldType.INTEGER),
    Field("modified", FieldType.DATE),
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FolderSource:
    """The pictures of folders and their subfolders, by extension, and single files, whatever they are called.

    Hidden files and folders are left out, and links to folders aren't followed.
    """

    def __init__(self, paths: Sequence[str | Path], *, limit: int | None = None) -> None:
        """Raises `SourceError` when a path isn't there, can't be listed, or is a folder without pictures."""
        self._paths = [Path(os.path.normpath(Path.cwd() / path)) for path in paths]
        self._limit = limit
        for path in self._paths:
            _check(path)

    @property
    def fields(self) -> tuple[Field, ...]:
        """What is known of a file."""
        return FIELDS

    def total(self) -> int:
        """How many pictures, counted by walking the folders once."""
        return sum(1 for _ in self._found())

    def records(self) -> Iterator[ImageRecord | Rejection]:
        """Every picture; at any time one folder's names are held for each level of depth."""
        with owned(self._found()) as found:
            for file in found:
                yield file_record(file) if isinstance(file, Path) else file

    def covers(self, location: str) -> bool:
        """What lies in one of the folders, however deep, or is one of the files."""
        roots = [_text(path) for path in self._paths]
        return any(location == root or location.startswith(root.rstrip(os.sep) + os.sep) for root in roots)

    def _found(self) -> Iterator[Path | Rejection]:
        count = 0
        for path in self._paths:
            with owned(_walk(path) if path.is_dir() else [path]) as files:
                for file in files:
                    if count == self._limit:
                        return
                    yield file
                    count += 1


def _check(path: Path) -> None:
    try:
        if not path.is_dir():
            if not path.is_file():
                raise SourceError(f"{_text(path)} is not there, or is neither a folder nor a file")
            return
        os.scandir(path).close()
    except OSError as error:
        raise SourceError(f"{_text(path)} can't be read: {error.strerror}") from error
    with owned(_walk(path)) as files:
        if next(files, None) is None:
            suffixes = " ".join(sorted(IMAGE_SUFFIXES))
            raise SourceError(f"{_text(path)} holds neither a photos table nor pictures ({suffixes})")


def _walk(folder: Path) -> Iterator[Path | Rejection]:
    """Pictures, and folders that can't be listed, by name. Deep nesting is no problem."""
    levels = [_listed(folder)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif isinstance(entry, Rejection):
            yield entry
        elif entry.is_folder:
            levels.append(_listed(entry.path))
        elif entry.path.suffix.lower() in IMAGE_SUFFIXES:
            yield entry.path


class _Entry(NamedTuple):
    path: Path
    is_folder: bool


def _listed(folder: Path) -> Iterator[_Entry | Rejection]:
    """What lies in a folder, by name, all but what is hidden; a link to a folder is none."""
    try:
        with os.scandir(folder) as entries:
            shown = [(e.name, e.is_dir(follow_symlinks=False)) for e in entries if not e.name.startswith(".")]
    except OSError as error:
        yield _rejected(folder, error)
        return
    for name, is_folder in sorted(shown):
        yield _Entry(folder / name, is_folder)


def file_record(file: Path) -> ImageRecord | Rejection:
    """What is known of a file now; a rejection when it can't be looked at."""
    try:
        status = file.stat()
    except OSError as error:
        return _rejected(file, error)
    if not stat.S_ISREG(status.st_mode):
        return Rejection(
            file_id(file), _text(file), Stage.READ, Reason.UNREADABLE_FILE, "it is not a regular file"
        )
    return ImageRecord(
        id=file_id(file),
        location=_text(file),
        picture=file,
        version=f"{status.st_size}-{status.st_mtime_ns}",
        metadata=_metadata(file, status),
    )


def _metadata(file: Path, status: os.stat_result) -> dict[str, MetadataValue]:
    known: dict[str, MetadataValue] = {
        "file_name": _text(file.name),
        "folder": _text(file.parent.name),
        "file_size": status.st_size,
    }
    try:
        known["modified"] = EPOCH + timedelta(milliseconds=status.st_mtime_ns // 1_000_000)
    except OverflowError:  # a clock gone wild: a time that no calendar has is not known
        return known
    return known


def _rejected(path: Path, error: OSError) -> Rejection:
    missing = isinstance(error, FileNotFoundError)
    reason = Reason.FILE_NOT_FOUND if missing else Reason.UNREADABLE_FILE
    return Rejection(file_id(path), _text(path), Stage.READ, reason, error.strerror or str(error))


def file_id(path: Path) -> str:
    """The id of the record of a file, by its absolute path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:20]


def _text(name: str | Path) -> str:
    """A name that can be shown and stored, even one that isn't UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
