"""Text documents: how an index stores them beside its pictures.

index         a               a picture
index_texts   b               a text, encoded by the text tower

Ids are unique across both. The cosine of a text with a text is far higher than that with a picture, so texts
have an index of their own: what scores say of pictures stays as it is. Both have the same metadata fields, so
that filters apply to both.
"""

from __future__ import annotations

from esclip._core.parts import holds_parts
from esclip._core.schema import Field, FieldType, IndexSchema

MARK = Field("text_of", FieldType.KEYWORD)
"""The field of an index of texts by which it is known; no document has a value."""


def texts_index(index: str) -> str:
    """The name of the index that holds the texts beside an index's pictures."""
    return f"{index}_texts"


def holds_texts(schema: IndexSchema | None) -> bool:
    """Whether an index of this schema holds texts: one with pictures of its own may have such a name, too."""
    return schema is not None and MARK in schema.fields


def is_companion(schema: IndexSchema | None) -> bool:
    """Whether an index of this schema belongs to another one: it holds the parts or the texts of that."""
    return holds_parts(schema) or holds_texts(schema)
