"""Where pictures and texts come from: Unsplash datasets, folders, image files, tables, archives, buckets,
manifests.

paths ─► open_source ─► the first of `SOURCE_TYPES` that matches ─► ChainedSource ─► with captions
                          ├─► UnsplashSource      a folder with a photos table
                          ├─► ManifestSource      a folder of records that were read before
                          ├─► RecordsFileSource   a file of JSON lines
                          ├─► TableSource         a table in a file: URLs, separated values, Parquet
                          ├─► ArchiveSource       a tar or zip
                          ├─► VideoSource         a film: its frames
                          ├─► FolderSource        any other folder, or a file
                          └─► BucketSource        the address of a prefix, or of a picture in a bucket

Tables, archives and videos are read from buckets as well: `AnyFile` is a path, or the address of an object.

What a program has in memory is a `MemorySource` (`memory/`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.schema import Field
from esclip._errors import ConfigError, SourceError
from esclip._files.buckets import BucketPath, is_bucket_address
from esclip._files.locations import AnyCaptions, user_path
from esclip._files.opening import AnyFile
from esclip._protocols import Source
from esclip.sources.archive import ArchiveSource, is_archive_file
from esclip.sources.bucket import BucketSource, is_gone_from_bucket
from esclip.sources.captions import SIDECAR, CaptionedSource, resolve_captions
from esclip.sources.chain import ChainedSource
from esclip.sources.color_conflict import without_conflict
from esclip.sources.exclusions import Exclusions
from esclip.sources.folder import FolderSource, is_empty
from esclip.sources.manifest import ManifestSource, is_manifest
from esclip.sources.slices import Slice, SlicedSource
from esclip.sources.tables.columns import USUAL_COLUMNS, RecordColumns
from esclip.sources.tables.json_lines import RecordsFileSource, is_records_file
from esclip.sources.tables.source import TableSource, is_table
from esclip.sources.unsplash.fields import preview_url
from esclip.sources.unsplash.source import UnsplashSource, is_dataset
from esclip.sources.video import VideoSource, is_video_file

__all__ = ["PICTURE_FIELDS", "FolderSource", "UnsplashSource", "is_gone", "open_source", "preview_url"]


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Options for opening a source."""

    images: Path | None
    """A folder that holds a dataset's pictures as `<photo_id>.jpg`."""
    limit: int | None
    """The maximum number of records, for a source that can save work by it."""
    columns: RecordColumns = USUAL_COLUMNS
    """Columns of a table; that of captions may be a dataset's."""
    index_fields: Sequence[Field] = ()
    """The fields of the index, for a source that finds out the types of its own."""
    texts: bool = False
    """Text files of a folder are records as well."""
    gone: bool = False
    """The path may be missing or without pictures: then it gives no records."""
    exclude: Exclusions = field(default_factory=Exclusions)
    """Names to leave out in folders and archives."""
    frame_interval: float | None = None
    """Seconds between frames of a video; None: its key frames."""
    slice: Slice | None = None
    """Which parts of a manifest; None: all."""


@dataclass(frozen=True, slots=True)
class SourceType:
    """How paths of one kind are recognized, and opened."""

    matches: Callable[[Any], bool]
    """Of a path; where it is in buckets, too, also of an address."""
    open: Callable[[Any, SourceOptions], Source]
    is_dataset: bool = False
    """Whether `SourceOptions.images` is of use."""
    has_columns: bool = False
    """Whether `SourceOptions.columns` are of use."""
    has_frames: bool = False
    """Whether `SourceOptions.frame_interval` is of use."""
    has_names: bool = False
    """Whether `SourceOptions.exclude` is of use."""
    in_buckets: bool = True


def _open_dataset(path: Path, options: SourceOptions) -> Source:
    source = UnsplashSource(
        path, images=options.images, limit=options.limit, captions=options.columns.captions
    )
    return without_conflict(source, options.index_fields)


def _open_manifest(path: Path, options: SourceOptions) -> Source:
    return without_conflict(ManifestSource(path, options.slice), options.index_fields)


