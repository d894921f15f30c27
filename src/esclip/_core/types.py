"""The values that flow through esclip: records in, documents stored, hits out.

    ImageRecord ─► StoredDocument(record, vector) ─► Hit
         └───────► Rejection(id, stage, reason)

All are frozen. A vector is float32 of unit length, everywhere: `unit_rows` is where that is made true.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

from esclip._core.text_forms import compose
from esclip._errors.escaping import escape
from esclip._errors.secrets import mask

Vector: TypeAlias = npt.NDArray[np.float32]
"""One vector: shape (dim,), unit length."""

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Vectors as rows: shape (n, dim), each of unit length."""

Pixels: TypeAlias = npt.NDArray[Any]
"""One picture as its encoder wants it; only that encoder knows shape and type."""


class GeoPoint(NamedTuple):
    """A place on earth in degrees, WGS 84."""

    lat: float
    lon: float


Kind: TypeAlias = Literal["picture", "text"]
"""What a document is."""

PICTURE: Kind = "picture"
TEXT: Kind = "text"

MetadataValue: TypeAlias = str | int | float | bool | datetime | GeoPoint | tuple[str, ...]

RECORD_FORMAT = 3
"""The version of stored records; a higher one makes ingests write older records again.

2: with their words, for keyword search. 3: words without strokes and marks, texts in NFC."""

Metadata: TypeAlias = Mapping[str, MetadataValue]
"""Values by field name; a field without a value is left out, never None."""


class Fingerprint(NamedTuple):
    """What a store remembers of a record, to tell an unchanged one from a changed one."""

    pixels: str
    """Changes when the picture may have changed: it has to be encoded again. What finds its crops, where
    that isn't the grid, stands behind a +."""
    record: str
    """Changes when anything else of the record has. That of a caption stands apart, behind a +; that of the
    captioner of a machine's, behind a +~."""

    @property
    def has_caption(self) -> bool:
        """Whether the description is a caption that an ingest was given, or that a machine has written."""
        return "+" in self.record

    @property
    def has_machine_caption(self) -> bool:
        """Whether a machine was asked for the description."""
        return "+~" in self.record

    @property
    def caption(self) -> str:
        """What changes with the caption; empty without one."""
        return self.record.partition("+")[2]

    @property
    def without_caption(self) -> Fingerprint:
        """Of the same record without a description."""
        return self._replace(record=self.record.partition("+")[0])


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One row of a source: a picture, where it is, and what is known about it; or a text."""

    id: str
    """The source's own id; the document's `_id`. Not empty, at most 512 bytes."""
    location: str
    """Where a person finds the picture: a URL or an absolute path."""
    picture: str | Path | bytes = field(repr=False)
    """Where its bytes are read: a URL (`str`) or a file (`Path`); or they themselves. Empty for a text."""
    image_version: str
    """Differs when the picture's bytes may differ: a URL, or a file's size and time."""
    page: str | None = None
    """The picture's web page."""
    description: str = ""
    metadata: Metadata = field(default_factory=dict)
    derived: Metadata = field(default_factory=dict)
    """Metadata that was computed from the picture, such as labels; a store keeps it with the other."""
    derivation: str = ""
    """What `derived` and the parts are computed by; empty where nothing is."""
    picture_fields: tuple[str, ...] = ()
    """Fields whose values the picture's own bytes give, where `metadata` has none: an ingest reads them as it
    decodes the picture (`esclip.sources.PICTURE_FIELDS`), and they become `derived`."""
    captioned: bool | None = None
    """Whether the description is a caption that this ingest was given; None: it was given none, and one that
    the index holds stays."""
    caption_by: str = ""
    """The captioner that is to write the description, or has written it; empty: none."""
    detection: str | None = None
    """Identifies what finds its crops; empty: they are those of the grid. None: as in the index, or those."""
    kind: Kind = PICTURE
    """A text's record has the text as its description: see `text_record`."""
    content: str | None = None
    """The `content_fingerprint` that the picture's bytes have to have; empty: not known, and none has it.
    None: any bytes are the picture's."""
    stored_as: Fingerprint | None = field(default=None, compare=False, repr=False)
    """Its fingerprint in an index that it was read from, which has not all that made it. Where its `record`
    is empty, that half is computed; None: all of it is."""

    def __post_init__(self) -> None:
        """Texts that are compared are in NFC, however the source has them; id and location stay."""
        object.__setattr__(self, "description", compose(self.description))
        object.__setattr__(self, "metadata", _compose(self.metadata))
        object.__setattr__(self, "derived", _compose(self.derived))

    @property
    def is_of_file(self) -> bool:
        """Whether it is of a file in a folder: its id is then made of the file's path."""
        return isinstance(self.picture, Path) and self.id == file_id(self.picture)

    @property
    def can_be_read_again(self) -> bool:
        """Whether its picture is anywhere but in memory."""
        return not isinstance(self.picture, bytes)

    @property
    def wants_caption(self) -> bool:
        """Whether a captioner is to write its description."""
        return bool(self.caption_by) and not self.description

    @property
    def all_metadata(self) -> Metadata:
        """What a store keeps: what the source says, and what was computed."""
        return {**self.metadata, **self.derived} if self.derived else self.metadata

    @property
    def fingerprint(self) -> Fingerprint:
        """What changes when this record does; the same in every process and on every machine.

        What was computed doesn't count, but how it was computed does.
        """
        stored = self.stored_as
        if stored is not None and stored.record:
            return stored
        about = (
            RECORD_FORMAT,
            self.location,
            self.page,
            "" if self.captioned or self.caption_by else self.description,
            sorted(json_metadata(self.metadata).items()),
            *([self.derivation] if self.derivation else []),
            *([["picture", *self.picture_fields]] if self.picture_fields else []),
        )
        caption = f"+{_digest(self.description.encode())}" if self.captioned else ""
        if self.caption_by:
            caption = f"+~{_digest(self.caption_by.encode())}"
        pixels = stored.pixels if stored is not None else _digest(self.image_version.encode())
        if self.detection:
            pixels += f"+{self.detection}"
        return Fingerprint(pixels, _digest(orjson.dumps(about)) + caption)


