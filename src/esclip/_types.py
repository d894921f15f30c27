"""The values that flow through esclip: records in, documents stored, hits out.

    ImageRecord ─► Document(record, vector) ─► Hit
         └───────► Rejection(id, stage, reason)

All are frozen. A vector is float32 of unit length, everywhere: `unit_rows` is where that is made true.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

__all__ = [
    "Condition",
    "Document",
    "Field",
    "FieldType",
    "Fingerprint",
    "GeoPoint",
    "Hit",
    "ImageRecord",
    "IndexInfo",
    "IndexSchema",
    "IngestReport",
    "Metadata",
    "MetadataValue",
    "Pixels",
    "Reason",
    "Rejection",
    "Space",
    "Stage",
    "Vector",
    "Vectors",
    "json_metadata",
    "ranked",
    "unit_rows",
]

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


MetadataValue: TypeAlias = str | int | float | bool | datetime | GeoPoint | tuple[str, ...]
Metadata: TypeAlias = Mapping[str, MetadataValue]
"""Values by field name; a field without a value is left out, never None."""


class FieldType(Enum):
    """What a metadata field holds, the same in every store."""

    KEYWORD = "keyword"
    """A string compared as a whole."""
    KEYWORDS = "keywords"
    """Several strings (a tuple); a filter matches when one is equal."""
    TEXT = "text"
    """Words of a language, for people and keyword search; not for equality."""
    INTEGER = "integer"
    """64 bits, signed."""
    FLOAT = "float"
    """64 bits."""
    BOOLEAN = "boolean"
    DATE = "date"
    """A `datetime` with a time zone, kept to the millisecond."""
    GEO_POINT = "geo_point"


@dataclass(frozen=True, slots=True)
class Field:
    """A metadata field that a source declares and a store maps explicitly."""

    name: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a filter: the field's value is `value` (for `KEYWORDS`: one of its values is)."""

    field: Field
    value: str | int | float | bool | datetime


class Fingerprint(NamedTuple):
    """What a store remembers of a record, to tell an unchanged one from a changed one."""

    pixels: str
    """Changes when the picture may have changed: it has to be encoded again."""
    record: str
    """Changes when anything else of the record has."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One row of a source: a picture, where it is, and what is known about it."""

    id: str
    """The source's own id; the document's `_id`. Not empty, at most 512 bytes."""
    location: str
    """Where a person finds the picture: a URL or an absolute path."""
    picture: str | Path
    """Where its bytes are read: a URL (`str`) or a file (`Path`)."""
    version: str
    """Differs when the picture's bytes may differ: a URL, or a file's size and time."""
    page: str | None = None
    """The picture's web page."""
    description: str = ""
    metadata: Metadata = field(default_factory=dict)

    @property
    def fingerprint(self) -> Fingerprint:
        """What changes when this record does; the same in every process and on every machine."""
        about = (self.location, self.page, self.description, sorted(json_metadata(self.metadata).items()))
        return Fingerprint(pixels=_digest(self.version.encode()), record=_digest(orjson.dumps(about)))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:24]


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


@dataclass(frozen=True, slots=True)
class Document:
    """What a store holds: a record and its picture's vector."""

    record: ImageRecord
    vector: Vector


@dataclass(frozen=True, slots=True)
class Hit:
    """One found picture."""

    rank: int
    """1 is the best."""
    id: str
    score: float
    """The true cosine between query and picture, in [-1, 1]."""
    location: str
    """A URL or an absolute path."""
    page: str | None
    description: str
    metadata: Metadata

    def to_json(self) -> dict[str, Any]:
        """The hit as the command line prints it with `--json`."""
        return {
            "rank": self.rank,
            "id": self.id,
            "score": self.score,
            "location": self.location,
            "page": self.page,
            "description": self.description,
            "metadata": json_metadata(self.metadata),
        }


class Stage(Enum):
    """The step of an ingest at which a record was rejected."""

    READ = "read"
    FETCH = "fetch"
    DECODE = "decode"
    ENCODE = "encode"
    WRITE = "write"