def _open_records_file(path: AnyFile, options: SourceOptions) -> Source:
    return RecordsFileSource(path, options.index_fields, options.columns)


def _open_table(path: AnyFile, options: SourceOptions) -> Source:
    return without_conflict(TableSource(path, options.columns, options.index_fields), options.index_fields)


def _open_archive(path: AnyFile, options: SourceOptions) -> Source:
    source = ArchiveSource(path, exclude=options.exclude, index_fields=options.index_fields)
    return without_conflict(source, options.index_fields)


def _open_video(path: AnyFile, options: SourceOptions) -> Source:
    return without_conflict(VideoSource(path, options.frame_interval), options.index_fields)


def _open_folder(path: AnyFile, options: SourceOptions) -> Source:
    source: Source
    if isinstance(path, BucketPath):
        source = BucketSource(path, gone=options.gone, exclude=options.exclude)
    else:
        source = FolderSource(path, gone=options.gone, texts=options.texts, exclude=options.exclude)
    return without_conflict(source, options.index_fields)


_MANIFEST = SourceType(is_manifest, _open_manifest, in_buckets=False)

_FOLDER = SourceType(lambda path: True, _open_folder, has_names=True)

SOURCE_TYPES: Sequence[SourceType] = (
    _MANIFEST,
    SourceType(is_dataset, _open_dataset, is_dataset=True, has_columns=True, in_buckets=False),
    SourceType(is_records_file, _open_records_file, has_columns=True),
    SourceType(is_table, _open_table, has_columns=True),
    SourceType(is_archive_file, _open_archive, has_names=True),
    SourceType(is_video_file, _open_video, has_frames=True),
    _FOLDER,
)
"""The first that matches opens a path. A new source is a file beside this one, and a row here."""


def open_source(
    paths: Sequence[str | Path | Source],
    *,
    images: Path | None = None,
    limit: int | None = None,
    captions: AnyCaptions | None = None,
    texts: bool = False,
    exclude: Sequence[str] = (),
    url_column: str | None = None,
    id_column: str | None = None,
    frame_interval: float | None = None,
    slice: str | None = None,
    known: Sequence[Field] = (),
    gone: Collection[str | Path] = (),
) -> Source:
    """Open the source that reads some paths, one after the other.

    Args:
        paths: Unsplash dataset folders, folders of images, image files, archives, tables of pictures, files
            of JSON lines, manifests, or addresses of buckets (`s3://`); sources stay as they are.
        images: Folder with a dataset's pictures as `<photo_id>.jpg`.
        limit: Read this many records only.
        captions: `sidecar`, a JSON file, a dictionary of texts by path relative to the current folder, or a
            column of a dataset's photos or of a table; "": take away those that the index holds; None: leave
            them.
        texts: Take the text files of folders as well, each as a document.
        exclude: Patterns of names to leave out in folders and archives, as in a `.gitignore`.
        url_column: A table's column that has the pictures.
        id_column: A table's column that has the ids.
        frame_interval: Take a frame of a video every so many seconds; None: its key frames.
        slice: One of several parts of the records, as `3/16`; of the first `limit`, where that is given. Of
            a manifest alone it is whole files: no other is read.
        known: The fields of the index.
        gone: Those of `paths` that give no records.

    Raises:
        SourceError: There is nothing to read.
        ConfigError: An option fits none of the paths, or text files would be both captions and documents.
    """
    if not paths:
        raise SourceError(
            "no path given: name an Unsplash dataset folder, a folder of images, or image files"
        )
    if images is not None and not images.is_dir():
        raise ConfigError(f"images: {images} is no folder; name the one that holds the dataset's pictures")
    if texts and captions == SIDECAR:
        raise ConfigError(
            f"captions: {SIDECAR} takes text files as captions of the pictures beside them, and texts takes "
            "them as documents of their own; leave one of both out"
        )
    wanted = None if slice is None else Slice.parse(slice)
    resolved = resolve_captions(captions)
    column = resolved if isinstance(resolved, str) else None
    columns = RecordColumns(url_column, id_column, column)
    by_files = limit is None and captions is None and [is_manifest_path(path) for path in paths] == [True]
    options = SourceOptions(
        images,
        limit,
        columns,
        known,
        texts,
        exclude=Exclusions(exclude),
        frame_interval=frame_interval,
        slice=wanted if by_files else None,
    )
    sources = _open_all(paths, options, gone)
    source = sources[0] if len(sources) == 1 and limit is None else ChainedSource(sources, limit)
    if resolved is not None and not isinstance(resolved, str):
        source = CaptionedSource(source, resolved, complete=limit is None)
    return source if wanted is None or by_files else SlicedSource(source, wanted)


