"""Writes a manifest: what a source gives, in files that machines share.

Source.records() ─► of equal ids the first ─► 10,000 at a time ─► part-00000.jsonl.zst ─► manifest.json, last

Nothing is fetched or encoded, and no store is asked.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Unpack

from esclip._concurrency.streams import owned
from esclip._core.arguments import AnyPath, coerce_path
from esclip._core.markup import render_table
from esclip._core.options import resolve
from esclip._core.other_names import check_names
from esclip._core.rejections import Rejection
from esclip._errors import ConfigError, SourceError, StoreError, error_text, map_errors
from esclip._errors.counts import pluralize
from esclip._errors.escaping import escape
from esclip._files.atomic import UNFINISHED, write_atomically
from esclip._files.locations import user_path
from esclip._ingest.given_paths import paths_and_sources
from esclip._ingest.options import ManifestOptions, read_options
from esclip._ingest.pruning import SeenRecords
from esclip._protocols import Source
from esclip.sources import open_source
from esclip.sources.manifest import (
    MAX_PARTS,
    PART_NAME,
    SUMMARY,
    Manifest,
    ManifestPart,
    dump_line,
    pack_part,
)

_DISK_ERRORS = ((OSError, lambda error, folder: StoreError(f"the manifest {folder}: {error_text(error)}")),)


@dataclass(frozen=True, slots=True, repr=False)
class ManifestReport:
    """What a manifest has."""

    records: int
    """With rows that could not be read: an ingest of the manifest rejects them, as one of the source does."""
    unreadable: int
    """Such rows."""
    repeated: int
    """Records that were left out, because another one before has the same id."""
    files: int
    bytes: int
    """Of all files but the summary."""
    seconds: float
    path: str
    """The folder."""
    passed_over: dict[str, int] = field(default_factory=dict)
    """As in the report of an ingest."""

    def __repr__(self) -> str:
        return (
            f"<ManifestReport: {pluralize(self.records, 'record')} in {pluralize(self.files, 'file')} "
            f"in {escape(self.path)}>"
        )

    def _repr_html_(self) -> str:
        return render_table(self.to_json().items())

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        values = {name: getattr(self, name) for name in ManifestReport.__dataclass_fields__}
        return values | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True)
class CutPart:
    """Some records of a source, as a part of a manifest."""

    data: bytes
    records: int
    unreadable: int


class Cutter:
    """Cuts the records of a source into parts."""

    def __init__(self, source: Source, cancelled: Event) -> None:
        self._source = source
        self._cancelled = cancelled
        self.seen = SeenRecords()
        self.repeated = 0

    def parts(self, records: int) -> Iterator[CutPart]:
        """Parts of so many records; of records with one id the first alone.

        Raises `SourceError` where the source can't be read, or gives pictures that can't be read again.
        """
        with owned(self._source.records(self._cancelled)) as items:
            lines = self._lines(items)
            while some := list(islice(lines, records)):
                unreadable = sum(is_unreadable for _, is_unreadable in some)
                yield CutPart(pack_part([line for line, _ in some]), len(some), unreadable)

    def _lines(self, items: Iterable[Any]) -> Iterator[tuple[str, bool]]:
        for item in items:
            if isinstance(item, Rejection):
                self.seen.mark_unreadable(item)
            elif not self.seen.mark(item.id):
                self.repeated += 1
                continue
            yield dump_line(item), isinstance(item, Rejection)


@check_names()
def write_manifest(
    *paths: AnyPath | Source | Iterable[AnyPath | Source],
    out: AnyPath,
    **options: Unpack[ManifestOptions],
) -> ManifestReport:
    """Write down what `paths` give, in files that machines share: each ingests some of them.

    An ingest of the folder, or of a slice of it (`slice="3/16"`), needs no other list of the pictures: only
    where they are, on disk or on the web, has to be the same on all machines. Nothing is fetched or encoded.

    Args:
        paths: As in `ImageIndex.ingest`.
        out: The folder for the manifest: new, empty, or with what a run has left that was ended.
        records: Records in a file. Default: 10,000.
        images: As in `ImageIndex.ingest`; so are all that follow.
        limit: Write this many records only.
        texts: Take the text files of folders as well.
        exclude: Names to leave out in folders and archives.
        captions: Descriptions.
        url_column: A table's column with the pictures.
        id_column: A table's column with ids.
        frame_interval: Seconds between the frames of a video that are taken.

    Returns:
        Counts of what was written.

    Raises:
        SourceError: A path can't be read, or gives pictures' bytes alone, which can't be read again.
        ConfigError: The folder holds something else, or an argument can't be used.
        StoreError: The folder can't be written.

    Example:
        esclip.write_manifest("photos", out="manifest", records=1000)
        with esclip.open_index("photos.lance", encoder="palette") as index:
            index.ingest("manifest", slice="1/2")
            index.ingest("manifest", slice="2/2")
    """
    began, resolved = time.monotonic(), resolve(ManifestOptions, options)
    folder = user_path(coerce_path("out", out), "out").absolute()
    source = open_source(paths_and_sources(paths), limit=resolved["limit"], **read_options(resolved))
    with map_errors(_DISK_ERRORS, folder):
        _prepare(folder)
        cutter, parts, size, unreadable = Cutter(source, Event()), list[ManifestPart](), 0, 0
        for part in cutter.parts(resolved["records"]):
            if len(parts) == MAX_PARTS:
                raise SourceError(f"a manifest has {MAX_PARTS:,} files at most; give more records to each")
            name = f"part-{len(parts):05}.jsonl.zst"
            write_atomically(folder / name, part.data)
            parts.append(ManifestPart(name, part.records, hashlib.sha256(part.data).hexdigest()))
            size, unreadable = size + len(part.data), unreadable + part.unreadable
        manifest = Manifest(tuple(source.fields), tuple(parts), dict(source.passed_over()))
        write_atomically(folder / SUMMARY, manifest.dump())
    return ManifestReport(
        records=manifest.records,
        unreadable=unreadable,
        repeated=cutter.repeated,
        files=len(parts),
        bytes=size,
        seconds=time.monotonic() - began,
        path=str(folder),
        passed_over=dict(manifest.passed_over),
    )


def _prepare(folder: Path) -> None:
    """Make the folder, and remove what a run has left that was ended. Raises `ConfigError` for others."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; give the folder for the manifest, new or empty")
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / SUMMARY).exists():
        raise ConfigError(f"{folder} holds a manifest already; give another folder, or remove it")
    left = list(folder.iterdir())
    ours = [path for path in left if PART_NAME.fullmatch(path.name) or path.name.startswith(UNFINISHED)]
    if others := sorted(path.name for path in left if path not in ours):
        raise ConfigError(
            f"{folder} is not empty: it holds {others[0]!r:.80}; give a new folder, or an empty one"
        )
    for path in ours:
        path.unlink()
