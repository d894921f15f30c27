"""Pictures in other files: tar and zip, never unpacked; Parquet; frames of videos (`videos.py`).

    photos.tar ─► open_archive ─► members, one by one ─► name, size, place; bytes
    /d/photos.tar#a/b.jpg ─► read_file ─► the member's bytes, by the archive's directory, which is kept
    /d/rows.parquet#12    ─► read_file ─► the bytes in that row

A member's location is the archive's, a `#`, and the member's name. A file that is there by that name comes
first. Whatever a member is called, `../` too, it is read only, and only where it is a regular file.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import IO, Any, NamedTuple
from weakref import finalize

from esclip._concurrency.forks import run_in_children
from esclip._files.buckets import BucketPath
from esclip._files.opening import PIECE, AnyFile, beside, is_file, open_file, stamp_file
from esclip._files.videos import read_frame, split_frame

MEMBER_MARK = "#"

TAR, ZIP = ".tar", ".zip"
PARQUET = (".parquet", ".pq")
PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
"""Can't be read from the middle."""

KEPT_DIRECTORIES = 4
"""Archives whose members' places are kept in memory: 16 bytes for each of a tar."""

PICTURES_AT_ONCE = 16
PAGE_BYTES = 1 << 16
"""What is read at once of a Parquet file for one picture."""

PICTURE_NAMES = ("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp")
"""Columns of a table that hold pictures' bytes are called so."""

BLOCK = 512
"""Bytes of a tar's blocks."""
TAIL_BYTES = 1 << 20
"""What is looked at behind a tar's end: most are padded with zeros to 10 KiB."""
MAX_HEADER_BYTES = 1 << 20
"""Of a tar's extended header, which is read whole: names and attributes of a file take some hundreds."""

_ARCHIVE = re.compile(rf"(?:{'|'.join(map(re.escape, (TAR, ZIP, *PARQUET)))})(?=#)", re.IGNORECASE)

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
"""The errors of opening a member as if it were a file."""
_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)
"""What damaged, encrypted and unusual archives raise, beside `OSError`."""


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    modified: datetime | None
    version: str
    """Differs when its bytes may differ, as long as the archive is the same."""
    offset: int
    """Of its header, or of its data in a tar."""
    is_encrypted: bool = False
    is_regular: bool = True
    """Whether it has bytes of its own: no link, device or sparse file."""


def is_archive(path: AnyFile) -> bool:
    """Whether this is a tar or a zip, by its name."""
    return path.suffix.lower() in (TAR, ZIP)


def archive_of(location: str) -> str | None:
    """The archive of a location that names a member, the video of a frame; None for any other."""
    if frame := split_frame(location):
        return frame[0]
    match = _ARCHIVE.search(location)
    return location[: match.end()] if match else None


def member_path(archive: AnyFile, name: str) -> AnyFile:
    """The path of a member, for `read_file`."""
    if isinstance(archive, BucketPath):
        return archive._replace(key=f"{archive.key}{MEMBER_MARK}{name}")
    return Path(f"{archive}{MEMBER_MARK}{name}")


def read_file(path: AnyFile, max_bytes: int) -> bytes:
    """The first bytes of a regular file, of an object, of a member, or of a frame. Raises `OSError` and
    `ValueError`.
    """
    try:
        with open_file(path, PIECE) as file:
            return file.read(max_bytes)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        if frame := split_frame(str(path)):
            return read_frame(beside(path, frame[0]), frame[1])[:max_bytes]
        if (found := _split(path)) is None:
            raise
    with _errors_of(found[0]):
        return _directory_of(found[0]).read(found[1], max_bytes)


def stamp(path: AnyFile) -> tuple[int, int]:
    """The size of a file, or of a member's archive, and when it was changed, in ns. Raises `OSError`."""
    try:
        return stamp_file(path)
    except OSError as error:
        if error.errno not in _ABSENT or (found := _split(path)) is None:
            raise
        return stamp_file(found[0])


def _split(path: AnyFile) -> tuple[AnyFile, str] | None:
    """The archive or video, and the name of what is in it; None where there is no such file."""
    text = str(path)
    if frame := split_frame(text):
        video = beside(path, frame[0])
        return (video, str(frame[1])) if is_file(video) else None
    for match in _ARCHIVE.finditer(text):
        archive = beside(path, text[: match.end()])
        if is_file(archive):
            return archive, text[match.end() + 1 :]
    return None


@contextmanager
def open_archive(path: AnyFile) -> Iterator[Archive]:
    """Context manager: the archive. Raises `OSError`, within it too, for one that is damaged."""
    with _errors_of(path), open_file(path) as file:
        yield ZipArchive(file) if path.suffix.lower() == ZIP else TarArchive(file)


