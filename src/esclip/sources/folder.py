"""Pictures on disk: folders, walked to the bottom, and single files.

    paths ─► files, folder by folder in the order of their names ─► ImageRecord | Rejection
                └─► counted by kind: what is no picture that is read, linked folders

A link to a file is a picture as any other file; a link to a folder is counted, and not followed: so a walk
never goes in circles, and a folder that somebody handed over leads to no other.
A picture's id is made of its absolute path, so it is the same from whichever folder it is reached.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from esclip._concurrency.streams import owned
from esclip._core.rejections import Reason, Rejection, Stage
from esclip._core.schema import Field, FieldType
from esclip._core.types import ImageRecord, MetadataValue
from esclip._errors import SourceError
from esclip._files.paths import is_below, path_text
from esclip._images.formats import LINKED_FOLDERS, UNREAD, described, passed_over_as, suffixes

__all__ = ["FolderSource", "file_id", "file_record", "is_empty"]

FOLDER = "\0"
"""Behind a name that is a folder's: no name has it, and it doesn't change their order."""

FIELDS = (
    Field("file_name", FieldType.KEYWORD),
    Field("folder", FieldType.KEYWORD),
    Field("file_size", FieldType.INTEGER),
    Field("modified", FieldType.DATE),
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FolderSource:
    """The pictures of folders and their subfolders, by extension, and single files, whatever they are called.

    Hidden files and folders are left out, and links to folders aren't followed, except those named here.
    """

    def __init__(self, paths: Sequence[str | Path], *, limit: int | None = None, gone: bool = False) -> None:
        """With `gone`, paths may not be there, or have no pictures any more: they give no records.

        Raises `SourceError` when a path isn't there, can't be listed, or is a folder without pictures.
        """
        self._paths = [Path(os.path.normpath(Path.cwd() / path)) for path in paths]
        self._limit = limit
        self._passed: Counter[str] = Counter()
        for path in self._paths:
            if not (gone and is_empty(path)):
                _check(path)
        self._gone = gone

    @property
    def fields(self) -> tuple[Field, ...]:
        """What is known of a file."""
        return FIELDS

    def total(self) -> int:
        """How many pictures, counted by walking the folders once, and holding nothing of them."""
        paths = [path for path in self._paths if not (self._gone and is_empty(path))]
        count = sum(sum(1 for _ in _strolled(path, Counter())) if path.is_dir() else 1 for path in paths)
        return count if self._limit is None else min(count, self._limit)

    def records(self) -> Iterator[ImageRecord | Rejection]:
        """Every picture; of each folder on the way the names are held that are still to come."""
        self._passed = Counter()
        with owned(self._found()) as found:
            for file in found:
                yield file_record(file) if isinstance(file, Path) else file

    def passed_over(self) -> Mapping[str, int]:
        """Files that are no pictures, or of formats that aren't read here, and linked folders."""
        return self._passed

    def covers(self, location: str) -> bool:
        """What lies in one of the folders, however deep, or is one of the files.

        Of a format that isn't read here nothing is: that a walk doesn't give it says nothing about it.
        """
        return passed_over_as(location) not in UNREAD and any(
            is_below(location, path_text(path)) for path in self._paths
        )

    def _found(self) -> Iterator[Path | Rejection]:
        count = 0
        for path in self._paths:
            if self._gone and is_empty(path):
                continue
            with owned(_walk(path, self._passed) if path.is_dir() else [path]) as files:
                for file in files:
                    if count == self._limit:
                        return
                    yield file
                    count += 1


def is_empty(path: Path) -> bool:
    """Whether nothing is there, or a folder without pictures: also what is left of a disk that isn't mounted.

    What can't be read is not gone.
    """
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return False
        os.scandir(path).close()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    with owned(_strolled(path, Counter())) as names:
        return next(names, None) is None


def _check(path: Path) -> None:
    try:
        if not path.is_dir():
            if not path.is_file():
                raise SourceError(f"{path_text(path)} is not there, or is neither a folder nor a file")
            return
        os.scandir(path).close()
    except OSError as error:
        raise SourceError(f"{path_text(path)} can't be read: {error.strerror}") from error
    passed: Counter[str] = Counter()
    with owned(_strolled(path, passed)) as names:
        if next(names, None) is None:
            without = f"{path_text(path)} holds neither a photos table nor pictures ({' '.join(suffixes())})"
            raise SourceError(f"{without}; but {told}" if (told := described(passed)) else without)


def _walk(folder: Path, passed: Counter[str]) -> Iterator[Path | Rejection]:
    """Pictures, and folders that can't be listed, by name. Deep nesting is no problem."""
    levels = [_listed(folder, passed)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif isinstance(entry, Rejection):
            yield entry
        elif entry.is_folder:
            levels.append(_listed(entry.path, passed))
        else:
            yield entry.path


def _strolled(folder: Path, passed: Counter[str]) -> Iterator[str]:
    """The names of what `_walk` gives, in any order, so that none has to be held."""
    folders = [folder]
    while folders:
        here = folders.pop()
        try:
            for name, is_folder in _shown(here, passed):
                if is_folder:
                    folders.append(here / name)
                else:
                    yield name
        except OSError:
            yield here.name


class _Entry(NamedTuple):
    path: Path
    is_folder: bool


def _listed(folder: Path, passed: Counter[str]) -> Iterator[_Entry | Rejection]:
    """What a folder shows, by name; where it can't be read, or not to its end, that comes first."""
    names: list[str] = []  # and no objects: a hundred bytes each, in folders of a million
    try:
        names.extend(name + FOLDER if is_folder else name for name, is_folder in _shown(folder, passed))
    except OSError as error:
        yield _rejected(folder, error)
    names.sort(reverse=True)
    while names:
        name = names.pop()
        yield _Entry(folder / name.removesuffix(FOLDER), name.endswith(FOLDER))


def _shown(folder: Path, passed: Counter[str]) -> Iterator[tuple[str, bool]]:
    """Pictures and subfolders, which are told apart, but those hidden; others are counted."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            kind = None if is_folder else _kind(entry)
            if kind is None:
                yield entry.name, is_folder
            elif kind:
                passed[kind] += 1


def _kind(entry: os.DirEntry[str]) -> str | None:
    """What a file, or a link, is passed over as; None for what has a picture's name."""
    kind = passed_over_as(entry.name)
    if kind is None or not entry.is_symlink():
        return kind
    with suppress(OSError):  # links in circles lead to no folder
        return LINKED_FOLDERS if entry.is_dir() else kind
    return kind


def file_record(file: Path) -> ImageRecord | Rejection:
    """What is known of a file now; a rejection when it can't be looked at."""
    try:
        status = file.stat()
    except OSError as error:
        return _rejected(file, error)
    if not stat.S_ISREG(status.st_mode):
        return Rejection(
            file_id(file), path_text(file), Stage.READ, Reason.UNREADABLE_FILE, "it is not a regular file"
        )
    return ImageRecord(
        id=file_id(file),
        location=path_text(file),
        picture=file,
        image_version=f"{status.st_size}-{status.st_mtime_ns}",
        metadata=_metadata(file, status),
    )


def _metadata(file: Path, status: os.stat_result) -> dict[str, MetadataValue]:
    known: dict[str, MetadataValue] = {
        "file_name": path_text(file.name),
        "folder": path_text(file.parent.name),
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
    return Rejection(file_id(path), path_text(path), Stage.READ, reason, error.strerror or str(error))


def file_id(path: Path) -> str:
    """The id of the record of a file, by its absolute path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:20]
