"""The names of a document's own fields in an index: esclip's, or those of the program that made it.

An index that was adopted keeps the names in its mapping, `_meta.esclip.adopted`. What its documents lack of
esclip's own fields, such as fingerprints, gets names that begin with `esclip_`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DOCUMENT_ID = "_id"
"""As the name of the field of ids: they are in no field, but are the documents' own."""

PREFIX = "esclip_"
"""Of the fields that esclip adds to an index that it has adopted."""

TAKEN = ("id", "vector", "location", "description")
"""The fields that an adopted index may have under other names."""


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The names of a document's own fields: those of an index that esclip made."""

    id: str = "id"
    vector: str = "vector"
    location: str = "location"
    page: str = "page"
    description: str = "description"
    pixels_fingerprint: str = "pixels_fingerprint"
    record_fingerprint: str = "record_fingerprint"
    content_fingerprint: str = "content_fingerprint"
    words: str = "words"
    fields: Mapping[str, str] | None = field(default=None, hash=False)
    """Of an adopted index: the fields that requests compare, by the names in its documents: of the id, and of
    all metadata that it had. None: esclip made the index."""

    @classmethod
    def of_others(cls, taken: Mapping[str, str], fields: Mapping[str, str]) -> FieldNames:
        """The names in an adopted index, of which `taken` are the index's own."""
        added = {name: PREFIX + name for name in OWN}
        return cls(**(added | dict(taken)), fields=dict(fields))

    @classmethod
    def read(cls, mapping: Mapping[str, Any]) -> FieldNames:
        """The names in a mapping. Raises `LookupError`, `TypeError` or `ValueError` for what is no mapping of
        an index that esclip made or adopted.
        """
        stored = mapping["_meta"]["esclip"].get("adopted")
        if stored is None:
            return OWN_NAMES
        taken, fields = stored["names"], stored["fields"]
        if not taken.keys() <= set(TAKEN) or "vector" not in taken:
            raise ValueError("other names than an adopted index has")
        if not all(isinstance(name, str) and name for part in (taken, fields) for name in part.values()):
            raise ValueError("names that are no texts")
        return cls.of_others(taken, fields)

    def to_json(self) -> dict[str, Any]:
        """The names of an adopted index, as its mapping keeps them."""
        taken = {name: getattr(self, name) for name in TAKEN}
        own = {name: value for name, value in taken.items() if not value.startswith(PREFIX)}
        return {"names": own, "fields": dict(self.fields or {})}

    @property
    def is_adopted(self) -> bool:
        """Whether another program made the index."""
        return self.fields is not None

    def path(self, name: str) -> str:
        """The field that requests compare where documents have `name`."""
        return self.fields.get(name, name) if self.fields else name

    @property
    def required(self) -> list[dict[str, Any]]:
        """The clauses that documents fulfil that can be found: others may lie in an adopted index."""
        if not self.is_adopted:
            return []
        fields = [self.vector] if self.id == DOCUMENT_ID else [self.vector, self.path(self.id)]
        return [{"exists": {"field": field}} for field in fields]


OWN_NAMES = FieldNames()
OWN = tuple(name for name in FieldNames.__dataclass_fields__ if name != "fields")