@contextmanager
def _errors_of(path: AnyFile) -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise OSError(errno.EIO, str(error) or "damaged", str(path)) from error


class Archive(ABC):
    """An open archive. Its methods raise `OSError` and what `open_archive` maps to it."""

    @abstractmethod
    def members(self) -> Iterator[Member]:
        """The files, in their order."""

    @abstractmethod
    def read(self, member: Member, max_bytes: int) -> bytes:
        """The first bytes of a member; while the members are gone through, those of the last one."""


class _Headers:
    """A file for `tarfile`, which reads headers from it: one that is too large for the memory is refused."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size:,} bytes at offset {self.tell():,}")
        return self._file.read(size)


def _open_tar(file: IO[bytes]) -> tarfile.TarFile:
    headers: Any = _Headers(file)  # no more than tarfile needs of a file
    return tarfile.TarFile(fileobj=headers)


class TarArchive(Archive):
    """A tar that isn't packed, read once from its beginning; of most members only the headers."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._tar = _open_tar(file)

    def members(self) -> Iterator[Member]:
        """All before what is damaged."""
        for info in self.entries():
            yield Member(
                name=_normalized(info.name),
                size=info.size,
                modified=_moment(info.mtime),
                version=str(info.offset),
                offset=info.offset_data,
                is_regular=_is_regular(info),
            )

    def entries(self) -> Iterator[tarfile.TarInfo]:
        """All but folders."""
        while (info := self._tar.next()) is not None:
            vars(self._tar)["members"].clear()  # or all would stay in memory
            if _is_regular(info) and info.offset_data + info.size > self._size:
                raise tarfile.ReadError("the archive ends within a file")
            if not info.isdir():
                yield info
        self._check_end()

    def _check_end(self) -> None:
        """An archive ends with a block of zeros; tarfile takes any damage for its end."""
        self._file.seek(self._tar.offset)
        block = self._file.read(BLOCK)
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"damaged at offset {self._tar.offset:,}")
        if len(block) < BLOCK:
            raise tarfile.ReadError("the archive has no end; it may be cut off")
        if self._file.read(TAIL_BYTES).strip(b"\0"):
            raise tarfile.ReadError(
                f"more stands behind its end at offset {self._tar.offset:,}, as where archives were joined; "
                "unpack it: tar --ignore-zeros -xf"
            )

    def read(self, member: Member, max_bytes: int) -> bytes:
        self._file.seek(member.offset)
        return self._file.read(min(member.size, max_bytes))


def _is_regular(info: tarfile.TarInfo) -> bool:
    return info.isreg() and not info.issparse()


