"""An index is compared with its source, document by document, read around the store.

records ─► expected ─┐
                     ├─ lost | strange | twice | another vector | another field: none of them
index ───► held ─────┘
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import lance
import numpy as np
import orjson
from PIL import Image

from esclip._core.analysis import analyze_record
from esclip._core.picture_color import COLOR
from esclip._core.schema import Space
from esclip._core.types import GeoPoint, ImageRecord, Metadata, MetadataValue, Vector, Vectors
from esclip._images.decode import read_facts
from esclip._protocols import Encoder
from tests.engines import http, words_apart

__all__ = ["RawDocument", "assert_same", "held_by_engine", "held_by_folder"]

RawDocument: TypeAlias = dict[str, Any]
"""A document's fields as JSON has them; those without a value are left out."""

PAGE = 1000
_vectors: dict[tuple[Space, Path], Vector] = {}
"""Each picture's vector in each space: pictures don't change, and are compared many times."""

CLOSE = 1 - 1e-6
"""The least cosine between a vector that is held and the one that the encoder gives."""


def assert_same(held: Iterable[RawDocument], records: Mapping[str, ImageRecord], encoder: Encoder) -> None:
    """Each record is held once, with all of its fields and its picture's vector, and nothing else is."""
    documents = list(held)
    times = Counter(document["id"] for document in documents)
    lost, strange = sorted(records.keys() - times.keys()), sorted(times.keys() - records.keys())
    assert not lost, f"{len(lost)} lost: {lost[:5]}"
    assert not strange, f"{len(strange)} that no record has: {strange[:5]}"
    twice = {id: n for id, n in times.items() if n > 1}
    assert not twice, f"{len(twice)} held more than once: {sorted(twice.items())[:5]}"
    in_order = [records[document["id"]] for document in documents]
    _assert_vectors([document.pop("vector") for document in documents], in_order, encoder)
    for document, record in zip(documents, in_order, strict=True):
        content = document.pop("content_fingerprint", None)
        assert content in (None, _fingerprint(_picture(record)))
        assert document == _expected(record)


def held_by_engine(address: str, index: str) -> Iterator[RawDocument]:
    """All documents of an engine's index, refreshed, page by page in the order of their ids."""
    http("POST", f"{address}/{index}/_refresh")
    url = f"{address}/{index}/_search?allow_partial_search_results=false"
    body: RawDocument = {"size": PAGE, "query": {"match_all": {}}, "sort": [{"id": "asc"}]}
    read = 0
    while hits := http("POST", url, body)["hits"]["hits"]:
        if "vector" not in hits[0]["_source"]:  # an Elasticsearch, which leaves vectors out unless asked
            url += "&_source_exclude_vectors=false"
            continue
        for hit in hits:
            assert hit["_id"] == hit["_source"]["id"]
            yield _present(words_apart(hit["_source"]))
        read += len(hits)
        body["search_after"] = hits[-1]["sort"]
    assert http("GET", f"{address}/{index}/_count")["count"] == read


def held_by_folder(folder: str | Path, index: str) -> Iterator[RawDocument]:
    """All rows of an embedded index."""
    for row in lance.dataset(Path(folder) / f"{index}.lance").to_table().to_pylist():
        source = orjson.loads(row.pop("_source"))  # what hits are made of says the same once more
        fields = _present({name: _json(value) for name, value in row.items()})
        assert source.items() <= fields.items()
        yield fields


def _present(source: RawDocument) -> RawDocument:
    return {name: value for name, value in source.items() if value is not None}


def _expected(record: ImageRecord) -> RawDocument:
    if record.picture_fields:
        record = replace(record, derived=_facts(_picture(record)))
    own = {
        "id": record.id,
        "location": record.location,
        "page": record.page,
        "description": record.description,
        "words": analyze_record(record),
        "pixels_fingerprint": record.fingerprint.pixels,
        "record_fingerprint": record.fingerprint.record,
    }
    return _present(own | {name: _json(value) for name, value in record.all_metadata.items()})


@cache
def _facts(path: Path) -> Metadata:
    """What is kept of a picture without EXIF, as Pillow sees it, with the colour that its bytes give."""
    with Image.open(path) as image:
        width, height = image.size
        shape = "landscape" if width > height else "portrait" if height > width else "square"
        color = read_facts(path.read_bytes())[COLOR]
        return {
            "width": width,
            "height": height,
            "orientation": shape,
            COLOR: color,
            "format": image.format or "",
        }


def _json(value: MetadataValue) -> Any:
    match value:
        case datetime():  # kept to the millisecond
            cut = value.astimezone(UTC).replace(microsecond=value.microsecond // 1000 * 1000)
            return cut.isoformat().replace("+00:00", "Z")
        case GeoPoint():
            return value._asdict()
        case tuple():
            return list(value)
        case _:
            return value


def _picture(record: ImageRecord) -> Path:
    assert isinstance(record.picture, Path)
    return record.picture


def _assert_vectors(found: list[Any], records: list[ImageRecord], encoder: Encoder) -> None:
    """What is held points where the encoder's own vector does."""
    rows = np.array(found, dtype=np.float64)
    cosines = (rows * _encoded([_picture(record) for record in records], encoder)).sum(
        axis=1
    ) / np.linalg.norm(rows, axis=1)
    wrong = [record.id for record, cosine in zip(records, cosines, strict=True) if not cosine >= CLOSE]
    assert not wrong, f"{len(wrong)} have another picture's vector: {wrong[:5]}"


def _encoded(pictures: list[Path], encoder: Encoder) -> Vectors:
    """The encoder's own vectors of pictures."""
    space = encoder.space
    if new := [path for path in pictures if (space, path) not in _vectors]:
        vectors = encoder.encode_images([encoder.preprocess(_decoded(path)) for path in new])
        _vectors.update({(space, path): vector for path, vector in zip(new, vectors, strict=True)})
    return np.stack([_vectors[space, path] for path in pictures])


def _decoded(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


@cache
def _fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:24]
