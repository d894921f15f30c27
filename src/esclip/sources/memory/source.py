"""Records in memory as a source: pictures, texts, mappings, rows of a table, given one by one.

    records ─► items ─► GivenRecord ─► its picture or text, id, metadata ─► ImageRecord | Rejection
                 └─► the first ones, or all of a list or a table ─► fields

An iterator is read once, and never held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from threading import Event
from typing import NamedTuple

from esclip._concurrency.streams import owned
from esclip._core.arguments import Records
from esclip._core.picture_color import COLOR
from esclip._core.picture_facts import PICTURE_FIELDS, SHOWN_FACTS
from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field, FieldType
from esclip._core.types import (
    MAX_ID_BYTES,
    MEMORY_SCHEME,
    ImageRecord,
    MetadataValue,
    content_fingerprint,
    file_id,
    text_id,
    text_record,
)
from esclip._errors import ConfigError, RecordError, SourceError, one_line, suggest
from esclip._errors.reasons import Reason
from esclip._protocols import Source
from esclip.sources.folder import FIELDS, file_record
from esclip.sources.memory.given_record import GivenRecord
from esclip.sources.memory.items import is_all_in_memory, open_items
from esclip.sources.memory.metadata import common_type, convert, infer_type
from esclip.sources.memory.pictures import held_bytes

HEAD_RECORDS = 1000
"""Records of an iterator that are read ahead for their fields."""

HEAD_BYTES = 64 << 20
"""No more are read ahead when their pictures take so much memory."""


class MemorySource(Source):
    """Records that a program has: pictures, paths, URLs, texts, mappings, rows of a table.

    A document's location is the record's `location`, else its `url`, else the picture's path or URL; a
    picture that is only in memory, and a text, has `memory:` and its id.
    """

    def __init__(
        self,
        records: Records,
        fields: Mapping[str, FieldType | str] | None = None,
        index_fields: Iterable[Field] = (),
        *,
        captioned: bool = False,
    ) -> None:
        """Read the fields of all records in memory, or of the first ones where an iteration reads them.

        Args:
            records: As in `ImageIndex.add`.
            fields: Types of fields, by name.
            index_fields: Fields of the index, whose types they keep.
            captioned: Descriptions are captions that an ingest was given.

        Raises:
            ConfigError: `records` or `fields` are of a type that isn't taken.
        """
        self._captioned = captioned
        self._items = open_items(records)
        self._is_iterator = isinstance(self._items, Iterator)
        self._head = [] if is_all_in_memory(self._items) else _read_ahead(self._items)
        self._exhausted = False
        given = _field_types(fields)
        types = {field.name: field.type for field in index_fields} | given
        rows = map(GivenRecord.of, count(1), self._head or self._items)
        found = _Found.of(rows, types)
        self._named = found.types.keys() | given.keys()
        """Fields that the records read ahead name, or that the caller does."""
        self._fields = {name: given[name] for name in given} | found.types_with_facts(types)
        self._facts_of_files = self._picture_fields(of_files=True)
        self._facts_of_others = self._picture_fields(of_files=False)

    @property
    def fields(self) -> Sequence[Field]:
        """The fields of the records that were read ahead, and those given."""
        return tuple(Field(name, kind) for name, kind in self._fields.items())

    def total(self) -> int | None:
        """The length of a list or a table."""
        return len(self._items) if isinstance(self._items, Sized) else None

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """Each record, in the order given. Raises `SourceError` for an iterator that was read before."""
        if self._exhausted:
            raise SourceError("the records are of an iterator, which can be read once")
        items: Iterable[object] = self._items
        if self._is_iterator:
            self._exhausted, items = True, chain(self._drain_head(), self._items)
        with owned(items) as given:
            for number, item in enumerate(given, start=1):
                yield self._record(GivenRecord.of(number, item))

    def _drain_head(self) -> Iterator[object]:
        """The items read ahead, each of which is then held no longer."""
        self._head.reverse()
        while self._head:
            yield self._head.pop()

    def _record(self, given: GivenRecord) -> ImageRecord | Rejection:
        if given.whole is not None:
            return given.whole
        try:
            return self._convert(given)
        except RecordError as error:
            reason, detail = error.reason, error.detail
        except (ConfigError, ValueError) as error:
            reason, detail = Reason.BAD_ROW, one_line(getattr(error, "message", str(error)))
        id = "" if reason is Reason.BAD_ID else _shown_id(given)
        return Rejection(id, given.shown_location(), Stage.READ, reason, f"{given.name}: {detail}")

    def _convert(self, given: GivenRecord) -> ImageRecord | Rejection:
        id, metadata = given.read_id(), self._metadata(given)
        location, page = given.read_text("location"), given.read_text("page") or None
        description = given.read_text("description")
        if given.is_text:
            text = given.read_document_text()
            return text_record(text, id=id, location=location, page=page, metadata=metadata)
        picture = given.read_picture()
        location = location or given.read_text("url")
        if isinstance(picture, Path):
            record = file_record(picture)
            if isinstance(record, Rejection):
                detail = "it is a folder, which is for an ingest" if picture.is_dir() else record.detail
                return replace(record, id=id or record.id, detail=f"{given.name}: {detail}")
            metadata = {**record.metadata, **metadata}
            id, location, version = id or record.id, location or record.location, record.image_version
        else:
            version = content_fingerprint(picture) if isinstance(picture, bytes) else picture
            id = id or (version if isinstance(picture, bytes) else text_id(picture))
            location = location or (f"{MEMORY_SCHEME}{id}" if isinstance(picture, bytes) else picture)
        is_captioned = self._captioned or (
            isinstance(picture, Path) and id == file_id(picture) and "description" in given.values
        )
        return ImageRecord(
            id=id,
            location=location,
            picture=picture,
            image_version=version,
            page=page,
            description=description,
            metadata=metadata,
            picture_fields=self._facts_of_files if isinstance(picture, Path) else self._facts_of_others,
            captioned=bool(description) if is_captioned else None,
        )

    def _picture_fields(self, *, of_files: bool) -> tuple[str, ...]:
        """The facts of a picture: of a file all, of others size and colour where the records name none."""
        return tuple(
            field.name
            for field in PICTURE_FIELDS
            if self._fields.get(field.name) is field.type
            and (of_files or (field.name in SHOWN_FACTS and field.name not in self._named))
            and not (field.name == COLOR and COLOR in self._named)  # "navy" is no colour of the same kind
        )

    def _metadata(self, given: GivenRecord) -> dict[str, MetadataValue]:
        metadata: dict[str, MetadataValue] = {}
        for name, value in given.metadata():
            if name not in self._fields:
                raise ValueError(
                    f"field {one_line(name, 80)} has no type: none of the records read ahead has it, and "
                    "fields doesn't name it"
                    if infer_type(value)
                    else f"field {one_line(name, 80)} has a value of type {type(value).__name__}"
                )
            try:
                metadata[name] = convert(value, self._fields[name])
            except ValueError as error:
                raise ValueError(f"field {name} {error}") from None
        return metadata


def _shown_id(given: GivenRecord) -> str:
    try:
        return given.read_id()[:MAX_ID_BYTES]
    except RecordError:
        return ""


def _read_ahead(items: Iterable[object]) -> list[object]:
    """The first items: 1,000 at most, and not more than memory should hold."""
    head: list[object] = []
    held = 0
    iterator = iter(items)
    while len(head) < HEAD_RECORDS and held < HEAD_BYTES:
        try:
            item = next(iterator)
        except StopIteration:
            break
        head.append(item)
        pictures = item.values() if isinstance(item, Mapping) else [item]
        held += sum(map(held_bytes, pictures))
    return head


class _Found(NamedTuple):
    """What the records read ahead are made of."""

    types: dict[str, FieldType]
    """Of the fields that they name."""
    has_files: bool
    facts: frozenset[str]
    """Names of facts that are read from their pictures."""

    @classmethod
    def of(cls, rows: Iterable[GivenRecord], fixed_types: Mapping[str, FieldType]) -> _Found:
        """Look at these records; those of `fixed_types` keep their types."""
        types: dict[str, FieldType] = {}
        has_files = False
        facts: set[str] = set()
        for row in rows:
            has_files = has_files or row.may_be_file()
            if isinstance(row.whole, ImageRecord):
                facts.update(row.whole.picture_fields)
            elif row.picture_key():
                facts.update(SHOWN_FACTS)
            for name, value in row.metadata():
                if (kind := infer_type(value)) is not None:
                    types[name] = fixed_types.get(name) or common_type(types.get(name), kind)
        return cls(types, has_files, frozenset(facts))

    def types_with_facts(self, fixed_types: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """The types of all fields: also of those that files have, and of what pictures say of themselves."""
        types = dict(self.types)
        for field in FIELDS:
            if not self.has_files and field.name not in self.facts:
                continue
            if field in PICTURE_FIELDS:  # where these are named otherwise, they are not read from the picture
                types.setdefault(field.name, fixed_types.get(field.name, field.type))
            else:
                types[field.name] = field.type
        return types


def _field_types(fields: Mapping[str, FieldType | str] | None) -> dict[str, FieldType]:
    if fields is not None and not isinstance(fields, Mapping):
        raise ConfigError("fields takes types by the names of fields, as a dictionary")
    types: dict[str, FieldType] = {}
    for name, kind in (fields or {}).items():
        try:
            types[name] = FieldType(kind)
        except ValueError:
            near = suggest(str(kind), [one.value for one in FieldType])
            raise ConfigError(
                f"fields: {name} can't be {one_line(str(kind), 80)!r}; it may be {near}"
            ) from None
    return types
