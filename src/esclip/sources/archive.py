"""Pictures in tar and zip archives, also shards of WebDataset: with the text and JSON of the same key.

    shard.tar ─► members ─► samples by key ─► a record for each picture ─► ImageRecord | Rejection
                   000.jpg 000.txt 000.json      └─ description: 000.txt, else "caption" of 000.json
                   └ key: up to the first dot       metadata: the other values of 000.json

A picture's location, and id, is the archive, a `#` and the member's name: by that it is read again where it
stands. Of an archive in a bucket the records have the pictures' bytes, so that it is read once, from its
beginning to its end. In a tar the members of a key stand together; a key that comes again later is rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Event

import orjson

from esclip._concurrency.streams import owned
from esclip._core.analysis import FOLDERS
from esclip._core.picture_facts import PICTURE_FIELDS
from esclip._core.rejections import Rejection, Stage
from esclip._core.schema import Field, FieldType
from esclip._core.settings import MAX_PICTURE_BYTES, PAGE_BYTES
from esclip._core.types import (
    ImageRecord,
    Metadata,
    MetadataValue,
    content_fingerprint,
    id_problem,
    text_id,
)
from esclip._errors import SourceError, error_text
from esclip._errors.reasons import Reason
from esclip._files.archives import (
    MEMBER_MARK,
    PACKED_TARS,
    ZIP,
    Archive,
    Member,
    is_archive,
    member_path,
    open_archive,
    stamp,
)
from esclip._files.buckets import BucketPath
from esclip._files.opening import PIECE, AnyFile, absolute, is_file, open_file
from esclip._files.paths import path_text
from esclip._files.text import NotText, TextDecoder
from esclip._images.formats import LINKED_FILES, skipped_kind
from esclip._protocols import Source
from esclip.sources.exclusions import EXCLUDED, Exclusions
from esclip.sources.folder import FIELDS, folder_paths
from esclip.sources.left_out import LeftOut
from esclip.sources.memory.metadata import can_be_field, common_type, convert, infer_type, plain_value

TEXT, JSON = "txt", "json"
CAPTION = "caption"
"""The value of a sample's JSON that describes its picture where there is no text."""

MAX_TEXT_BYTES = 1 << 20
"""Of a sample's text or JSON; a longer one is left out."""
MAX_MEMBERS = 1000
"""Of a sample in a tar; those beyond are another sample."""
HEAD_SAMPLES = 200
"""Samples that are read ahead for the fields of their JSON."""

TWICE = "the archive has two files of this name"

OWN_FIELDS = {one.name for one in FIELDS} - {one.name for one in PICTURE_FIELDS}


def is_archive_file(path: AnyFile) -> bool:
    """Whether a path is an archive, by its name."""
    return (is_archive(path) or path.name.lower().endswith(PACKED_TARS)) and is_file(path)