class ZipArchive(Archive):
    """A zip, whose directory is in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)
        self._infos = {info.header_offset: info for info in self._zip.infolist()}

    def members(self) -> Iterator[Member]:
        for info in self._zip.infolist():
            kind = info.external_attr >> 28
            if not info.is_dir():
                yield Member(
                    name=_normalized(info.filename),
                    size=info.file_size,
                    modified=_dos_moment(info.date_time),
                    version=f"{info.CRC:08x}-{info.file_size}",
                    offset=info.header_offset,
                    is_encrypted=bool(info.flag_bits & 1),
                    is_regular=kind in (0, 8),  # 0: not made on Unix
                )

    def read(self, member: Member, max_bytes: int) -> bytes:
        with self._zip.open(self._infos[member.offset]) as stream:
            return stream.read(max_bytes)


class _Directory(ABC):
    """Finds the members of an archive by name. Thread-safe."""

    @abstractmethod
    def read(self, name: str, max_bytes: int) -> bytes:
        """The first bytes of a member. Raises `FileNotFoundError` where there is none of this name."""


class _TarDirectory(_Directory):
    """The offsets of a tar's headers by their names' hashes."""

    def __init__(self, path: AnyFile) -> None:
        import numpy as np

        self._path = path
        hashes, offsets = array("q"), array("q")
        try:
            with open_archive(path) as archive:
                assert isinstance(archive, TarArchive)
                for info in filter(_is_regular, archive.entries()):
                    hashes.append(hash(_normalized(info.name)))
                    offsets.append(info.offset)
        except OSError:
            if not hashes:
                raise  # else what stands before the damage can be read
        order = np.argsort(np.asarray(hashes, np.int64), kind="stable")
        self._hashes, self._offsets = (
            np.asarray(hashes, np.int64)[order],
            np.asarray(offsets, np.int64)[order],
        )

    def read(self, name: str, max_bytes: int) -> bytes:
        name = _normalized(name)
        wanted = hash(name)
        place = int(self._hashes.searchsorted(wanted))
        with open_file(self._path, PIECE) as file:
            while place < len(self._hashes) and self._hashes[place] == wanted:
                file.seek(int(self._offsets[place]))
                info = _open_tar(file).next()
                if info is not None and _normalized(info.name) == name:
                    file.seek(info.offset_data)
                    return file.read(min(info.size, max_bytes))
                place += 1
        raise FileNotFoundError(errno.ENOENT, "no such file in the archive", name)


class _ZipDirectory(_Directory):
    """An open zip, which locks its own reads."""

    def __init__(self, path: AnyFile) -> None:
        file = open_file(path, PIECE)
        finalize(self, file.close)  # when it isn't kept any longer, and no read is under way
        self._zip = zipfile.ZipFile(file)
        self._infos: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            self._infos.setdefault(_normalized(info.filename), info)

    def read(self, name: str, max_bytes: int) -> bytes:
        if (info := self._infos.get(_normalized(name))) is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the archive", name)
        with self._zip.open(info) as stream:
            return stream.read(max_bytes)


class _ParquetRows(_Directory):
    """The pictures in a Parquet file by their rows, from 0; `12/photo`: not of the first column with any."""

    def __init__(self, path: AnyFile) -> None:
        self._path = path

    def read(self, name: str, max_bytes: int) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        number, _, column = name.partition("/")
        if not number.isdecimal():
            raise FileNotFoundError(errno.ENOENT, "no such row", name)
        try:
            with (
                open_file(self._path, PIECE) as stream,
                pq.ParquetFile(stream, buffer_size=PAGE_BYTES) as file,
            ):
                data = _find_picture(
                    file, int(number), column or next(iter(picture_columns(file.schema_arrow)), "")
                )
        except pa.ArrowException as error:
            raise OSError(errno.EIO, str(error), str(self._path)) from error
        if data is None:
            raise FileNotFoundError(errno.ENOENT, "no such picture in the table", name)
        return data[:max_bytes]


def picture_columns(schema: Any) -> list[str]:
    """The columns of an Arrow schema that hold pictures: bytes with a path, as Hugging Face's, or bytes alone
    under a usual name.
    """
    import pyarrow.types as is_a

    def is_binary(type: Any) -> bool:
        return bool(is_a.is_binary(type) or is_a.is_large_binary(type))

    def holds_pictures(field: Any) -> bool:
        if is_a.is_struct(field.type):
            parts = {part.name: part.type for part in field.type}
            return parts.keys() == {"bytes", "path"} and is_binary(parts["bytes"])
        return is_binary(field.type) and field.name.casefold() in PICTURE_NAMES

    return [field.name for field in schema if holds_pictures(field)]


def _find_picture(file: Any, row: int, column: str) -> bytes | None:
    """The bytes in a row; None where there is no such row, or no bytes. Only pages up to it are read."""
    if column not in picture_columns(file.schema_arrow):
        return None
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if row < rows:
            for batch in file.iter_batches(
                PICTURES_AT_ONCE, row_groups=[group], columns=[column], use_threads=False
            ):
                if row < batch.num_rows:
                    value = batch.column(0)[row].as_py()
                    return value.get("bytes") if isinstance(value, dict) else value
                row -= batch.num_rows
        row -= rows
    return None


_opening = Lock()
"""So that many workers that read of one archive go through it once."""


def _renew() -> None:
    global _opening
    _opening = Lock()


run_in_children(_renew)


def _directory_of(path: AnyFile) -> _Directory:
    with _opening:
        return _directory(path, *stamp(path), os.getpid())  # an open file's place isn't shared with a fork


@functools.lru_cache(KEPT_DIRECTORIES)
def _directory(path: AnyFile, size: int, modified: int, process: int) -> _Directory:
    suffix = path.suffix.lower()
    if suffix in PARQUET:
        return _ParquetRows(path)
    return _ZipDirectory(path) if suffix == ZIP else _TarDirectory(path)


def _normalized(name: str) -> str:
    """A member's name as a path has it: without `./` and `//`."""
    return PurePosixPath(name).as_posix()


def _moment(seconds: float) -> datetime | None:
    """A time; None for none, and for one that no calendar has."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if seconds > 0 else None
    except (OverflowError, ValueError, OSError):
        return None


def _dos_moment(parts: tuple[int, int, int, int, int, int]) -> datetime | None:
    try:
        return datetime(*parts, tzinfo=UTC)
    except ValueError:
        return None
