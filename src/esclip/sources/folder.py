"""Pictures on disk, and text files on request: folders with all subfolders, and single files.

    path ─► files, folder by folder in the order of their names ─► ImageRecord | Rejection
                └─► counted by kind: unsupported files, linked folders, what is excluded

A link to a file is read as any other file; a link to a folder is counted, and not followed: a walk never goes
in circles, and a folder from a stranger leads to no other. A picture's id is made of its absolute path, so it
doesn't depend on the folder that is ingested. A text file is read here: its record has the text. A link to
one is read within its folder only.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from threading import Event
from typing import NamedTuple, TypeAlias

from esclip._concurrency.streams import owned
from esclip._core.analysis import FOLDERS
from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field, FieldType
from esclip._core.types import MAX_TEXT_BYTES, ImageRecord, MetadataValue, file_id, text_record
from esclip._errors import SourceError
from esclip._errors.reasons import Reason
from esclip._files.archives import archive_of
from esclip._files.paths import is_below, path_of, path_text
from esclip._files.text import NotText, read_text
from esclip._images.formats import (
    LINKED_FOLDERS,
    UNREADABLE_KINDS,
    describe_skipped,
    skipped_kind,
    supported_suffixes,
)
from esclip._protocols import Source
from esclip.sources.exclusions import EXCLUDED, Exclusions

FOLDER_MARK = "\0"
"""Appended to names of folders: no name contains it, and it doesn't change their order."""

FIELDS: tuple[Field, ...] = (
    Field("file_name", FieldType.KEYWORD),
    Field("folder", FieldType.KEYWORD),
    Field("file_size", FieldType.INTEGER),
    Field("modified", FieldType.DATE),
    Field(FOLDERS, FieldType.KEYWORDS),
    *PICTURE_FIELDS,
)

TEXT_SUFFIX = ".txt"

KindOf: TypeAlias = Callable[[str], str | None]
"""The kind under which a file is passed over, by its name, as `skipped_kind`."""

MAX_LEVELS = 16
"""Folders of a path by whose names it may begin in `folders`, from the innermost on."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FolderSource(Source):
    """The pictures of a folder and its subfolders, by extension; or one file, regardless of its extension.
    On request text files as well.

    Hidden files and folders are left out, and links to folders aren't followed, except the given one.
    """

    fields = FIELDS

    def __init__(
        self,
        path: str | Path,
        *,
        gone: bool = False,
        texts: bool = False,
        exclude: Exclusions | None = None,
    ) -> None:
        """With `gone`, the path may be missing, or without pictures: then it gives no records.

        With `texts`, text files are records, too. What `exclude` has is left out.

        Raises `SourceError` when it is missing, can't be listed, or is a folder without pictures.
        """
        self._path = Path(os.path.normpath(Path.cwd() / path))
        self._gone = gone
        self._texts = texts
        self._exclude = exclude or Exclusions()
        self._wanted = _Wanted(self._path, _kind_beside_texts if texts else skipped_kind, self._exclude)
        self._passed: Counter[str] = Counter()
        if not self._is_gone():
            _check(self._wanted)

    def total(self) -> int:
        """The number of pictures, counted in one walk that keeps nothing in memory."""
        if self._is_gone():
            return 0
        if not self._path.is_dir():
            return 0 if self._wanted.excludes(self._path) else 1
        return sum(1 for _ in _iter_names(self._wanted, Counter()))

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Every picture; in memory are the names still to come of each folder on the way."""
        self._passed = Counter()
        if self._is_gone():
            return
        is_folder = self._path.is_dir()
        if not is_folder and self._wanted.excludes(self._path):
            self._passed[EXCLUDED] += 1
            return
        with owned(_iter_files(self._wanted, self._passed) if is_folder else [self._path]) as files:
            for file in files:
                yield self._record_of(file) if isinstance(file, Path) else file

    def _record_of(self, file: Path) -> ImageRecord | Rejection:
        return text_file_record(file) if self._texts and _is_text_file(file.name) else file_record(file)

    def passed_over(self) -> Mapping[str, int]:
        """Files that are no pictures, or of formats that aren't read here; linked and excluded ones."""
        return self._passed

    def covers(self, location: str) -> bool:
        """The file, or all that lies in the folder at any depth, except what is excluded, or in archives, and
        formats that this installation can't read: those are missing from the walk for another reason.
        """
        return (
            archive_of(location) in (None, path_text(self._path))
            and skipped_kind(location) not in UNREADABLE_KINDS
            and is_below(location, path_text(self._path))
            and not (self._exclude and self._wanted.excludes(path_of(location)))
        )

    def _is_gone(self) -> bool:
        return self._gone and is_empty(self._path, texts=self._texts)


def _is_text_file(name: str) -> bool:
    return name[-len(TEXT_SUFFIX) :].lower() == TEXT_SUFFIX


def _kind_beside_texts(name: str) -> str | None:
    return None if _is_text_file(name) else skipped_kind(name)


