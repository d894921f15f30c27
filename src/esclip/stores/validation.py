"""Validation of schemas and documents, the same in all stores. Pure functions.

A store gives back a valid document with the same values.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

import numpy as np

from esclip._core.field_names import check_field_name
from esclip._core.index_settings import DEFAULTS, IndexSettings
from esclip._core.rejections import Rejection, Stage, reject
from esclip._core.schema import Field, FieldType, IndexSchema
from esclip._core.text_forms import is_unicode
from esclip._core.types import GeoPoint, ImageRecord, MetadataValue, StoredDocument, Vector
from esclip._errors import ConfigError
from esclip._errors.reasons import Reason
from esclip._protocols import NOT_STORED


def check_field_names(fields: tuple[Field, ...]) -> None:
    """Raise `ValueError` when a metadata field has a name that some store can't use."""
    for field in fields:
        check_field_name(field.name)


def schema_conflict(present: IndexSchema, wanted: IndexSchema) -> str | None:
    """Why an index of schema `present` can't store documents of schema `wanted`; None when it can."""
    if present.space.dim != wanted.space.dim:
        return f"it has vectors of {present.space.dim} dimensions, not {wanted.space.dim}"
    types = {field.name: field.type for field in present.fields}
    for field in wanted.fields:
        type = types.get(field.name, field.type)
        if type is not field.type:
            return f"its field {field.name} is {type.value}, not {field.type.value}"
    return None


def check_settings(settings: IndexSettings, store: str, levels: Collection[str]) -> None:
    """Raise `ConfigError` for settings of a cluster, and for a level that isn't one of these.

    Args:
        store: What the store is, for the message: `an embedded index`.
    """
    for name, value in settings.given().items():
        if name != "vectors":
            raise ConfigError(f"{name}: {store} has none; leave it out, or take a cluster as the store")
        if value not in levels:
            raise ConfigError(f"vectors: {store} can't compare them as {value}, only as {', '.join(levels)}")


def settings_conflict(
    present: IndexSettings, wanted: IndexSettings, changeable: Collection[str] = ()
) -> str | None:
    """Why an index of settings `present` can't get those `wanted`; None when it can."""
    made = DEFAULTS.extended_by(present).given()
    for name, value in wanted.given().items():
        if name not in changeable and value != made.get(name):
            return f"it was made with {name} {made.get(name)}, not {value}"
    return None


def merge_schemas(present: IndexSchema, wanted: IndexSchema) -> IndexSchema:
    """`present` with what `wanted` has beside; labels, calibration, origin are those of `wanted`, if any."""
    fields = {field.name: field for field in (*present.fields, *wanted.fields)}
    return replace(
        present,
        fields=tuple(fields.values()),
        runtimes=tuple(dict.fromkeys(present.runtimes + wanted.runtimes)),
        label_set=present.label_set if wanted.label_set is None else wanted.label_set,
        parts=tuple(dict.fromkeys(present.parts + wanted.parts)),
        calibration=wanted.calibration or present.calibration,
        texts=present.texts or wanted.texts,
        settings=present.settings.extended_by(wanted.settings),
        reencoded_from=wanted.reencoded_from or present.reencoded_from,
    )


def write_rejection(record: ImageRecord, detail: str) -> Rejection:
    """The rejection of a record that a store refused to write."""
    return reject(record, Stage.WRITE, Reason.WRITE_REJECTED, detail)


def valid_keys(keys: Iterable[str]) -> list[str]:
    """The distinct ids or contents that a document can have, out of those that are asked for."""
    return [key for key in dict.fromkeys(keys) if is_unicode(key)]


def validate_documents(
    documents: Sequence[StoredDocument], schema: IndexSchema
) -> tuple[dict[str, StoredDocument], list[Rejection]]:
    """The valid documents by id, of several with one id the last, and rejections of the others."""
    valid, rejections = {}, []
    for document in documents:
        if error := _validation_error(document.record, document.vector, schema):
            rejections.append(write_rejection(document.record, error))
        else:
            valid[document.record.id] = document
    return valid, rejections


def validate_records(
    records: Sequence[ImageRecord], schema: IndexSchema, stored: Container[str] | None = None
) -> tuple[dict[str, ImageRecord], list[Rejection]]:
    """The same of records for an update; `stored` are the ids of existing documents, if known."""
    valid, rejections = {}, []
    for record in records:
        is_stored = stored is None or record.id in stored
        if error := _validation_error(record, None, schema) if is_stored else NOT_STORED:
            rejections.append(write_rejection(record, error))
        else:
            valid[record.id] = record
    return valid, rejections


def _validation_error(record: ImageRecord, vector: Vector | None, schema: IndexSchema) -> str | None:
    """Why no store can keep this record (and vector, unless None), in one line; None when all can."""
    texts = (record.id, record.location, record.page or "", record.description)
    if not _are_texts(texts):
        return "a text is not valid Unicode: it has half of a surrogate pair"
    if vector is not None and (error := _vector_error(vector, schema.space.dim)):
        return error
    types = {field.name: field.type for field in schema.fields}
    for name, value in record.all_metadata.items():
        if name not in types:
            return f"field {name} is not one of the index's"
        if not _fits(value, types[name]):
            return f"field {name} is {types[name].value}, which {value!r:.80} is not"
    return None


def _vector_error(vector: Vector, dim: int) -> str | None:
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
    """Whether all are strings of valid Unicode; checked as one, because a document has hundreds."""
    try:
        "".join(values).encode()
    except (TypeError, UnicodeEncodeError):
        return False
    return True
