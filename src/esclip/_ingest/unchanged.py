"""Which records the index has as they are, and what it knows of them that an ingest doesn't say.

record, stored fingerprint ─┬─► is_unchanged
                            └─► with the crops and the caption that the index has
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from esclip._core.captions import with_stored_caption
from esclip._core.types import Fingerprint, ImageRecord
from esclip._protocols import Store


def is_unchanged(record: ImageRecord, stored: Fingerprint | None) -> bool:
    """Whether the index has a record as it is; a stored caption stays where the ingest has none."""
    if stored is None or stored == record.fingerprint:
        return stored is not None
    if not stored.has_caption or record.captioned is not None:
        return False
    if record.caption_by and stored.has_machine_caption:  # of another captioner
        return False
    return stored.without_caption == replace(record, description="", caption_by="").fingerprint


def with_stored_detection(record: ImageRecord, stored: Fingerprint | None) -> ImageRecord:
    """The record with the crops that the index has of an unchanged picture, where the ingest says none."""
    if stored is None or record.detection is not None:
        return record
    picture, _, detection = stored.pixels.partition("+")
    is_same = bool(detection) and record.fingerprint.pixels == picture
    return replace(record, detection=detection) if is_same else record


def with_stored_captions(
    records: Sequence[ImageRecord], stored: Mapping[str, Fingerprint], store: Store
) -> list[ImageRecord]:
    """The records, with the captions in the index where the ingest has none."""
    ids = [record.id for record in records if _may_have_caption(record, stored.get(record.id))]
    documents = store.documents(ids) if ids else {}
    return [
        with_stored_caption(record, documents[record.id], stored[record.id])
        if record.id in documents
        else record
        for record in records
    ]


def _may_have_caption(record: ImageRecord, stored: Fingerprint | None) -> bool:
    """Whether the index may have a caption of a record for which this ingest has none.

    Older versions did not mark captions; but a file in a folder has no other description. What a machine has
    written is of the picture as it was, and gives way to what another one says.
    """
    if stored is None:
        return False
    if stored.has_machine_caption and record.caption_by:
        return stored.pixels == record.fingerprint.pixels and stored.caption == record.fingerprint.caption
    if record.captioned is not None:
        return False
    if stored.has_machine_caption and stored.pixels != record.fingerprint.pixels:
        return False
    return stored.has_caption or record.is_of_file
