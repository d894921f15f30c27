"""Pictures in a bucket: those below a prefix, as those of a folder and its subfolders, or one object.

s3://bucket/prefix ─► objects, folder by folder as the service lists them ─► ImageRecord | Rejection
                          └─► counted by kind: unsupported files, what is excluded

An object is read when its picture is encoded. Its size and time in the listing tell whether it has changed:
an unchanged one costs no request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from threading import Event
from typing import Any

from esclip._concurrency.streams import owned
from esclip._core.analysis import FOLDERS
from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.rejections import Rejection, Stage
from esclip._core.types import ImageRecord, MetadataValue, text_id
from esclip._errors import FetchError, SourceError, one_line
from esclip._errors.reasons import Reason
from esclip._files.archives import archive_of
from esclip._files.buckets import BucketPath
from esclip._files.objects import find_object, list_folder
from esclip._files.paths import is_below
from esclip._images.formats import UNREADABLE_KINDS, describe_skipped, skipped_kind, supported_suffixes
from esclip._protocols import Source
from esclip.sources.exclusions import EXCLUDED, Exclusions
from esclip.sources.folder import EPOCH, FIELDS, folder_paths


class BucketSource(Source):
    """The pictures below a prefix, by extension; or one object that is called as a picture.

    Objects and folders whose names begin with a dot are left out.
    """

    fields = FIELDS

    def __init__(self, path: BucketPath, *, gone: bool = False, exclude: Exclusions | None = None) -> None:
        """With `gone`, nothing may be there: then it gives no records. What `exclude` has is left out.

        Raises `SourceError` when nothing is there, it can't be asked for, or is an object but no picture.
        """
        self._path = path
        self._exclude = exclude or Exclusions()
        self._passed: Counter[str] = Counter()
        info = _find(path)
        self._object = info if info is not None and info.is_file else None
        self._is_gone = info is None
        if self._is_gone and not gone:
            raise SourceError(f"{path}: there is no such bucket, or nothing of this name in it")
        if self._object and skipped_kind(path.key) is not None:
            raise SourceError(
                f"{path} is neither a picture by its name, nor a table, archive or video that is read"
            )

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Every picture; in memory is the listing of each folder on the way, as far as it is still to come.

        Raises `SourceError` where there is none.
        """
        self._passed = Counter()
        if self._is_gone:
            return
        if self._object:
            if self._exclude.has(self._object.base_name):
                self._passed[EXCLUDED] += 1
            else:
                yield _record(self._path, self._object)
            return
        is_empty = True
        with owned(self._walk(cancelled)) as found:
            for one in found:
                is_empty = False
                yield one
        if is_empty:
            problem = f"{self._path} holds no pictures ({' '.join(supported_suffixes())})"
            skipped = describe_skipped(self._passed)
            raise SourceError(f"{problem}; but {skipped}" if skipped else problem)

    def covers(self, location: str) -> bool:
        """The object, or all that is below the prefix, except what is excluded, and formats that this
        installation can't read.
        """
        root = str(self._path)
        below = location[len(root) + 1 :] or self._path.key.rpartition("/")[2]
        return (
            archive_of(location) is None
            and is_below(location, root)
            and skipped_kind(location) not in UNREADABLE_KINDS
            and not self._exclude.has(below)
        )

    def passed_over(self) -> Mapping[str, int]:
        """Objects that are no pictures, or of formats that aren't read here; excluded ones."""
        return self._passed

    def _walk(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Records, and rejections of folders that can't be listed. Without recursion, for any depth."""
        levels = [self._wanted(self._path, cancelled)]
        while levels:
            entry = next(levels[-1], None)
            if entry is None:
                levels.pop()
            elif isinstance(entry, BucketPath):
                levels.append(self._wanted(entry, cancelled))
            else:
                yield entry

    def _wanted(self, folder: BucketPath, cancelled: Event) -> Iterator[BucketPath | ImageRecord | Rejection]:
        """The pictures and folders in a folder; the others are counted."""
        try:
            infos = list_folder(folder, cancelled)
        except FetchError as error:
            yield _rejected(str(folder), error.reason, error.detail)
            return
        infos.reverse()
        while infos:
            info = infos.pop()
            name = info.path.removeprefix(f"{folder.path}/")
            parts = name.split("/")
            if name == info.path or "" in parts:
                problem = "names of objects in it have an empty part, and can't be read"
                yield _rejected(f"{folder}/", Reason.BAD_URL, problem)
            elif not any(part.startswith(".") for part in parts) and self._takes(
                folder, name, is_folder=not info.is_file
            ):
                path = folder / name
                yield _record(path, info) if info.is_file else path

    def _takes(self, folder: BucketPath, name: str, *, is_folder: bool) -> bool:
        below = f"{folder.key}/{name}"[len(self._path.key) :].lstrip("/")
        if self._exclude.has(below, is_folder=is_folder):
            self._passed[EXCLUDED] += 1
            return False
        kind = None if is_folder else skipped_kind(name)
        if kind:
            self._passed[kind] += 1
        return kind is None


def is_gone_from_bucket(path: BucketPath) -> bool:
    """Whether there is neither an object nor a folder of this name. Raises `SourceError`."""
    return _find(path) is None


def _find(path: BucketPath) -> Any:
    """What is at a path, as pyarrow describes it; None: nothing. Raises `SourceError`."""
    from pyarrow.fs import FileType

    try:
        info = find_object(path, Event())
    except FetchError as error:
        raise SourceError(f"{path} can't be read: {error.detail}") from error
    return None if info.type is FileType.NotFound else info


def object_record(path: BucketPath) -> ImageRecord | Rejection:
    """The record of an object's current state; a rejection when it can't be asked for."""
    try:
        info = find_object(path, Event())
    except FetchError as error:
        return _rejected(str(path), error.reason, error.detail)
    if not info.is_file:
        return _rejected(str(path), Reason.HTTP_404, "there is no such object")
    return _record(path, info)


def _record(path: BucketPath, info: Any) -> ImageRecord:
    location, folder = str(path), str(path).rpartition("/")[0]
    metadata: dict[str, MetadataValue] = {
        "file_name": info.base_name,
        "folder": folder.rpartition("/")[2],
        "file_size": info.size,
        "modified": EPOCH + timedelta(milliseconds=info.mtime_ns // 1_000_000),
        FOLDERS: folder_paths(folder),
    }
    return ImageRecord(
        id=text_id(location),
        location=location,
        picture=location,
        image_version=f"{info.size}-{info.mtime_ns}",
        metadata=metadata,
        picture_fields=tuple(field.name for field in PICTURE_FIELDS),
    )


def _rejected(location: str, reason: Reason, detail: str) -> Rejection:
    return Rejection(text_id(location), location, Stage.READ, reason, one_line(detail))
