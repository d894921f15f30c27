"""The fields of an index that another program made: which of them holds what. Pure functions of a mapping.

mapping ─► select_fields ─► TakenFields: vector, id, location, description, metadata; what is passed over, why
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from esclip._core.adoption import AdoptOptions
from esclip._core.field_names import check_field_name
from esclip._core.schema import Field, FieldType
from esclip._errors import ConfigError, Hint, IndexMismatch, one_line, suggest
from esclip.stores.engine.dialects import VECTOR_TYPES, Engine
from esclip.stores.engine.names import DOCUMENT_ID, PREFIX

USUAL_IDS = ("photo_id", "image_id", "picture_id", "id")
USUAL_LOCATIONS = (
    "photo_url",
    "photo_image_url",
    "image_url",
    "url",
    "location",
    "image_path",
    "path",
    "uri",
)
USUAL_DESCRIPTIONS = ("describe", "description", "photo_description", "caption", "text", "title")

TEXT_TYPES = ("keyword", "text", "wildcard", "match_only_text")

PLAIN_TYPES = {
    "long": FieldType.INTEGER,
    "integer": FieldType.INTEGER,
    "short": FieldType.INTEGER,
    "byte": FieldType.INTEGER,
    "double": FieldType.FLOAT,
    "float": FieldType.FLOAT,
    "half_float": FieldType.FLOAT,
    "scaled_float": FieldType.FLOAT,
    "boolean": FieldType.BOOLEAN,
    "date": FieldType.DATE,
    "geo_point": FieldType.GEO_POINT,
    "text": FieldType.TEXT,
    "match_only_text": FieldType.TEXT,
}
"""Types of fields by an engine's, but for keywords."""

ISO_DATE = "strict_date_optional_time"
"""The format of dates that filters are written in, and every date field has unless it names others."""

Properties = Mapping[str, Mapping[str, Any]]


class TakenFields(NamedTuple):
    """Which field holds what."""

    vector: str
    id: str
    location: str | None
    description: str | None
    fields: tuple[Field, ...]
    """Metadata; keywords of which some documents have several are not told from others."""
    paths: Mapping[str, str]
    """The fields that requests compare, by name: of the id, and of all metadata."""
    passed_over: Mapping[str, str]
    """Why a field is not taken."""


def select_fields(index: str, engine: Engine, properties: Properties, options: AdoptOptions) -> TakenFields:
    """The fields that hold what is asked for. Raises `ConfigError` or `IndexMismatch` where none does."""
    vector = _vector_field(index, engine, properties, options["vector_field"])
    id = _id_field(index, properties, options["id_field"])
    location = _text_field(index, properties, options["location_field"], USUAL_LOCATIONS, "location_field")
    described = options["description_field"]
    description = _text_field(index, properties, described, USUAL_DESCRIPTIONS, "description_field")
    own = {vector, id, location, description}
    fields, passed_over = [], {}
    paths = {} if id == DOCUMENT_ID else {id: _keyword_path(id, properties[id]) or id}
    for name, property in properties.items():
        if name in own:
            continue
        found = _metadata_field(name, property)
        if isinstance(found, str):
            passed_over[one_line(name, 100)] = found
        else:
            fields.append(found)
            paths[name] = _keyword_path(name, property) or name
    return TakenFields(vector, id, location, description, tuple(fields), paths, passed_over)


def _vector_field(index: str, engine: Engine, properties: Properties, named: str | None) -> str:
    kind = VECTOR_TYPES[engine]
    found = [name for name, property in properties.items() if property.get("type") == kind]
    if named is not None:
        _require_field(index, properties, named, "vector_field", found)
        if named not in found:
            raise ConfigError(
                f"vector_field: field {named!r} of index {index!r} is "
                f"{one_line(str(properties[named].get('type', 'an object')), 50)}, not {kind}"
            )
        return named
    if not found:
        raise IndexMismatch(f"index {index!r} has no field of vectors: none is {kind}")
    if len(found) > 1:
        raise ConfigError(
            f"index {index!r} has several fields of vectors: {one_line(', '.join(found), 300)}",
            Hint.VECTOR_FIELD,
        )
    return found[0]


def _id_field(index: str, properties: Properties, named: str | None) -> str:
    if named is None:
        usual = (name for name in USUAL_IDS if _keyword_path(name, properties.get(name, {})))
        return next(usual, DOCUMENT_ID)
    if named == DOCUMENT_ID:
        return named
    _require_field(index, properties, named, "id_field", [*properties, DOCUMENT_ID])
    if not _keyword_path(named, properties[named]):
        raise ConfigError(
            f"id_field: documents of index {index!r} can't be put in the order of field {named!r}, which is "
            f"{one_line(str(properties[named].get('type', 'an object')), 50)}: ids are of a keyword, or of a "
            "text with a keyword below it",
            Hint.ID_FIELD,
        )
    return named


def _text_field(
    index: str, properties: Properties, named: str | None, usual: Sequence[str], option: str
) -> str | None:
    if named == "":
        return None
    if named is None:
        texts = (name for name in usual if properties.get(name, {}).get("type") in TEXT_TYPES)
        return next(texts, None)
    _require_field(index, properties, named, option, list(properties))
    if properties[named].get("type") not in TEXT_TYPES:
        kind = one_line(str(properties[named].get("type", "an object")), 50)
        raise ConfigError(f"{option}: field {named!r} of index {index!r} is {kind}, not text or keyword")
    return named


def _require_field(index: str, properties: Properties, named: str, option: str, known: Sequence[str]) -> None:
    if named not in properties:
        meant = one_line(suggest(named, known), 200)
        raise ConfigError(
            f"{option}: index {index!r} has no field {named!r:.100}" + (f"; it has {meant}" if meant else "")
        )


def _metadata_field(name: str, property: Mapping[str, Any]) -> Field | str:
    """A field of metadata, or why it is none."""
    if name.startswith(PREFIX):
        return "its name is esclip's"
    try:
        check_field_name(name)
    except ValueError:
        return "esclip uses its name, or can't"
    kind = property.get("type", "object")
    if property.get("index") is False or property.get("enabled") is False:
        return "it is not indexed"
    if _keyword_path(name, property):
        return Field(name, FieldType.KEYWORD)
    if kind == "date" and ISO_DATE not in str(property.get("format", ISO_DATE)):
        return "its dates have a format of their own"
    if kind not in PLAIN_TYPES:
        return f"it is {one_line(str(kind), 50)}"
    return Field(name, PLAIN_TYPES[kind])


def _keyword_path(name: str, property: Mapping[str, Any]) -> str | None:
    """The keyword that a field is, or has below it; None where it can't be ordered and filtered by one."""
    if property.get("type") == "keyword":
        return name if property.get("index", True) and property.get("doc_values", True) else None
    if property.get("type") == "text":
        below = property.get("fields", {})
        return next((f"{name}.{sub}" for sub, one in below.items() if _keyword_path(sub, one)), None)
    return None
