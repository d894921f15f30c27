"""Writes an index into a vector cache: its pictures, and what is beside them.

pictures, texts, parts ─► Store.scan_tables ─► HashSorter ─► PartWriter ─► summaries, the cache's own last

Documents are sorted by a hash of their ids, so that an index is the same bytes whichever store it is in.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from esclip._errors import ConfigError, IndexNotFound, StoreError, map_errors
from esclip._files.atomic import UNFINISHED
from esclip._protocols import Store
from esclip._transfer.options import FLOAT16, ExportOptions
from esclip._transfer.reports import ExportReport
from esclip.stores.vector_cache.errors import DISK_ERRORS
from esclip.stores.vector_cache.parts import (
    SUMMARY,
    UNFINISHED_SUMMARY,
    PartWriter,
    Summary,
    part_files,
    remove_files,
    unfinished_files,
    write_summary,
)
from esclip.stores.vector_cache.sorting import HashSorter

TEXTS, PARTS = "_texts", "_parts"
"""The folders of the indexes beside, in a cache."""

LEDGER = "_cache."
"""Begins the names of the files that keep the rejections of an encoding."""

Tell = Callable[[str, int], None]


def export(
    pictures: Store, beside: Mapping[str, Store], folder: Path, options: ExportOptions, tell: Tell
) -> ExportReport:
    """Write the documents of an index into a folder. `beside` has the indexes of texts and parts by folder.

    Raises `ConfigError` for a folder that holds something else, `StoreError` where it can't be written.
    """
    began, half = time.monotonic(), options["dtype"] == FLOAT16
    with map_errors(DISK_ERRORS, folder):
        folders = [folder, *(folder / name for name in (TEXTS, PARTS))]
        require_cache_folder(folder)
        if (folder / SUMMARY).exists():
            raise ConfigError(f"{folder} holds a vector cache already; give another folder, or remove it")
        for one in folders:
            _remove_leftovers(one)
        written: dict[str, Summary] = {}
        for name, store in beside.items():
            written[name] = _write(store, folder / name, name.strip("_"), tell, half=half)
            write_summary(folder / name, written[name])
        of_pictures = _write(pictures, folder, "pictures", tell, half=half)
        write_summary(folder, of_pictures)
    every = [part for summary in (of_pictures, *written.values()) for part in summary.parts]
    return ExportReport(
        documents=of_pictures.rows,
        texts=written[TEXTS].rows if TEXTS in written else 0,
        parts=written[PARTS].rows if PARTS in written else 0,
        files=len(every),
        bytes=sum(part.bytes for part in every),
        seconds=time.monotonic() - began,
        index=pictures.index,
        store=pictures.address,
        path=str(folder),
        digest=of_pictures.digest,
    )


def _write(store: Store, folder: Path, what: str, tell: Tell, *, half: bool) -> Summary:
    info = store.info()  # a server refreshes for it: what was written last is seen
    if info is None:
        raise IndexNotFound(f"index {store.index!r} in {store.address} is gone")
    folder.mkdir(parents=True, exist_ok=True)
    writer, rows = PartWriter(folder, info.schema, half=half), 0
    sorter = HashSorter(folder, info.documents, f"{UNFINISHED}{secrets.token_hex(8)}-")
    try:
        for table in store.scan_tables():
            sorter.add(table)
            rows += len(table)
            tell(what, rows)
        for table in sorter.tables():
            writer.write(table)
        summary = writer.finish()
        if summary.rows != rows:  # another export into this folder took these files for leftovers
            raise StoreError(
                f"the vector cache {folder}: files were removed from it while they were written; end what "
                "else writes there, and export again"
            )
        return summary
    finally:
        writer.close()
        sorter.close()


def require_cache_folder(folder: Path) -> None:
    """Raise `ConfigError` for a folder with anything but a vector cache in it, finished or not."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; give the folder for the vector cache, new or empty")
    named = {folder / name for name in (SUMMARY, UNFINISHED_SUMMARY, TEXTS, PARTS)}
    ours = {*named, *part_files(folder), *unfinished_files(folder)}
    names = sorted(path.name for path in folder.iterdir() if path not in ours)
    if others := [name for name in names if not name.startswith(LEDGER)]:
        raise ConfigError(
            f"{folder} is not empty: it holds {others[0]!r}; give a new folder, or an empty one"
        )


def _remove_leftovers(folder: Path) -> None:
    """Remove what an export has left that was killed."""
    if folder.is_dir():
        summaries = [folder / SUMMARY, folder / UNFINISHED_SUMMARY]
        remove_files([*part_files(folder), *unfinished_files(folder), *summaries])
