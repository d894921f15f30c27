"""The fields of an index that another program made: which of them holds what. Pure functions of a mapping.

mapping ─► select_fields ─► TakenFields: vector, id, location, description, metadata; what is passed over, why

A vector, an id, a location and a description may lie in objects (`urls.full`); metadata may not.
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
from esclip.stores.engine.paths import NESTED, leaves

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
WHOLE_TYPES = ("long", "integer", "short", "byte")

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
    numeric_ids: bool
    """Whether these are whole numbers."""
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
    known = dict(leaves(properties))
    vector = _vector_field(index, engine, known, options["vector_field"])
    id, id_path = _id_field(index, known, options["id_field"])
    location = _text_field(index, known, options["location_field"], USUAL_LOCATIONS, "location_field")
    described = options["description_field"]
    description = _text_field(index, known, described, USUAL_DESCRIPTIONS, "description_field")
    own = {vector, id, location, description}
    fields, passed_over = [], {}
    paths = {} if id == DOCUMENT_ID else {id: id_path}
    for name, property in properties.items():
        if all(path in own for path, _ in leaves({name: property})):
            continue
        found = _metadata_field(name, property)
        if isinstance(found, str):
            passed_over[one_line(name, 100)] = found
        else:
            fields.append(found)
            paths[name] = _keyword_path(name, property) or name
    numeric_ids = id != DOCUMENT_ID and known[id].get("type") in WHOLE_TYPES
    return TakenFields(vector, id, numeric_ids, location, description, tuple(fields), paths, passed_over)


def _vector_field(index: str, engine: Engine, properties: Properties, named: str | None) -> str:
    kind = VECTOR_TYPES[engine]
    found = [name for name, property in properties.items() if property.get("type") == kind]
    if named is not None:
        _require_field(index, properties, named, "vector_field", found)
        if named not in found:
            raise ConfigError(
                f"vector_field: field {named!r} of index {index!r} is {_kind_of(properties[named])}, "
                f"not {kind}"
            )
        return named
    if not found:
        nested = [name for name, property in properties.items() if property.get("of") == kind]
        where = f"; those of {one_line(nested[0], 100)} are nested, several to a document" if nested else ""
        raise IndexMismatch(f"index {index!r} has no field of vectors: none is {kind}{where}")
    if len(found) > 1:
        raise ConfigError(
            f"index {index!r} has several fields of vectors: {one_line(', '.join(found), 300)}",
            Hint.VECTOR_FIELD,
        )
    return found[0]


def _id_field(index: str, properties: Properties, named: str | None) -> tuple[str, str]:
    """The field of ids as documents have it, and that which requests compare."""
    if named is None:
        paths = ((name, _id_path(name, properties.get(name, {}))) for name in USUAL_IDS)
        return next(((name, path) for name, path in paths if path), (DOCUMENT_ID, DOCUMENT_ID))
    if named == DOCUMENT_ID:
        return named, named
    id = _written_field(properties, named)
    _require_field(index, properties, id, "id_field", [*properties, DOCUMENT_ID])
    path = _id_path(id, properties[id])
    if not path:
        raise ConfigError(
            f"id_field: documents of index {index!r} can't be put in the order of field {named!r}, which is "
            f"{_kind_of(properties[id])}: ids are of a keyword, of a text with a keyword below it, or whole "
            "numbers",
            Hint.ID_FIELD,
        )
    return id, path


def _id_path(name: str, property: Mapping[str, Any]) -> str | None:
    """The field that puts documents in the order of their ids; None where it can't."""
    if property.get("type") in WHOLE_TYPES:
        return name if property.get("index", True) and property.get("doc_values", True) else None
    return _keyword_path(name, property)


def _written_field(properties: Properties, named: str) -> str:
    """The field that documents have: of a field below another (`title.keyword`), that one."""
    parent, _, below = named.rpartition(".")
    return parent if below in properties.get(parent, {}).get("fields", {}) else named


def _kind_of(property: Mapping[str, Any]) -> str:
    """The type of a field, for an error."""
    kind = one_line(str(property.get("type", "an object")), 50)
    return "within nested objects, several to a document" if kind == NESTED else kind


def _text_field(
    index: str, properties: Properties, named: str | None, usual: Sequence[str], option: str
) -> str | None:
    if named == "":
        return None
    if named is None:
        texts = (name for name in usual if properties.get(name, {}).get("type") in TEXT_TYPES)
        return next(texts, None)
    field = _written_field(properties, named)
    _require_field(index, properties, field, option, list(properties))
    if properties[field].get("type") not in TEXT_TYPES:
        raise ConfigError(
            f"{option}: field {named!r} of index {index!r} is {_kind_of(properties[field])}, not text or "
            "keyword"
        )
    return field


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
