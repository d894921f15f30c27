"""Sources for an index whose field `color` is its own, of another type: colours of pictures stay out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from esclip._core.picture_color import COLOR
from esclip._core.schema import Field, FieldType
from esclip._core.types import ImageRecord
from esclip._protocols import Source
from esclip.sources.wrapper import SourceWrapper


def without_conflict(source: Source, index_fields: Sequence[Field]) -> Source:
    """The source, without colours of pictures where the index has another field `color`."""
    types = {field.name: field.type for field in index_fields}
    return source if types.get(COLOR, FieldType.KEYWORD) is FieldType.KEYWORD else _ColorlessSource(source)


class _ColorlessSource(SourceWrapper):
    @property
    def fields(self) -> Sequence[Field]:
        return tuple(field for field in self.source.fields if field.name != COLOR)

    def transform(self, record: ImageRecord) -> ImageRecord:
        return replace(
            record,
            picture_fields=tuple(name for name in record.picture_fields if name != COLOR),
            metadata={name: value for name, value in record.metadata.items() if name != COLOR},
        )
