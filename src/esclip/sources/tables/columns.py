"""Which columns of a table, or keys of a JSON line, are what of a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esclip._files.buckets import BucketPath
from esclip._files.opening import AnyFile
from esclip.sources.memory.given_record import PICTURE_KEYS, TEXT_KEY
from esclip.sources.memory.pictures import names_file

URL_NAMES = ("url", "image_url", "img_url", "image", "path", "image_path", "file_name", "filename")
CAPTION = "caption"
CAPTION_NAMES = (CAPTION, "description", "text")
"""What columns are called by themselves, in any case; the first that a table has counts."""


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Names of columns; None: as they are usually called."""

    url: str | None = None
    """The pictures, by URL or path, or their bytes."""
    id: str | None = None
    captions: str | None = None
    """The descriptions."""

    def __bool__(self) -> bool:
        return bool(self.url or self.id)

    def rename(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record whose keys have these names, with those that `MemorySource` knows.

        One that is no text takes the usual names where none is given; beside a text, they are metadata.
        """
        url, id, captions = self.url, self.id, self.captions
        if TEXT_KEY not in record:
            named = url or any(key in record for key in PICTURE_KEYS)
            url = url if named else next((name for name in URL_NAMES if name in record), None)
            if "description" not in record and isinstance(record.get(CAPTION), str):
                captions = captions or CAPTION
        for name, key in ((url, url and picture_key(url)), (id, "id"), (captions, "description")):
            if name and key and name in record:
                record[key] = record.pop(name)
        return record


USUAL_COLUMNS = RecordColumns()


def picture_key(column: str) -> str:
    """What `MemorySource` knows the pictures' column by: URLs, or paths, URLs and bytes alike."""
    return "url" if "url" in column.casefold() else "image"


def below_folder(record: dict[str, Any], folder: AnyFile) -> dict[str, Any]:
    """The record, with a relative path of its picture made absolute.

    A table in a bucket names no file of this machine: all of its paths are names of objects.
    """
    if isinstance(folder, BucketPath):
        return _in_bucket(record, folder)
    for key in ("path", "image"):
        value = record.get(key)
        if isinstance(value, str) and value and names_file(value) and not value.startswith("~"):
            record[key] = str(folder / value)
    return record


def _in_bucket(record: dict[str, Any], folder: BucketPath) -> dict[str, Any]:
    for key in ("path", "image"):
        value = record.get(key)
        if isinstance(value, Mapping) and value.get("bytes") is None:
            value = value.get("path")
        if isinstance(value, str) and value and names_file(value):
            del record[key]
            record["image"] = str(folder / value)
    return record
