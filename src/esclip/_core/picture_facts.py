"""Picture facts: what a picture's own bytes say of it, as metadata.

decoded picture, or only its header ─► facts ─► those that a record's `picture_fields` names ─► its `derived`

A fact that the source's metadata has stays as the source has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from esclip._core.picture_color import COLOR
from esclip._core.schema import Field, FieldType
from esclip._core.types import ImageRecord, Metadata

PICTURE_FIELDS = (
    Field("width", FieldType.INTEGER),
    Field("height", FieldType.INTEGER),
    Field("orientation", FieldType.KEYWORD),
    Field(COLOR, FieldType.KEYWORD),
    Field("format", FieldType.KEYWORD),
    Field("taken_at", FieldType.DATE),
    Field("camera_make", FieldType.KEYWORD),
    Field("camera_model", FieldType.KEYWORD),
    Field("point", FieldType.GEO_POINT),
)
"""All facts, named as the Unsplash dataset's fields of the same meaning."""

CERTAIN = frozenset({"width", "height", "orientation", COLOR, "format"})
"""Facts of every picture. A document that lacks one was written before it was known, and its file is read for
it at the next ingest: further facts of every picture belong here, too."""

SHOWN_FACTS = ("width", "height", COLOR)
"""What a page keeps the place of a picture by while it loads: facts of pictures that are no files, too."""


def with_facts(record: ImageRecord, facts: Metadata) -> ImageRecord:
    """The record with those of the facts that it names and its metadata lacks."""
    named = {
        name: facts[name] for name in record.picture_fields if name in facts and name not in record.metadata
    }
    return replace(record, derived={**record.derived, **named}) if named else record


def stored_facts(record: ImageRecord, stored: Metadata) -> Metadata | None:
    """The facts of the record's picture in the metadata of its document; None where some are missing."""
    certain = CERTAIN.intersection(record.picture_fields).difference(record.metadata)
    return (
        {name: stored[name] for name in record.picture_fields if name in stored}
        if certain <= stored.keys()
        else None
    )


def shape_facts(width: int, height: int) -> Mapping[str, int | str]:
    """The facts of a picture's size in pixels."""
    orientation = "square" if width == height else "landscape" if width > height else "portrait"
    return {"width": width, "height": height, "orientation": orientation}
