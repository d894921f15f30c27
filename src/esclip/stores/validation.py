"""What all stores say alike about fields: the names that are taken, those to add, and faults of a document.

A store that writes what `validation_error` finds nothing wrong with gives back the same values.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import assert_never

import numpy as np

from esclip._core.rejections import Reason, Rejection, Stage, rejected
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.types import GeoPoint, ImageRecord, MetadataValue, Vector
from esclip._text.forms import is_unicode

__all__ = [
    "RESERVED",
    "check_field_names",
    "merge_schemas",
    "possible",
    "schema_conflict",
    "stored_date",
    "validation_error",
    "write_rejection",
]

RESERVED = frozenset(
    {
        "id",
        "vector",
        "location",
        "page",
        "description",
        "pixels_fingerprint",
        "record_fingerprint",
        "content_fingerprint",
        "words",
    }
)
"""Names of a stored document's own fields; no metadata field may have one of them."""

_NAME = re.compile(r"[^\W_][\w-]*")
"""A dot would mean an object inside an object, a leading underscore a field of the engine's own."""


def check_field_names(fields: tuple[Field, ...]) -> None:
    """Raise `ValueError` when a metadata field has a name that some store can't give it."""
    for field in fields:
        if field.name in RESERVED:
            raise ValueError(
                f"A metadata field can't be named {field.name}: every document has one of its own."
            )
        if not _NAME.fullmatch(field.name):
            raise ValueError(
                f"A metadata field can't be named {field.name!r}: take letters, digits, _ and -."
            )


def schema_conflict(held: IndexSchema, wanted: IndexSchema) -> str | None:
    """Why documents of schema `wanted` can't go where `held` is, in words; None when they can."""
    if held.space.dim != wanted.space.dim:
        return f"it has vectors of {held.space.dim} dimensions, not {wanted.space.dim}"
    types = {field.name: field.type for field in held.fields}
    for field in wanted.fields:
        kept = types.get(field.name, field.type)
        if kept is not field.type:
            return f"its field {field.name} is {kept.value}, not {field.type.value}"
    return None


def merge_schemas(held: IndexSchema, wanted: IndexSchema) -> IndexSchema | None:
    """`held` with what it lacks of `wanted`, newer labels and calibration included; None for nothing."""
    fields = {field.name: field for field in (*held.fields, *wanted.fields)}
    wider = replace(
        held,
        fields=tuple(fields.values()),
        runtimes=tuple(dict.fromkeys(held.runtimes + wanted.runtimes)),
        labelling=held.labelling if wanted.labelling is None else wanted.labelling,
        parts=tuple(dict.fromkeys(held.parts + wanted.parts)),
        calibration=wanted.calibration or held.calibration,
    )
    return wider if wider != held else None


def stored_date(value: datetime) -> datetime:
    """A date as stores keep it: in UTC, cut to the millisecond."""
    utc = value.astimezone(UTC)
    return utc - timedelta(microseconds=utc.microsecond % 1000)


def write_rejection(record: ImageRecord, detail: str) -> Rejection:
    """What a store says of a record that it refused to write."""
    return rejected(record, Stage.WRITE, Reason.WRITE_REJECTED, detail)


def possible(names: Iterable[str]) -> list[str]:
    """Those ids (or fingerprints) that a document can have, each once: no other can be asked for."""
    return [name for name in dict.fromkeys(names) if is_unicode(name)]


def validation_error(record: ImageRecord, vector: Vector | None, schema: IndexSchema) -> str | None:
    """Why a store can't hold this record (and vector, unless None), in one line; None when it can."""
    texts = (record.id, record.location, record.page or "", record.description)
    if not _are_texts(texts):
        return "a text is not valid Unicode: it has half of a surrogate pair"
    if vector is not None and (found := _vector_fault(vector, schema.space.dim)):
        return found
    types = {field.name: field.type for field in schema.fields}
    for name, value in record.all_metadata.items():
        if name not in types:
            return f"field {name} is not one of the index's"
        if not _fits(value, types[name]):
            return f"field {name} is {types[name].value}, which {value!r:.80} is not"
    return None


def _vector_fault(vector: Vector, dim: int) -> str | None:
    if vector.shape != (dim,):
        return f"the vector's shape is {vector.shape}, not ({dim},)"
    if not np.isfinite(vector).all() or not vector.any():
        return "the vector is zero or not finite"
    return None


def _fits(value: MetadataValue, kind: FieldType) -> bool:
    match kind:
        case FieldType.KEYWORD | FieldType.TEXT:
            return isinstance(value, str) and _are_texts((value,))
        case FieldType.KEYWORDS:
            return isinstance(value, tuple) and not isinstance(value, GeoPoint) and _are_texts(value)
        case FieldType.INTEGER:
            return type(value) is int and -(2**63) <= value < 2**63
        case FieldType.FLOAT:
            return isinstance(value, float) and math.isfinite(value)
        case FieldType.BOOLEAN:
            return isinstance(value, bool)
        case FieldType.DATE:
            return isinstance(value, datetime) and value.tzinfo is not None
        case FieldType.GEO_POINT:
            return isinstance(value, GeoPoint) and abs(value.lat) <= 90 and abs(value.lon) <= 180
        case _:
            assert_never(kind)


def _are_texts(values: tuple[str, ...]) -> bool:
    """Whether all are strings and valid Unicode; joined, because a document has hundreds of them."""
    try:
        "".join(values).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True