class Reason(Enum):
    """Why a record was rejected: the closed list (docs: README, "Rejections")."""

    BAD_ROW = "bad_row"
    """The row can't be parsed: wrong number of columns, broken quotes."""
    BAD_ID = "bad_id"
    """The id is empty, longer than 512 bytes, or not printable."""
    BAD_URL = "bad_url"
    """The picture's URL is malformed, or its host is not one of the allowed."""
    BAD_REDIRECT = "bad_redirect"
    """A redirect led to a host that is not allowed, or in circles."""
    HTTP_403 = "http_403"
    """The server forbids the picture."""
    HTTP_404 = "http_404"
    """The picture is not there."""
    HTTP_410 = "http_410"
    """The picture was removed for good."""
    HTTP_429 = "http_429"
    """The server kept asking for fewer requests until the deadline."""
    HTTP_4XX = "http_4xx"
    """Any other answer from 400 to 499, or one that is neither success, redirect nor error."""
    HTTP_5XX = "http_5xx"
    """The server failed, until the deadline."""
    TIMEOUT = "timeout"
    """The picture did not arrive within its deadline."""
    DNS_ERROR = "dns_error"
    """The host's name has no address."""
    CONNECTION_ERROR = "connection_error"
    """The connection was refused, or broke."""
    TLS_ERROR = "tls_error"
    """The server's certificate can't be trusted, or TLS failed."""
    INCOMPLETE_BODY = "incomplete_body"
    """The answer ended before the length that it announced, or can't be decompressed."""
    FILE_NOT_FOUND = "file_not_found"
    """No file is there (any more)."""
    UNREADABLE_FILE = "unreadable_file"
    """The file can't be read: permissions, a folder, a device."""
    TOO_LARGE = "too_large"
    """More bytes or more pixels than the cap."""
    NOT_AN_IMAGE = "not_an_image"
    """The bytes are in no format that is supported: an HTML page, say, or nothing at all."""
    TRUNCATED = "truncated"
    """The picture begins well and ends too early, or is damaged inside."""
    BAD_VECTOR = "bad_vector"
    """The encoder gave a vector that is zero or not finite."""
    WRITE_REJECTED = "write_rejected"
    """The store refused the document; its own words are in the detail."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record that did not make it into the index, and why."""

    id: str
    location: str
    stage: Stage
    reason: Reason
    detail: str

    def to_json(self) -> dict[str, str]:
        """The rejection as a line of the rejections file."""
        return {
            "id": self.id,
            "location": self.location,
            "stage": self.stage.value,
            "reason": self.reason.value,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Space:
    """Where vectors live. Vectors can be compared only if their spaces are `same_as` each other."""

    model: str
    """The image tower's name or absolute folder: what `load_encoder` takes to have it again."""
    text_model: str
    """The text tower's, for queries; the same as `model` where one model has both."""
    weights: str
    """Hash or revision of the image tower's weights: tells models of one name apart."""
    preprocessing: str
    """How a picture becomes the tower's input, in words or as a hash."""
    dim: int

    def same_as(self, other: Space) -> bool:
        """Whether vectors of both spaces can be compared, wherever the models lie on disk."""
        return (self.weights, self.preprocessing, self.dim) == (
            other.weights,
            other.preprocessing,
            other.dim,
        )


@dataclass(frozen=True, slots=True)
class IndexSchema:
    """What an index is made with and remembers: its space and its metadata fields."""

    space: Space
    fields: tuple[Field, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The schema as a store keeps it beside the documents."""
        space = {name: getattr(self.space, name) for name in Space.__dataclass_fields__}
        return {"version": 1, "space": space, "fields": {f.name: f.type.value for f in self.fields}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> IndexSchema:
        """The schema that `to_json` wrote. Raises `KeyError`, `TypeError` or `ValueError` on others."""
        if data["version"] != 1:
            raise ValueError(f"schema version {data['version']}")
        fields = tuple(Field(name, FieldType(kind)) for name, kind in data["fields"].items())
        return cls(Space(**data["space"]), fields)


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What a store says about its index."""

    schema: IndexSchema
    documents: int
    engine: str
    """The store's kind and version: `OpenSearch 3.6.0`, `Lance 14.0.2`, `memory`."""
    bytes: int | None
    """On disk, primaries and replicas together; None where the store can't tell."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest did. `read == skipped + written + rejected`, always."""

    read: int
    """Records that the source gave, broken rows included."""
    skipped: int
    """Records that the index held unchanged, and further rows with an id that this run had already."""
    written: int
    """Documents written: new, encoded again, or with new metadata only."""
    rejected: int
    rejections: Mapping[Reason, int]
    """How many of the rejected for each reason, most frequent first."""
    seconds: float
    index: str
    store: str
    encoder: str

    @property
    def images_per_second(self) -> float:
        """Documents written per second of the whole run."""
        return self.written / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it with `--json`."""
        return {
            "read": self.read,
            "skipped": self.skipped,
            "written": self.written,
            "rejected": self.rejected,
            "rejections": {reason.value: n for reason, n in self.rejections.items()},
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 2),
            "index": self.index,
            "store": self.store,
            "encoder": self.encoder,
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


def ranked(hits: Iterable[Hit]) -> list[Hit]:
    """Hits from best to worst with ties broken by id, and ranks from 1: the same order every time."""
    ordered = sorted(hits, key=lambda hit: (-hit.score, hit.id))
    return [
        Hit(rank, h.id, h.score, h.location, h.page, h.description, h.metadata)
        for rank, h in enumerate(ordered, start=1)
    ]