def is_gone(path: str | Path, *, texts: bool = False) -> bool:
    """Whether a path gives no records: it isn't there, or is a folder without dataset and pictures.

    With `texts`, text files are records, too. Raises `SourceError` for a bucket that can't be asked.
    """
    if is_bucket_address(path):
        return is_gone_from_bucket(BucketPath.of_user(str(path), "path"))
    named = user_path(path, "path")
    return _type_of(named) is _FOLDER and is_empty(named, texts=texts)


def is_manifest_path(path: str | Path | Source) -> bool:
    """Whether this is the path of a manifest."""
    if isinstance(path, Source) or is_bucket_address(path):
        return False
    return is_manifest(user_path(path, "path"))


def allowed_buckets(paths: Sequence[str | Path | Source]) -> list[str]:
    """The buckets that these paths are in, as allowed hosts name them: who names one has it read."""
    return [
        str(BucketPath.of_user(path, "path").root)
        for path in paths
        if isinstance(path, str) and is_bucket_address(path)
    ]


def _open_all(
    paths: Sequence[str | Path | Source], options: SourceOptions, gone: Collection[str | Path]
) -> list[Source]:
    """A source for each path, whose fields are of one type. Raises `ConfigError` for useless options."""
    sources: list[Source] = []
    types: set[SourceType] = set()
    for path in paths:
        if isinstance(path, Source):
            sources.append(path)
            continue
        type, source = _open(path, replace(options, gone=path in gone))
        sources.append(source)
        types.add(type)
        options = replace(options, index_fields=(*source.fields, *options.index_fields))
    _refuse_useless_options(options, types)
    return sources


def _open(path: str | Path, options: SourceOptions) -> tuple[SourceType, Source]:
    """The source that reads a path, and the type whose options it takes."""
    file: AnyFile
    if is_bucket_address(path):
        if options.texts:
            raise ConfigError("texts: text files are read from folders, not from buckets")
        file = BucketPath.of_user(str(path), "path")
    else:
        file = user_path(path, "path")
    type = _type_of(file, options.columns)
    return type, type.open(file, options)


def _type_of(path: AnyFile, columns: RecordColumns = USUAL_COLUMNS) -> SourceType:
    """The type of a path; a table whose columns are named is no dataset, whatever it is called."""
    if isinstance(path, BucketPath):
        return next(type for type in SOURCE_TYPES if type.in_buckets and type.matches(path))
    return next(
        type
        for type in SOURCE_TYPES
        if not (type.is_dataset and columns and path.is_file()) and type.matches(path)
    )


def _refuse_useless_options(options: SourceOptions, types: Collection[SourceType]) -> None:
    if options.exclude and not any(type.has_names for type in types):
        raise ConfigError("exclude: it is of use with folders and archives only, and none is given")
    if options.frame_interval is not None and not any(type.has_frames for type in types):
        raise ConfigError("frame_interval: it is of use with videos only, and none is given")
    if options.images is not None and not any(type.is_dataset for type in types):
        raise ConfigError(
            f"images: {options.images} is of use with an Unsplash dataset only, and none is given"
        )
    if any(type.has_columns for type in types):
        return
    if options.columns:
        name = "url_column" if options.columns.url else "id_column"
        raise ConfigError(
            f"{name}: it is of use with tables only (.csv, .tsv, .parquet, .jsonl), and none is given"
        )
    if options.columns.captions is not None:
        raise ConfigError(
            f"captions: {options.columns.captions} would be a column of an Unsplash dataset or of a table, "
            f"and none is given; give a .json file, or {SIDECAR}"
        )