def is_empty(path: Path, *, texts: bool = False) -> bool:
    """Whether nothing is there, or a folder without pictures: such as that of an unmounted disk.

    What can't be read is not empty. With `texts`, a text file is as good as a picture.
    """
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return False
        os.scandir(path).close()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # not readable, or a NUL, which no name has
        return False
    wanted = _Wanted(path, _kind_beside_texts if texts else skipped_kind, Exclusions())
    with owned(_iter_names(wanted, Counter())) as names:
        return next(names, None) is None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a walk takes."""

    root: Path
    kind_of: KindOf
    exclude: Exclusions

    def excludes(self, path: Path, *, is_folder: bool = False) -> bool:
        """Whether a path is left out by its name."""
        return self.exclude.has_below(self.root, path, is_folder=is_folder)


def _check(wanted: _Wanted) -> None:
    path = wanted.root
    try:
        if not path.is_dir():
            if not path.is_file():
                raise SourceError(f"{path_text(path)} is not there, or is neither a folder nor a file")
            return
        os.scandir(path).close()
    except OSError as error:
        raise SourceError(f"{path_text(path)} can't be read: {error.strerror}") from error
    passed: Counter[str] = Counter()
    with owned(_iter_names(wanted, passed)) as names:
        if next(names, None) is None:
            suffixes = " ".join(supported_suffixes())
            problem = f"{path_text(path)} holds neither a photos table nor pictures ({suffixes})"
            skipped = describe_skipped(passed)
            raise SourceError(f"{problem}; but {skipped}" if skipped else problem)


def _iter_files(wanted: _Wanted, passed: Counter[str]) -> Iterator[Path | Rejection]:
    """Pictures, and folders that can't be listed, by name. Without recursion, for any depth."""
    levels = [_sorted_entries(wanted.root, wanted, passed)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
        elif isinstance(entry, Rejection):
            yield entry
        elif entry.is_folder:
            levels.append(_sorted_entries(entry.path, wanted, passed))
        else:
            yield entry.path


def _iter_names(wanted: _Wanted, passed: Counter[str]) -> Iterator[str]:
    """The names of what `_iter_files` gives, in any order, so that no list of names is in memory."""
    folders = [wanted.root]
    while folders:
        current = folders.pop()
        try:
            for name, is_folder in _visible_entries(current, wanted, passed):
                if is_folder:
                    folders.append(current / name)
                else:
                    yield name
        except OSError:
            yield current.name


class _Entry(NamedTuple):
    path: Path
    is_folder: bool


def _sorted_entries(folder: Path, wanted: _Wanted, passed: Counter[str]) -> Iterator[_Entry | Rejection]:
    """A folder's visible entries, by name; where it can't be read completely, a rejection first."""
    names: list[str] = []  # not objects of a hundred bytes each: folders may have a million
    try:
        names.extend(
            name + FOLDER_MARK if is_folder else name
            for name, is_folder in _visible_entries(folder, wanted, passed)
        )
    except OSError as error:
        yield _reject(folder, error)
    names.sort(reverse=True)
    while names:
        name = names.pop()
        yield _Entry(folder / name.removesuffix(FOLDER_MARK), name.endswith(FOLDER_MARK))


def _visible_entries(folder: Path, wanted: _Wanted, passed: Counter[str]) -> Iterator[tuple[str, bool]]:
    """Names of what is taken and of subfolders, and whether each is a folder; others are counted."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if wanted.exclude and wanted.excludes(folder / entry.name, is_folder=is_folder):
                passed[EXCLUDED] += 1
                continue
            kind = None if is_folder else _kind(entry, wanted.kind_of)
            if kind is None:
                yield entry.name, is_folder
            elif kind:
                passed[kind] += 1


def _kind(entry: os.DirEntry[str], kind_of: KindOf) -> str | None:
    """The kind under which a file or link is passed over; None for a name that is taken."""
    kind = kind_of(entry.name)
    if kind is None or not entry.is_symlink():
        return kind
    with suppress(OSError):  # links in circles lead to no folder
        return LINKED_FOLDERS if entry.is_dir() else kind
    return kind


def file_record(file: Path) -> ImageRecord | Rejection:
    """The record of a file's current state; a rejection when it can't be read."""
    try:
        status = file.stat()
    except OSError as error:
        return _reject(file, error)
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
        picture_fields=tuple(field.name for field in PICTURE_FIELDS),
    )


def text_file_record(file: Path) -> ImageRecord | Rejection:
    """The record of a text file, with the text; a rejection when it can't be read, or holds none."""
    try:
        status = file.stat()
        if status.st_size > MAX_TEXT_BYTES:
            return _reject_text(file, Reason.TOO_LARGE, f"it is longer than {MAX_TEXT_BYTES:,} bytes")
        text = read_text(file, MAX_TEXT_BYTES).strip()
    except NotText as error:
        return _reject_text(file, Reason.NOT_A_TEXT, str(error))
    except OSError as error:
        return _reject(file, error)
    if not text:
        return _reject_text(file, Reason.NOT_A_TEXT, "it is empty")
    return text_record(text, id=file_id(file), location=path_text(file), metadata=_metadata(file, status))


def _reject_text(file: Path, reason: Reason, detail: str) -> Rejection:
    return Rejection(file_id(file), path_text(file), Stage.READ, reason, detail)


def _metadata(file: Path, status: os.stat_result) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {
        "file_name": path_text(file.name),
        "folder": path_text(file.parent.name),
        "file_size": status.st_size,
        FOLDERS: folder_paths(path_text(file.parent)),
    }
    try:
        metadata["modified"] = EPOCH + timedelta(milliseconds=status.st_mtime_ns // 1_000_000)
    except OverflowError:  # a wrong clock: no calendar has the time
        return metadata
    return metadata


def folder_paths(folder: str) -> tuple[str, ...]:
    """The path of a folder, and its ends: `/photos/2024/norway` is `2024/norway` and `norway`, too."""
    names = PurePath(folder).parts[1:]
    first = max(1, len(names) - MAX_LEVELS)
    return (folder, *("/".join(names[begin:]) for begin in range(first, len(names))))


def _reject(path: Path, error: OSError) -> Rejection:
    missing = isinstance(error, FileNotFoundError)
    reason = Reason.FILE_NOT_FOUND if missing else Reason.UNREADABLE_FILE
    return Rejection(file_id(path), path_text(path), Stage.READ, reason, error.strerror or str(error))
