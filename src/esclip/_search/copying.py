"""Copies the pictures of hits into a folder, in the order of their ranks.

    hit ─► its file, or its URL by the fetcher's rules ─► a picture? ─► NN_name.ext, where that is free
                                                           └► why not

What an index says of locations is untrusted: a file of this machine that is no picture is not copied, only
the hosts of an ingest are asked, and a name leads nowhere but into the folder. No file is overwritten.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from esclip._concurrency.streams import owned, parallel_map
from esclip._core.settings import UNSPLASH_HOST
from esclip._core.types import MEMORY_SCHEME, PICTURE, Hit
from esclip._errors import ConfigError, FetchError, RecordError, error_text, one_line
from esclip._errors.reasons import Reason
from esclip._files.archives import MEMBER_MARK, archive_of
from esclip._files.buckets import is_bucket_address
from esclip._files.locations import user_path
from esclip._files.paths import path_of
from esclip._files.regular import open_regular
from esclip._images.formats import detect_format, skipped_kind, usual_suffix

if TYPE_CHECKING:
    from esclip._fetch.fetcher import Fetcher

WORKERS = 8
"""Pictures fetched at once."""

MAX_NAME_BYTES = 200
"""Of a copy's name, without its number: file systems allow 255 bytes in all."""

_UNSUITABLE = re.compile('[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff<>:"/\\\\|?*]')
"""What breaks a line, commands a terminal, is no Unicode, or may stand in no name of some system."""


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What became of the pictures of hits that were to be copied."""

    paths: Mapping[str, Path]
    """Where the copies are, by the hits' ids, from best to worst."""
    present: int
    """How many of them were there before."""
    failures: Mapping[str, str]
    """Why the others are not copied, by the hits' ids."""
    texts: int = 0
    """How many of the hits are texts, which have no picture."""


class _Outcome(NamedTuple):
    hit: Hit
    path: Path | None = None
    was_there: bool = False
    problem: str = ""


def copy_pictures(hits: Collection[Hit], folder: str | Path, allow_hosts: Collection[str] = ()) -> CopyReport:
    """Copy the pictures of hits into a folder, which is made where it is missing.

    Raises `ConfigError` where it can't be made, and for an allowed host that is none.
    """
    from esclip._fetch.fetcher import Fetcher
    from esclip._fetch.hosts import HostPolicy

    if not str(folder).strip():
        raise ConfigError("the folder for copies is empty; give ./ for the current one")
    target = user_path(folder, "the folder for copies")
    if hits:
        _make(target)
    pictures = [hit for hit in hits if hit.kind == PICTURE]
    digits = len(str(max((hit.rank for hit in hits), default=0)))
    with Fetcher(HostPolicy(allow_hosts, {UNSPLASH_HOST}), workers=WORKERS) as fetcher:
        copy = partial(_copy, fetcher=fetcher, folder=target, digits=digits)
        with owned(parallel_map(copy, pictures, workers=WORKERS, stop=fetcher.stop)) as outcomes:
            return replace(_report(outcomes), texts=len(hits) - len(pictures))


def numbered_name(number: int, name: str, digits: int = 2) -> str:
    """`01_name`: a name for a file or folder of any system, with a number of `digits` or more before it."""
    stem, dot, suffix = _UNSUITABLE.sub("_", name).strip(" .").rpartition(".")
    if not stem or len(suffix) > 10:
        stem, dot, suffix = f"{stem}{dot}{suffix}", "", ""
    room = MAX_NAME_BYTES - len(f"{dot}{suffix}".encode())
    short = stem.encode()[:room].decode(errors="ignore").rstrip(" .") or "picture"
    return f"{number:0{max(2, digits)}}_{short}{dot}{suffix}"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        shown = one_line(str(folder), 200)
        raise ConfigError(
            f"the folder {shown} for copies can't be made: {error_text(error)}; name another one"
        ) from error


def _copy(hit: Hit, *, fetcher: Fetcher, folder: Path, digits: int) -> _Outcome:
    if hit.location.startswith(MEMORY_SCHEME):
        return _Outcome(hit, problem="it was added from a program's memory, and not kept")
    try:
        data = fetcher.fetch(hit.location if "://" in hit.location else path_of(hit.location))
        if (format := detect_format(data)) is None:
            raise FetchError(Reason.NOT_AN_IMAGE, "its bytes are no picture's")
        name = _name_of(hit.location)
        if skipped_kind(name) is not None:
            name += usual_suffix(format)
        path = folder / numbered_name(hit.rank, name, digits)
        return _Outcome(hit, path, was_there=not _write_new(path, data))
    except RecordError as error:
        return _Outcome(hit, problem=str(error))
    except OSError as error:
        return _Outcome(hit, problem=error_text(error))


def _name_of(location: str) -> str:
    """The last part of a path, also in an archive, or of a URL's path."""
    inside = location.removeprefix(f"{archive_of(location)}{MEMBER_MARK}")
    if is_bucket_address(location):
        return inside.rpartition("/")[2]
    if "://" in location:
        return PurePosixPath(unquote(urlsplit(location).path)).name
    return path_of(inside).name


def _write_new(path: Path, data: bytes) -> bool:
    """Write a file; False where these bytes are there. Raises `OSError`, also where another file is."""
    try:
        file = path.open("xb")
    except FileExistsError:
        if _holds(path, data):
            return False
        raise OSError(f"{path} is there already, and another file; it stays") from None
    try:
        with file:
            file.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def _holds(path: Path, data: bytes) -> bool:
    """Whether it is a file, and no link to one, with these bytes."""
    if path.is_symlink():
        return False
    with open_regular(path) as file:
        return file.read(len(data) + 1) == data


def _report(outcomes: Iterable[_Outcome]) -> CopyReport:
    ranked = sorted(outcomes, key=lambda outcome: outcome.hit.rank)
    return CopyReport(
        paths={one.hit.id: one.path for one in ranked if one.path is not None},
        present=sum(one.was_there for one in ranked),
        failures={one.hit.id: one.problem for one in ranked if one.path is None},
    )
