"""The names of a document's own fields in an index: esclip's, or those of the program that made it.

An index that was adopted keeps the names in its mapping, `_meta.esclip.adopted`. What its documents lack of
esclip's own fields, such as fingerprints, gets names that begin with `esclip_`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

DOCUMENT_ID = "_id"
"""As the name of the field of ids: they are in no field, but are the documents' own."""

PREFIX = "esclip_"
"""Of the fields that esclip adds to an index that it has adopted."""

FLAGS = ("numeric_ids", "filters_by_script")
"""What is so of some adopted indexes."""

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
    numeric_ids: bool = False
    """Whether ids are whole numbers in an adopted index. They are the texts of these."""
    metric: str | None = None
    """How an adopted index compares vectors first, where that is not by cosine."""
    filters_by_script: bool = False
    """Whether its graph can't be filtered: of a filtered search all that fulfil the filter are compared."""
    fields: Mapping[str, str] | None = field(default=None, hash=False)
    """Of an adopted index: the fields that requests compare, by the names in its documents: of the id, and of
    all metadata that it had. None: esclip made the index."""

    @classmethod
    def of_others(
        cls,
        taken: Mapping[str, str],
        fields: Mapping[str, str],
        *,
        numeric_ids: bool = False,
        metric: str | None = None,
        filters_by_script: bool = False,
    ) -> FieldNames:
        """The names in an adopted index, of which `taken` are the index's own."""
        added = {name: PREFIX + name for name in OWN}
        names: dict[str, Any] = added | dict(taken)
        names |= {"numeric_ids": numeric_ids, "metric": metric, "filters_by_script": filters_by_script}
        return cls(**names, fields=dict(fields))

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
        flags = {name: stored.get(name, False) for name in FLAGS}
        metric = stored.get("metric")
        if not all(isinstance(flag, bool) for flag in flags.values()) or not isinstance(metric, str | None):
            raise ValueError("what no adoption writes")
        return cls.of_others(taken, fields, metric=metric, **flags)

    def to_json(self) -> dict[str, Any]:
        """The names of an adopted index, as its mapping keeps them."""
        own = {name: value for name in TAKEN if not (value := getattr(self, name)).startswith(PREFIX)}
        found: dict[str, Any] = {"names": own, "fields": dict(self.fields or {})}
        found |= {name: True for name in FLAGS if getattr(self, name)}
        return found | ({"metric": self.metric} if self.metric else {})

    @property
    def is_adopted(self) -> bool:
        """Whether another program made the index."""
        return self.fields is not None

    def path(self, name: str) -> str:
        """The field that requests compare where documents have `name`."""
        return self.fields.get(name, name) if self.fields else name

    def id_values(self, ids: Iterable[str]) -> list[str]:
        """The ids that a document may have, of some: of numbers only such."""
        return [id for id in ids if not self.numeric_ids or is_number(id)]

    @property
    def required(self) -> list[dict[str, Any]]:
        """The clauses that documents fulfil that can be found: others may lie in an adopted index."""
        if not self.is_adopted:
            return []
        fields = [self.vector] if self.id == DOCUMENT_ID else [self.vector, self.path(self.id)]
        return [{"exists": {"field": field}} for field in fields]


def is_number(id: str) -> bool:
    """Whether an id is the text of a whole number that engines keep, from 0."""
    return id.isascii() and id.isdigit() and (id == "0" or id[0] != "0") and int(id) < 2**63


OWN_NAMES = FieldNames()
OWN = tuple(name for name in FieldNames.__dataclass_fields__ if name not in (*FLAGS, "metric", "fields"))