MEMORY_SCHEME = "memory:"
"""Before the id, the location of a picture that was only in a program's memory."""

MAX_TEXT_BYTES = 1 << 16
"""Of a text document in UTF-8; text towers read at most 512 tokens."""

MAX_ID_BYTES = 512
"""Of an id in UTF-8: what Elasticsearch and OpenSearch take."""


def id_problem(id: str) -> str:
    """Why a document can't have this id; empty where it can."""
    if not id.strip():
        return "is empty"
    if not id.isprintable():
        return f"is not printable: {id[:MAX_ID_BYTES]!a}"
    if len(id.encode()) > MAX_ID_BYTES:
        return f"is longer than {MAX_ID_BYTES} bytes"
    return ""


def file_id(path: Path) -> str:
    """The id of a file's record, by the file's absolute path."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:20]


def text_id(text: str) -> str:
    """The id of a record that has no other name than a text, such as a URL."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class TextRecord:
    """A text that is a document by itself, for `ImageIndex.add`: a plain `str` there names a picture."""

    text: str
    """What is found: by pictures and texts that are like it, and by its words."""
    id: str | None = None
    """Default: made of the text."""
    location: str | None = None
    """Where a person finds it: a URL or an absolute path. Default: `memory:` and the id."""
    page: str | None = None
    """Its web page."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Values by field name."""


def text_record(
    text: str,
    *,
    id: str = "",
    location: str = "",
    page: str | None = None,
    metadata: Metadata | None = None,
) -> ImageRecord:
    """The record of a text document; its id is made of the text where none is given."""
    id = id or text_id(compose(text))
    return ImageRecord(
        id=id,
        location=location or f"{MEMORY_SCHEME}{id}",
        picture="",
        image_version=f"text {_digest(compose(text).encode())}",
        page=page,
        description=text,
        metadata=metadata or {},
        kind=TEXT,
    )


_TEXTS = (str, tuple)


def _compose(metadata: Metadata) -> Metadata:
    """The same, or a copy whose texts are in NFC."""
    if not metadata:
        return metadata
    changed = {}
    for name, value in metadata.items():
        if isinstance(value, _TEXTS) and (composed := _compose_value(value)) != value:
            changed[name] = composed
    return {**metadata, **changed} if changed else metadata


def _compose_value(value: MetadataValue) -> MetadataValue:
    if isinstance(value, str):
        return compose(value)
    if isinstance(value, tuple) and not isinstance(value, GeoPoint):
        return tuple(compose(one) if isinstance(one, str) else one for one in value)  # a store refuses others
    return value


def content_fingerprint(data: bytes) -> str:
    """The same for the same bytes, wherever a picture lies and whatever it is called."""
    return _digest(data)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


def truncate_date(value: datetime) -> datetime:
    """A date as stores keep it: in UTC, truncated to milliseconds."""
    utc = value.astimezone(UTC)
    return utc - timedelta(microseconds=utc.microsecond % 1000)


def json_metadata(metadata: Metadata) -> dict[str, Any]:
    """Metadata as JSON has it: dates in ISO 8601, a place as `{"lat", "lon"}`, tuples as lists."""
    return {name: _json_value(value) for name, value in metadata.items()}


def _json_value(value: MetadataValue) -> Any:
    match value:
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case GeoPoint(lat, lon):
            return {"lat": lat, "lon": lon}
        case tuple():
            return list(value)
        case _:
            return value


