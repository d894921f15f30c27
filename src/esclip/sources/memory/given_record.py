"""A record as a program gives it: a mapping, a row of a table, a picture or a text alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from esclip._core.arguments import coerce_path
from esclip._core.rejections import Rejection
from esclip._core.text_forms import is_unicode
from esclip._core.types import MAX_TEXT_BYTES, ImageRecord, TextRecord, id_problem
from esclip._errors import RecordError, one_line
from esclip._errors.reasons import Reason
from esclip.sources.memory.metadata import is_missing, plain_value
from esclip.sources.memory.pictures import names_file, resolve_file, resolve_picture

PICTURE_KEYS = ("image", "path", "url")
"""What a mapping's picture may be named by; the first that it has counts."""

RECORD_KEYS = (*PICTURE_KEYS, "id", "location", "page", "description")
"""The keys of a mapping that are no metadata."""

TEXT_KEY = "text"
"""What a mapping without a picture has its text by; beside a picture it is metadata as any other."""

MAX_LOCATION = 500
"""Characters of a location that a rejection shows."""


class GivenRecord(NamedTuple):
    """An item as it was given: a mapping, or a picture or a text alone."""

    number: int
    values: Mapping[str, object]
    whole: ImageRecord | Rejection | None = None
    """The item, where it is a record, or says why it is none."""
    problem: str = ""

    @classmethod
    def of(cls, number: int, item: object) -> GivenRecord:
        """The item with this number, from 1."""
        if isinstance(item, ImageRecord | Rejection):
            return cls(number, {}, item)
        if isinstance(item, TextRecord):
            return cls._of_text(number, item)
        if not isinstance(item, Mapping):
            return cls(number, {"image": item})
        for key in item:
            if not isinstance(key, str):
                return cls(number, {}, problem=f"a key is of type {type(key).__name__}; keys are texts")
        return cls(number, item)

    @classmethod
    def _of_text(cls, number: int, record: TextRecord) -> GivenRecord:
        """A text's record as a mapping."""
        metadata: object = record.metadata
        if not isinstance(metadata, Mapping):
            return cls(number, {}, problem=f"its metadata is of type {type(metadata).__name__}")
        if taken := [name for name in (*RECORD_KEYS, TEXT_KEY) if name in metadata]:
            return cls(number, {}, problem=f"its metadata has {taken[0]!r}, which is of the record itself")
        own = {"id": record.id, "location": record.location, "page": record.page, TEXT_KEY: record.text}
        return cls.of(number, {**metadata, **own})

    @property
    def name(self) -> str:
        """The record in a message."""
        return f"record {self.number}"

    def metadata(self) -> Iterator[tuple[str, object]]:
        """Names and plain values of the metadata, without missing ones."""
        if isinstance(self.whole, ImageRecord):
            yield from self.whole.metadata.items()
        for name, value in self.values.items():
            is_own = name in RECORD_KEYS or (name == TEXT_KEY and self.is_text)
            if not is_own and (plain := plain_value(value)) is not None:
                yield name, plain

    def picture_key(self) -> str | None:
        """By which key it has its picture; None where it has none."""
        for key in PICTURE_KEYS:
            if (value := self.values.get(key)) is not None and not is_missing(value):
                return key
        return None

    @property
    def is_text(self) -> bool:
        """Whether it is a text document."""
        return TEXT_KEY in self.values and self.picture_key() is None

    def may_be_file(self) -> bool:
        """Whether its picture is read from a file."""
        if self.whole is not None:
            return False  # its metadata is its own
        key = self.picture_key()
        return key is not None and (key == "path" or names_file(self.values[key]))

    def read_picture(self) -> str | Path | bytes:
        """The picture's URL, path or bytes. Raises `RecordError`, `ConfigError`, `ValueError`."""
        if self.problem:
            raise ValueError(self.problem)
        key = self.picture_key()
        if key is None:
            names = ", ".join(one_line(name, 40) for name in [*self.values][:8]) or "nothing"
            raise ValueError(f"it has no picture as {' or '.join(PICTURE_KEYS)}, and no text, but {names}")
        value = self.values[key]
        if key == "path" and isinstance(value, str | os.PathLike):
            return resolve_file(coerce_path("its path", value))
        if key == "url" and isinstance(value, str) and ":" not in value:
            raise RecordError(Reason.BAD_URL, f"url is {one_line(value, 80)!r}, which has no https://")
        picture = resolve_picture(value)
        if isinstance(picture, str) and not is_unicode(picture):
            raise RecordError(Reason.BAD_URL, "the URL is not valid Unicode")
        return picture

    def read_id(self) -> str:
        """The id; empty where it is to be made of the picture. Raises `RecordError`."""
        value = plain_value(self.values.get("id"))
        if value is None and not is_missing(self.values.get("id")):
            raise RecordError(Reason.BAD_ID, "its id is empty")
        if value is None:
            return ""
        id = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(id, str):
            raise RecordError(Reason.BAD_ID, f"its id is of type {type(value).__name__}; it takes a text")
        if problem := id_problem(id):
            raise RecordError(Reason.BAD_ID, f"its id {problem}")
        return id

    def read_text(self, name: str) -> str:
        """A text of the record; empty where it has none. Raises `ValueError`."""
        value = self.values.get(name)
        if value is None or is_missing(value):
            return ""
        if not isinstance(value, str):
            raise ValueError(f"its {name} is of type {type(value).__name__}; it takes a text")
        if not is_unicode(value):
            raise ValueError(f"its {name} is not valid Unicode: it has half of a surrogate pair")
        return "" if name == "url" and value[:5].lower() == "data:" else str(value).strip()

    def read_document_text(self) -> str:
        """The text of a text document. Raises `RecordError` and `ValueError`."""
        if self.read_text("description"):
            raise ValueError("it has a description beside its text, which describes itself: leave one out")
        text = self.read_text(TEXT_KEY)
        if not text:
            raise ValueError("its text is empty")
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise RecordError(Reason.TOO_LARGE, f"its text is longer than {MAX_TEXT_BYTES:,} bytes")
        return text

    def shown_location(self) -> str:
        """What a rejection names: where the picture is, as it was given."""
        for key in ("location", "url", "path", "image"):
            value = self.values.get(key)
            text = str(value) if isinstance(value, str | os.PathLike) else ""
            if text.strip() and text[:5].lower() != "data:":
                return one_line(text.encode("utf-8", "backslashreplace").decode(), MAX_LOCATION)
        return self.name