class ArchiveSource(Source):
    """The pictures of a tar or a zip. An archive that is damaged gives what comes before, and a rejection."""

    def __init__(
        self, path: str | AnyFile, *, exclude: Exclusions | None = None, index_fields: Sequence[Field] = ()
    ) -> None:
        """Read the first samples for their fields; those of the index keep their types.

        Raises `SourceError` where there is no file, and for a tar that is packed.
        """
        self._path = absolute(path)
        self._exclude = exclude or Exclusions()
        self._passed: Counter[str] = Counter()
        if self._path.name.lower().endswith(PACKED_TARS):
            problem = "is packed, so that no picture can be read from its middle; unpack it to a .tar"
            raise SourceError(f"{path_text(self._path)} {problem}")
        try:
            open_file(self._path, PIECE).close()
        except OSError as error:
            raise SourceError(f"{path_text(self._path)} can't be read: {error_text(error)}") from error
        self._is_zip = self._path.suffix.lower() == ZIP
        self._types = self._find_types({one.name: one.type for one in index_fields})
        self._facts = tuple(
            one.name for one in PICTURE_FIELDS if self._types.get(one.name, one.type) is one.type
        )

    @property
    def fields(self) -> Sequence[Field]:
        """Those of files, and those of the first samples' JSON."""
        own = [one for one in FIELDS if one.name not in self._types]
        return (*own, *(Field(name, kind) for name, kind in self._types.items()))

    def records(self, cancelled: Event) -> Iterator[ImageRecord | Rejection]:
        """A record for each picture, as the archive has them."""
        self._passed, left_out = Counter(), LeftOut()
        is_held = isinstance(self._path, BucketPath)
        has_own = self._is_zip or is_held
        version = "" if has_own else "".join(f"{number}-" for number in stamp(self._path))
        with owned(self._samples(self._passed, holding=is_held)) as samples:
            for sample in samples:
                if isinstance(sample, Rejection):
                    yield sample
                else:
                    yield from self._records_of(sample, version, left_out)
        left_out.warn(self._path)

    def covers(self, location: str) -> bool:
        """The members, without those that are excluded."""
        begin = f"{path_text(self._path)}{MEMBER_MARK}"
        return location.startswith(begin) and not self._exclude.has(location[len(begin) :])

    def passed_over(self) -> Mapping[str, int]:
        """Members that are no pictures, nor texts or JSON of one, and excluded ones."""
        return self._passed

    def _find_types(self, index_types: Mapping[str, FieldType]) -> dict[str, FieldType]:
        types: dict[str, FieldType] = {}
        with owned(self._samples(Counter())) as samples:
            for sample in islice(samples, HEAD_SAMPLES):
                values = {} if isinstance(sample, Rejection) else sample.values
                for name, value in values.items():
                    if name != CAPTION and (kind := infer_type(value)) is not None:
                        types[name] = index_types.get(name) or common_type(types.get(name), kind)
        return types

    def _samples(self, passed: Counter[str], *, holding: bool = False) -> Iterator[_Sample | Rejection]:
        """The samples, as the archive has them; at the end a rejection of one that is damaged.

        With `holding`, they hold their pictures.
        """
        try:
            with open_archive(self._path) as archive:
                members = self._wanted(archive, passed)
                find = self._by_directory if self._is_zip else self._in_order
                yield from find(archive, members, holding=holding)
        except OSError as error:
            yield _rejected(self._path, Reason.UNREADABLE_FILE, error_text(error))

    def _wanted(self, archive: Archive, passed: Counter[str]) -> Iterator[Member]:
        """The pictures, texts and JSON among the members; the others are counted."""
        for member in archive.members():
            kind = skipped_kind(member.name)
            if member.name.rpartition("/")[2].startswith("."):
                continue
            if self._exclude.has(member.name):
                passed[EXCLUDED] += 1
            elif not member.is_regular:
                if kind is None:
                    passed[LINKED_FILES] += 1
            elif kind is None or _extension(member.name) in (TEXT, JSON):
                yield member
            elif kind:
                passed[kind] += 1

    def _in_order(
        self, archive: Archive, members: Iterable[Member], *, holding: bool
    ) -> Iterator[_Sample | Rejection]:
        """Samples whose members follow each other; of a key that comes again a rejection for each picture."""
        sample, over = _Sample("", holding), set[int]()
        try:
            for member in members:
                key = _key(member.name)
                if key != sample.key or sample.is_full:
                    yield sample
                    if key != sample.key:
                        over.add(hash(sample.key))
                    sample = _Sample(key, holding)
                if hash(key) in over:
                    yield from self._reject_picture(
                        member, Reason.UNREADABLE_FILE, "files of its key stand apart"
                    )
                elif member.name in sample.names:
                    yield from self._reject_picture(member, Reason.BAD_ID, TWICE)
                else:
                    sample.add(archive, member)
        except Exception:  # what came before the damage is whole
            yield sample
            raise
        yield sample

    def _by_directory(
        self, archive: Archive, members: Iterable[Member], *, holding: bool
    ) -> Iterator[_Sample | Rejection]:
        """A sample for each picture, with the texts and JSON of its key wherever they stand."""
        pictures: list[Member] = []
        others: dict[str, list[Member]] = {}
        for member in members:
            if _is_picture(member):
                pictures.append(member)
            else:
                others.setdefault(_key(member.name), []).append(member)
        names: set[str] = set()
        for picture in pictures:
            if picture.name in names:
                yield from self._reject_picture(picture, Reason.BAD_ID, TWICE)
                continue
            names.add(picture.name)
            sample = _Sample(_key(picture.name), holding)
            for member in (picture, *others.get(sample.key, ())):
                sample.add(archive, member)
            yield sample

    def _records_of(
        self, sample: _Sample, version: str, left_out: LeftOut
    ) -> Iterator[ImageRecord | Rejection]:
        metadata = _metadata(sample, self._types, left_out)
        for member, data in sample.pictures:
            if member.is_encrypted:
                yield from self._reject_picture(member, Reason.UNREADABLE_FILE, "it is encrypted")
            else:
                own = f"{version}{member.version}" if data is None else content_fingerprint(data)
                yield self._record(member, data, own, sample.description, metadata)

    def _record(
        self, member: Member, data: bytes | None, version: str, description: str, metadata: Metadata
    ) -> ImageRecord:
        path, inside = member_path(self._path, member.name), self._path / member.name.lstrip("/")
        own: dict[str, MetadataValue] = {
            "file_name": path_text(inside.name),
            "folder": path_text(inside.parent.name),
            "file_size": member.size,
            FOLDERS: folder_paths(path_text(inside.parent)),
        }
        if member.modified is not None:
            own["modified"] = member.modified
        return ImageRecord(
            id=_id(path),
            location=path_text(path),
            picture=_picture_at(path) if data is None else data,
            image_version=version,
            description=description,
            metadata={**own, **metadata},
            picture_fields=self._facts,
        )

    def _reject_picture(self, member: Member, reason: Reason, detail: str) -> Iterator[Rejection]:
        """A rejection of a picture; a text alone is nobody's record."""
        if _is_picture(member):
            yield _rejected(member_path(self._path, member.name), reason, detail)


