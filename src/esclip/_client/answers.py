"""What a search service answers, as the library's values. Nothing of it is believed before it is checked.

JSON ─► read_hits · read_documents · read_stats ... ─┬─► Hits, Documents, Stats
                                                     └─► KeyError, TypeError, ValueError: not a service's
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import numpy as np

from esclip._core.facets import Bucket, Facet, Facets, ValueCount
from esclip._core.index_settings import FLOAT
from esclip._core.labels import LabelScore, LabelScores
from esclip._core.schema import MAX_DIMENSIONS, MAX_NAME_LENGTH, Field, FieldType, Stats
from esclip._core.types import (
    PICTURE,
    TEXT,
    Box,
    Hit,
    ImageRecord,
    Kind,
    MetadataValue,
    ScoreDetail,
    StoredDocument,
    Vectors,
)
from esclip._search.duplicates import DuplicateGroup
from esclip._search.hits import Hits
from esclip.sources.memory.metadata import convert, infer_type

T = TypeVar("T")


def read_hits(answer: Any, address: str, fields: Mapping[str, FieldType]) -> Hits:
    """The hits of a search; a picture that has no public location is at the service itself."""
    hits = [_hit(hit, address, fields) for hit in _list(answer["hits"])]
    took = {
        stage: _number(answer["took"][stage]) / 1000
        for stage in ("encode", "store")
        if stage in answer["took"]
    }
    matched = answer["matched"]
    if matched is not None and not isinstance(matched, bool):
        raise TypeError("matched is no boolean")
    return Hits(hits, matched, _optional(answer["note"], _text), took)


def read_documents(answer: Any, address: str, fields: Mapping[str, FieldType]) -> dict[str, StoredDocument]:
    """Documents with their vectors, by id."""
    documents = [_document(one, address, fields) for one in _list(answer["documents"])]
    return {document.record.id: document for document in documents}


def read_ids(answer: Any) -> tuple[list[str], str | None]:
    """A page of ids, and behind which one the next begins."""
    return [_text(id) for id in _list(answer["ids"])], _optional(answer["next"], _text)


def read_stats(answer: Any, address: str, access: str | None) -> Stats:
    """What an index holds, as `ImageIndex.stats` has it; its store is the service at this address."""
    dimension = _count(answer["dimension"])
    if not 0 < dimension <= MAX_DIMENSIONS:
        raise ValueError("a dimension out of range")
    encoder = _name(answer["encoder"])
    return Stats(
        documents=_count(answer["documents"]),
        index=_name(answer["index"]),
        store=address,
        engine=_name(answer["engine"]),
        access=access,
        encoder=encoder,
        text_encoder=_name(answer.get("text_encoder", encoder)),
        dimension=dimension,
        runtimes=tuple(_name(runtime) for runtime in _list(answer.get("runtimes", []))),
        bytes=_optional(answer["bytes"], _count),
        fields=tuple(
            Field(_name(field["name"]), FieldType(field["type"])) for field in _list(answer["fields"])
        ),
        labels=tuple(_text(label) for label in _list(answer["labels"])),
        parts=tuple(_text(target) for target in _list(answer["targets"]) if target in ("captions", "crops")),
        texts=_count(answer.get("texts", 0)),
        shards=_optional(answer.get("shards"), _count),
        vectors=_name(answer.get("vectors", FLOAT)),
        largest_segment=_optional(answer.get("largest_segment"), _count),
        primary_bytes=_optional(answer.get("primary_bytes"), _count),
    )


def read_vectors(answer: Any, count: int, dim: int) -> Vectors:
    """The vectors of so many inputs as rows, of an answer in base64."""
    rows = [_vector(one["embedding"], dim) for one in _list(answer["data"])]
    if len(rows) != count:
        raise ValueError("another number of vectors")
    return np.stack(rows)


def read_took(answer: Any) -> tuple[float, float, float]:
    """Milliseconds of a search: all in the service, encoding, the store."""
    took = answer["took"]
    return _number(took["total"]), _number(took["encode"]), _number(took["store"])


def read_groups(
    answer: Any, address: str, fields: Callable[[set[str]], Mapping[str, FieldType]]
) -> tuple[list[DuplicateGroup], int | None]:
    """A page of groups of near-duplicates, and where the next one begins."""
    groups = []
    for group in _list(answer["groups"]):
        members = _list(group["documents"])
        known = fields(metadata_names(members))
        hits = [_member(one, rank, address, known) for rank, one in enumerate(members, start=1)]
        if len(hits) > 1:  # others were deleted meanwhile
            groups.append(DuplicateGroup(Hits(hits), bool(group["exact"])))
    return groups, _optional(answer["next"], lambda page: _count(page["offset"]))


def read_facets(answer: Any) -> Facets:
    """What documents have in fields."""
    facets = [_facet(name, facet) for name, facet in answer["facets"].items()]
    return Facets(_count(answer["documents"]), tuple(facets))


def read_labels(answer: Any) -> LabelScores:
    """All labels of a picture, the most probable first."""
    scores = [LabelScore(_text(one["label"]), _number(one["probability"])) for one in _list(answer)]
    return tuple(scores)


def metadata_names(hits: Any) -> set[str]:
    """The names of all metadata of an answer's hits or documents."""
    return {name for hit in _list(hits) for name in hit["metadata"]}