class Box(NamedTuple):
    """A part of a picture, from 0 to 1 of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


class Crop(NamedTuple):
    """A part of a picture, as it was encoded."""

    number: int
    """Which part: its place in `_core.parts.GRID`, or among those that a detector has found."""
    vector: Vector
    box: Box | None = None
    """Where a detector has found it; None: it is of the grid."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What a store holds: a record and its vector, of the picture or of the text."""

    record: ImageRecord
    vector: Vector = field(repr=False)
    content: str = ""
    """`content_fingerprint` of the picture's bytes; empty where they aren't known."""
    crops: tuple[Crop, ...] = field(default=(), repr=False)
    """Parts of the picture on the way to documents of their own; no store keeps them here."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What a store is to remember of it, to tell an unchanged record from a changed one."""
        return self.record.fingerprint


class ScoreDetail(NamedTuple):
    """What one part of a query adds to a hit's rank."""

    part: str
    """The part as a user wrote it: `text: a beach`, `words: oslo`."""
    weight: float
    score: float | None
    """The hit's score for this part alone: a cosine, or the share of the words; None: not among its best."""
    rank: int | None
    """The hit's rank by this part alone, where ranks are fused; None: by scores, or not among its best."""
    adds: float
    """What the part adds to the cosine, or to the fused score."""


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """One found picture, or text."""

    rank: int
    """1 is the best."""
    id: str
    score: float
    """The true cosine between query and picture, or query and text, in [-1, 1]. That of a text with a text is
    far higher than that with a picture: compare only hits of one kind."""
    location: str
    """A URL or an absolute path."""
    page: str | None
    description: str
    """Of a text document, the text."""
    metadata: Metadata
    relevance: float | None = None
    """How sure it is that it fits better than what a search for nothing finds, 0 to 1; None: not known."""
    percentile: float | None = None
    """How many of a hundred pictures score less for a sentence that means nothing; None: not known."""
    duplicates: tuple[str, ...] = ()
    """Ids of further hits that show nearly the same, and were folded into this one, the best first."""
    box: Box | None = None
    """Where in the picture that is which was found; None: it is the picture as a whole."""
    explanation: tuple[ScoreDetail, ...] = ()
    """What the rank is made of, where the query asks for it."""
    content: str | None = field(default=None, compare=False, repr=False)
    """`content_fingerprint` of the picture's bytes as they were encoded, empty where the index lacks it; None
    for a hit of no index. A gallery shows no other file in the picture's place."""
    kind: Kind = PICTURE
    """`picture` or `text`."""
    index: str | None = None
    """The index that it was found in, where several were searched."""

    def __repr__(self) -> str:
        return f"<Hit {self.rank}: {escape(self.id)}, score {self.score:.4f}, {escape(mask(self.location))}>"

    def to_json(self) -> dict[str, Any]:
        """The hit as the command line prints it with `--json`."""
        optional = {
            "kind": None if self.kind == PICTURE else self.kind,
            "relevance": self.relevance,
            "percentile": self.percentile,
            "duplicates": list(self.duplicates) or None,
            "box": self.box and self.box._asdict(),
            "why": [one._asdict() for one in self.explanation] or None,
            "index": self.index,
        }
        return {
            "rank": self.rank,
            "id": self.id,
            "score": self.score,
            "location": self.location,
            "page": self.page,
            "description": self.description,
            "metadata": json_metadata(self.metadata),
            **{name: value for name, value in optional.items() if value is not None},
        }


def unit_rows(rows: npt.ArrayLike) -> Vectors:
    """Rows scaled to unit length, as float32. A row that is zero or not finite becomes all NaN.

    `rows` has shape (n, dim). Lengths are computed in float64, so that the result's are 1 to float32's
    precision.
    """
    wide = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    usable = np.isfinite(lengths) & (lengths > 0)
    scaled = np.divide(wide, lengths, out=np.full_like(wide, np.nan), where=usable)
    return np.ascontiguousarray(scaled, dtype=np.float32)


def cosines(rows: Vectors, vector: Vector) -> npt.NDArray[np.float64]:
    """The cosine of each unit row with a unit vector. Not as a matrix product: equal rows have equal ones."""
    products: npt.NDArray[np.float64] = np.multiply(rows, vector, dtype=np.float64)
    scores: npt.NDArray[np.float64] = products.sum(axis=1).clip(-1, 1)
    return scores


def document_hit(document: StoredDocument, score: float) -> Hit:
    """A document as a hit that is not ranked yet."""
    record = document.record
    return Hit(
        rank=0,
        id=record.id,
        score=score,
        location=record.location,
        page=record.page,
        description=record.description,
        metadata=record.metadata,
        content=document.content,
        kind=record.kind,
    )


def rank_hits(hits: Iterable[Hit]) -> list[Hit]:
    """Hits from best to worst with ties broken by id, and ranks from 1: the same order every time."""
    return number_hits(sorted(hits, key=lambda hit: (-hit.score, hit.id)))


def number_hits(hits: Iterable[Hit], first: int = 1) -> list[Hit]:
    """Hits in the order that they have, with ranks from `first` on."""
    numbered = enumerate(hits, start=first)
    return [hit if hit.rank == rank else replace(hit, rank=rank) for rank, hit in numbered]