def _rejected(path: AnyFile, reason: Reason, detail: str) -> Rejection:
    return Rejection(_id(path), path_text(path), Stage.READ, reason, detail)


def _picture_at(path: AnyFile) -> str | Path:
    return path if isinstance(path, Path) else str(path)


def _id(path: AnyFile) -> str:
    """The id of what is at a location: the location, where that can be one."""
    location = path_text(path)
    return text_id(f"{MEMBER_MARK}{location}") if id_problem(location) else location


def _key(name: str) -> str:
    """A member's name up to the first dot of its last part: `a/b` of `a/b.c.jpg`."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition('.')[0]}"


def _extension(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[2].lower()


def _is_picture(member: Member) -> bool:
    return skipped_kind(member.name) is None


@dataclass
class _Sample:
    """The members of a key."""

    key: str
    holding: bool
    """Whether it holds the bytes of its pictures."""
    names: set[str] = field(default_factory=set)
    pictures: list[tuple[Member, bytes | None]] = field(default_factory=list)
    held: int = 0
    """Bytes of them."""
    text: str | None = None
    values: dict[str, object] = field(default_factory=dict)
    """Of its JSON, those that can be metadata."""
    problems: list[str] = field(default_factory=list)
    """Why a text or JSON, or a value of it, is left out."""

    @property
    def description(self) -> str:
        """Its text, else the caption of its JSON."""
        caption = self.values.get(CAPTION)
        return self.text if self.text is not None else caption if isinstance(caption, str) else ""

    @property
    def is_full(self) -> bool:
        """Whether no more is added to it."""
        return len(self.names) >= MAX_MEMBERS or self.held >= PAGE_BYTES

    def add(self, archive: Archive, member: Member) -> None:
        """Add a picture; of a text or JSON what it says."""
        self.names.add(member.name)
        if _is_picture(member):
            data = (
                archive.read(member, MAX_PICTURE_BYTES + 1)
                if self.holding and not member.is_encrypted
                else None
            )
            self.pictures.append((member, data))
            self.held += len(data or b"")
            return
        try:
            if member.size > MAX_TEXT_BYTES or member.is_encrypted:
                raise ValueError("it is too long, or encrypted")
            text = TextDecoder().decode(archive.read(member, MAX_TEXT_BYTES), final=True)
            if _extension(member.name) == TEXT:
                self.text = text.strip()
            else:
                self._add_values(orjson.loads(text.encode("utf-8", "surrogatepass")))
        except (NotText, ValueError) as error:  # orjson's error is one
            self.problems.append(f"{member.name}: {error}")

    def _add_values(self, data: object) -> None:
        if not isinstance(data, dict):
            raise ValueError("it is no JSON object")
        for name, value in data.items():
            plain = plain_value(value)
            if plain is None:
                continue
            if name in OWN_FIELDS or not can_be_field(name, plain):
                self.problems.append(f"{name} of {self.key}")
            else:
                self.values[name] = plain


def _metadata(sample: _Sample, types: Mapping[str, FieldType], left_out: LeftOut) -> Metadata:
    """The values of a sample that its fields take."""
    for problem in sample.problems:
        left_out.note(problem)
    metadata: dict[str, MetadataValue] = {}
    for name, value in sample.values.items():
        if name == CAPTION:
            continue
        try:
            metadata[name] = convert(value, types[name])
        except (KeyError, ValueError):  # KeyError: none of the first samples has it
            left_out.note(f"{name} of {sample.key}")
    return metadata