def _hit(data: Any, address: str, fields: Mapping[str, FieldType]) -> Hit:
    box = data["box"]
    return Hit(
        rank=_count(data["rank"]),
        id=_text(data["id"]),
        score=_number(data["score"]),
        location=_location(data, address),
        page=_optional(data["page"], _text),
        description=_text(data["description"]),
        metadata=_metadata(data["metadata"], fields),
        relevance=_optional(data["relevance"], _number),
        percentile=_optional(data["percentile"], _number),
        duplicates=tuple(_text(id) for id in _list(data["duplicates"])),
        box=None if box is None else Box(*(_number(box[side]) for side in Box._fields)),
        explanation=tuple(_detail(detail) for detail in _list(data["why"])),
        kind=_kind(data),
        index=_optional(data.get("index"), _name),
    )


def _member(data: Any, rank: int, address: str, fields: Mapping[str, FieldType]) -> Hit:
    unknown: dict[str, Any] = {
        "relevance": None,
        "percentile": None,
        "box": None,
        "duplicates": [],
        "why": [],
    }
    return _hit({**data, **unknown, "rank": rank}, address, fields)


def _facet(name: str, data: Any) -> Facet:
    kind = FieldType(data["type"])
    number: Callable[[Any], Any] = partial(convert, kind=kind)
    values = [ValueCount(_value(one["value"]), _count(one["count"])) for one in data.get("values", ())]
    buckets = [
        Bucket(number(one["from"]), _optional(one["to"], number), _count(one["count"]))
        for one in data.get("buckets", ())
    ]
    return Facet(
        field=Field(name, kind),
        missing=_count(data["missing"]),
        values=tuple(values),
        others=_count(data.get("others", 0)),
        exact=data.get("exact") is not False,
        minimum=_optional(data.get("minimum"), number),
        maximum=_optional(data.get("maximum"), number),
        buckets=tuple(buckets),
    )


def _value(value: Any) -> str | bool:
    if not isinstance(value, str | bool):
        raise TypeError("no value of a facet")
    return value


def _document(data: Any, address: str, fields: Mapping[str, FieldType]) -> StoredDocument:
    location = _location(data, address)
    record = ImageRecord(
        id=_text(data["id"]),
        location=location,
        picture=location,
        image_version="",
        page=_optional(data["page"], _text),
        description=_text(data["description"]),
        metadata=_metadata(data["metadata"], fields),
        kind=_kind(data),
    )
    return StoredDocument(record, _vector(data["vector"], None), _text(data["content"]))


def _kind(data: Any) -> Kind:
    """What a document is; services of an older version have pictures only."""
    kind = data.get("kind", PICTURE)
    if kind not in (PICTURE, TEXT):
        raise ValueError("a document of another kind")
    return TEXT if kind == TEXT else PICTURE


def _location(data: Any, address: str) -> str:
    """Where a person finds it: what the service hides is a file there, shown by the service itself."""
    location, picture = _optional(data["location"], _text), _optional(data["picture"], _text)
    if location is not None:
        return location
    return f"{address}{picture or '/v1/documents/' + quote(_text(data['id']), safe='')}"


def _detail(data: Any) -> ScoreDetail:
    return ScoreDetail(
        part=_text(data["part"]),
        weight=_number(data["weight"]),
        score=_optional(data["score"], _number),
        rank=_optional(data["rank"], _count),
        adds=_number(data["adds"]),
    )


def _metadata(values: Any, fields: Mapping[str, FieldType]) -> dict[str, MetadataValue]:
    """Metadata of the types of the index's fields; of a field that isn't known of what JSON has."""
    metadata: dict[str, MetadataValue] = {}
    for name, value in values.items():
        kind = fields.get(name) or infer_type(value)
        if kind is None:
            raise TypeError("metadata of another type")
        metadata[name] = convert(value, kind)
    return metadata


def _vector(encoded: Any, dim: int | None) -> Any:
    data = base64.b64decode(_text(encoded), validate=True)
    vector = np.frombuffer(data, "<f4").astype(np.float32)
    if not 0 < len(vector) <= MAX_DIMENSIONS or (dim is not None and len(vector) != dim):
        raise ValueError("a vector of another length")
    return vector


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _name(value: Any) -> str:
    if len(_text(value)) > MAX_NAME_LENGTH:
        raise ValueError("a long name")
    return str(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("no count")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError("no number")
    return float(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _optional(value: Any, read: Callable[[Any], T]) -> T | None:
    return None if value is None else read(value)
