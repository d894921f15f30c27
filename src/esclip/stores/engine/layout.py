"""Which fields of an index hold what of a document, and the way of documents from and to them.

mapping ─► read_layout ─► Layout ─┬─► schema
                                  ├─► names ─────────► the fields that requests ask for
                                  ├─► a hit ─────────► id, and a source as `stores.serialization` reads it
                                  └─► such a source ─► the fields of a document

In an index that esclip made, both sources are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esclip._core.schema import FieldType, IndexSchema, Space
from esclip.stores.engine.answers import get_object
from esclip.stores.engine.dialects import VECTOR_TYPES
from esclip.stores.engine.index_bodies import SYSTEM_FIELDS, schema_from_mapping, with_level
from esclip.stores.engine.names import DOCUMENT_ID, OWN, OWN_NAMES, FieldNames, is_number
from esclip.stores.engine.others_values import plain_text, plain_value
from esclip.stores.engine.paths import place, value_at


@dataclass(frozen=True, slots=True)
class Layout:
    """An index as its mapping describes it."""

    schema: IndexSchema
    names: FieldNames = OWN_NAMES
    has_words: bool = True
    """Whether documents may have what esclip adds to those of an adopted index: words, contents."""

    def id_of(self, hit: Mapping[str, Any]) -> str:
        """The id of a hit, or of a document that was read."""
        own: str = hit["_id"]
        if not self.names.is_adopted or self.names.id == DOCUMENT_ID:
            return own
        value = value_at(get_object(hit, "_source"), self.names.id)
        number = plain_value(value, FieldType.INTEGER) if self.names.numeric_ids else None
        return plain_text(value if number is None else number) or own

    @property
    def id_fields(self) -> list[str]:
        """The fields of a source without which `id_of` doesn't know the id."""
        return [self.names.id] if self.names.is_adopted and self.names.id != DOCUMENT_ID else []

    def source_of(self, hit: Mapping[str, Any]) -> Mapping[str, Any]:
        """The source of a hit under esclip's names."""
        source, names = get_object(hit, "_source"), self.names
        if not names.is_adopted:
            return source
        # anything may have written it
        texts = {name: plain_text(value_at(source, getattr(names, name))) for name in OWN if name != "vector"}
        values = {
            field.name: value
            for field in self.schema.fields
            if (value := plain_value(source.get(field.name), field.type)) is not None
        }
        return values | texts | {"page": texts["page"] or None, "vector": value_at(source, names.vector)}

    def to_fields(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a document that is written.

        Of an adopted index, metadata and descriptions that it had stay where there is nothing in their place.
        """
        names = self.names
        if not names.is_adopted:
            return dict(source)
        kept = {"description": "", **dict.fromkeys(names.fields or ())}
        written = {name: value for name, value in source.items() if name not in kept or value != kept[name]}
        if names.id == DOCUMENT_ID:
            written.pop("id", None)
        elif names.numeric_ids and "id" in written and is_number(written["id"]):
            written["id"] = int(written["id"])
        fields: dict[str, Any] = {}
        for name, value in written.items():
            place(fields, getattr(names, name) if name in OWN else name, value)
        return fields


def read_layout(mapping: Mapping[str, Any]) -> Layout:
    """The layout in a mapping. Raises as `schema_from_mapping`."""
    names = FieldNames.read(mapping)
    has_words = not names.is_adopted or names.words in mapping.get("properties", {})
    return Layout(schema_from_mapping(mapping), names, has_words)


def has_schema(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping has esclip's schema, by an ingest or an adoption."""
    return "esclip" in (mapping.get("_meta") or {})


def is_prepared(mapping: Mapping[str, Any]) -> bool:
    """Whether a mapping is esclip's but for the schema, as `mappings/*.json` in the repository are."""
    if has_schema(mapping):
        return False
    types = {name: property.get("type") for name, property in mapping.get("properties", {}).items()}
    own = {name: property["type"] for name, property in SYSTEM_FIELDS.items()}
    return own.items() <= types.items() and types.get(OWN_NAMES.vector) in VECTOR_TYPES.values()


def prepared_layout(mapping: Mapping[str, Any], space: Space) -> Layout:
    """The layout of such an index, for vectors of this space."""
    return Layout(with_level(IndexSchema(space), mapping["properties"][OWN_NAMES.vector]))
