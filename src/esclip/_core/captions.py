"""Captions that a model writes: what marks them, and what a text has to be to become one.

record without a description ─► caption_by: the captioner ─► caption ─► description, and the field caption_by

No fingerprint counts a machine's words, but whose they are: another model's replace them, and a person's do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from esclip._core.schema import Field, FieldType
from esclip._core.types import Fingerprint, ImageRecord, StoredDocument

RgbArray: TypeAlias = npt.NDArray[np.uint8]
"""A picture: shape (height, width, 3)."""

CAPTION_BY = Field("caption_by", FieldType.KEYWORD)
"""Names the captioner that has written a document's description; a person's has no such field."""

MAX_CAPTION_BYTES = 64 * 1024
"""A longer caption is cut off."""


def clip_caption(text: str) -> str:
    """A text cut to the maximum length, without an incomplete character at the end."""
    text = text.strip()
    data = text.encode()
    return (
        text if len(data) <= MAX_CAPTION_BYTES else data[:MAX_CAPTION_BYTES].decode(errors="ignore").strip()
    )


def clean_caption(text: str) -> str:
    """A machine's text as one line of printable characters, cut to the maximum length."""
    return clip_caption(" ".join("".join(c if c.isprintable() else " " for c in text).split()))


def with_caption(record: ImageRecord, caption: str) -> ImageRecord:
    """The record with a caption by its captioner; as it is where that has nothing to say."""
    if not caption:
        return record
    derived = {**record.derived, CAPTION_BY.name: record.caption_by}
    return replace(record, description=caption, derived=derived)


def with_stored_caption(record: ImageRecord, document: StoredDocument, stored: Fingerprint) -> ImageRecord:
    """The record with the caption of its document, as a person's or a machine's."""
    caption = document.record.description
    if not caption:
        return record
    if not stored.has_machine_caption:
        return replace(record, description=caption, captioned=True, caption_by="")
    by = str(document.record.all_metadata.get(CAPTION_BY.name, ""))
    return with_caption(replace(record, caption_by=by), caption) if by else record
