"""Parts of pictures at ingest: wrappers of source and store that keep the parts up to date.

Source ─► PartedSource ─► pipeline ─► PartedStore ─┬─► the index of parts, first: no picture lacks its own
          + what makes     + crops                 └─► the index
            them anew

An ingest that adds a kind crops every picture, or encodes the captions in the index.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from threading import Event

from esclip._concurrency.streams import batches
from esclip._core.index_settings import NO_SETTINGS
from esclip._core.parts import (
    CROPPING,
    GRID,
    PART_FIELDS,
    caption_id,
    caption_record,
    crop_content,
    crop_record,
    holds_parts,
    part_base,
    part_ids,
    stored_box,
)
from esclip._core.rejections import Rejection
from esclip._core.schema import IndexSchema
from esclip._core.settings import PAGE_SIZE
from esclip._core.targets import CAPTIONS, CROPS
from esclip._core.types import Box, Crop, Fingerprint, ImageRecord, StoredDocument, Vector
from esclip._errors import Hint, IndexExists
from esclip._ingest.id_set import IdSet
from esclip._protocols import Encoder, Source, Store
from esclip.sources.wrapper import SourceWrapper
from esclip.stores.wrapper import StoreWrapper

log = logging.getLogger("esclip")


class PartsSource(SourceWrapper):
    """A source that marks its records with the parts of their pictures, so that they are made where missing.

    Crops are in the picture's fingerprint, captions in the record's: for them no picture is encoded again.
    """

    def __init__(self, source: Source, kinds: Collection[str], detection: str | None = None) -> None:
        """`detection` is as `ImageRecord.detection`."""
        super().__init__(source)
        self._kinds = kinds
        self._detection = detection

    def transform(self, record: ImageRecord) -> ImageRecord:
        """Add the marks of the parts to image version and derivation."""
        image_version, derivation, detection = record.image_version, record.derivation, None
        if CROPS in self._kinds:
            image_version, detection = _append_mark(image_version, CROPPING), self._detection
        if CAPTIONS in self._kinds:
            derivation = _append_mark(derivation, CAPTIONS)
        return replace(record, image_version=image_version, derivation=derivation, detection=detection)


class StoreWithParts(StoreWrapper):
    """A store that deletes documents with their parts."""

    def __init__(self, store: Store, parts: Store, kinds: Collection[str]) -> None:
        """`parts` is the index of parts beside the store's; its opener closes it."""
        super().__init__(store)
        self._parts = parts
        self._kinds = kinds

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the parts, and then the pictures."""
        self._remove([part for id in ids for part in part_ids(id, self._kinds)])
        self.store.delete(ids)

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """Includes parts whose picture a killed run has not written, so that they can be pruned."""
        pictures = IdSet()
        for id, location in self.store.scan_locations():
            pictures.add(part_base(id))
            yield id, location
        for part, location in self._parts.scan_locations():
            base = part.rpartition("#")[0]
            if pictures.add(base):
                yield base, location

    @contextmanager
    def bulk_load(self, cancelled: Event | None = None) -> Iterator[None]:
        """For both indexes."""
        with self.store.bulk_load(cancelled), self._parts.bulk_load(cancelled):
            yield

    def _stored(self, ids: Iterable[str]) -> Iterator[tuple[str, Fingerprint]]:
        """Which of these parts are stored, with their fingerprints."""
        for page in batches(ids, PAGE_SIZE):
            yield from self._parts.fingerprints(page).items()

    def _remove(self, ids: Iterable[str]) -> None:
        for page in batches((id for id, _ in self._stored(ids)), PAGE_SIZE):
            self._parts.delete(page)


class PartsStore(StoreWithParts):
    """A store that writes documents with their parts."""

    def __init__(
        self, store: Store, parts: Store, encoder: Encoder, kinds: Collection[str], batch_size: int
    ) -> None:
        """`parts` is the index of parts beside the store's; its opener closes it.

        `encoder` encodes captions, at most `batch_size` in a call.
        """
        super().__init__(store, parts, kinds)
        self._encoder = encoder
        self._batch_size = batch_size

    def ensure_index(self, schema: IndexSchema) -> None:
        """Prepare both indexes. Raises `IndexExists` when the name of the second is taken."""
        schema_before, parts_schema = self.store.schema(), self._parts.schema()
        if parts_schema is not None and not holds_parts(parts_schema):
            raise IndexExists(
                f"index {self._parts.index!r} in {self.address} is where the parts of {self.index!r} would "
                "be kept, and holds pictures of its own",
                Hint.OTHER_INDEX,
            )
        if parts_schema is not None and schema_before is None:
            self._parts.drop()  # left over from a dropped index
        if parts_schema is None and schema_before is not None and schema_before.parts:
            log.warning(
                "index %r has lost %s, which held its parts; to have them all again, drop it and ingest anew",
                self.index,
                self._parts.index,
            )
        made = NO_SETTINGS if parts_schema or not schema_before else schema_before.settings
        settings, fields = made.extended_by(schema.settings), (*schema.fields, *PART_FIELDS)
        self._parts.ensure_index(replace(schema, fields=fields, parts=(), settings=settings))
        self.store.ensure_index(schema)

    def upsert(self, documents: Sequence[StoredDocument]) -> list[Rejection]:
        """Write the documents' parts, and then the documents whose parts were accepted."""
        crops = [
            StoredDocument(
                crop_record(document.record, crop.number, crop.box),
                crop.vector,
                crop_content(document.content, crop.number, detected=crop.box is not None),
            )
            for document in self._with_crops(documents)
            for crop in document.crops
        ]
        records = [document.record for document in documents]
        parts = [*crops, *self._captions(records)]
        written = {part.record.id for part in parts}
        self._remove([id for id in self._ids(records) if id not in written])
        refused = self._refused(self._parts.upsert(parts), records)
        accepted = [document for document in documents if document.record.id not in refused]
        rejections = [*refused.values(), *(self.store.upsert(accepted) if accepted else ())]
        self._remove_orphans(rejections)
        return rejections

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Update the parts, encode new captions, and then update the pictures."""
        stored = dict(self._stored(self._ids(records)))
        boxes = self._stored_boxes(records)
        possible = [part for record in records for part in self._possible(record, boxes)]
        ids = {part.id for part in possible}
        self._remove([id for id in stored if id not in ids])
        new = [record for record in records if self._is_new(record, stored.get(caption_id(record.id)))]
        others = stored.keys() - {caption_id(record.id) for record in new}
        rejections = self._parts.upsert(self._captions(new)) if new else []
        rejections += self._parts.update([part for part in possible if part.id in others])
        refused = self._refused(rejections, records)
        accepted = [record for record in records if record.id not in refused]
        return [*refused.values(), *(self.store.update(accepted) if accepted else ())]

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """With crops, only pictures that have all of them: others may be from an ingest without crops."""
        vectors = self.store.vectors_by_content(contents)
        if CROPS not in self._kinds:
            return vectors
        crops = self._crops(vectors)
        return {content: vector for content, vector in vectors.items() if len(crops[content]) == len(GRID)}

    def _with_crops(self, documents: Sequence[StoredDocument]) -> list[StoredDocument]:
        """Documents without crops get those of the same bytes: their vector is from `vectors_by_content`."""
        lacking = [one for one in documents if not (one.crops or one.record.detection)]
        contents = {document.content for document in lacking if document.content}
        crops = self._crops(contents) if CROPS in self._kinds else {}
        return [
            document
            if document.crops or document.record.detection
            else replace(document, crops=crops.get(document.content, ()))
            for document in documents
        ]

    def _crops(self, contents: Iterable[str]) -> dict[str, tuple[Crop, ...]]:
        """The stored crops of pictures with these bytes."""
        names = {c: [crop_content(c, number) for number in range(len(GRID))] for c in contents}
        vectors: dict[str, Vector] = {}
        for page in batches(chain.from_iterable(names.values()), PAGE_SIZE):
            vectors |= self._parts.vectors_by_content(page)
        return {
            content: tuple(
                Crop(number, vectors[name]) for number, name in enumerate(crops) if name in vectors
            )
            for content, crops in names.items()
        }

    def _captions(self, records: Sequence[ImageRecord]) -> list[StoredDocument]:
        captions: list[StoredDocument] = []
        for batch in batches(filter(self._has_caption, records), self._batch_size):
            vectors = self._encoder.encode_texts([record.description for record in batch])
            captions += map(StoredDocument, map(caption_record, batch), vectors)
        return captions

    def _has_caption(self, record: ImageRecord) -> bool:
        return CAPTIONS in self._kinds and bool(record.description.strip())

    def _is_new(self, record: ImageRecord, stored: Fingerprint | None) -> bool:
        """Whether a picture has a caption that differs from the stored one."""
        if not self._has_caption(record):
            return False
        return stored is None or stored.pixels != caption_record(record).fingerprint.pixels

    def _stored_boxes(self, records: Iterable[ImageRecord]) -> dict[str, Box | None]:
        """The boxes of stored crops, by their ids, of pictures in which a detector has found them."""
        ids = (id for record in records if record.detection for id in part_ids(record.id, [CROPS]))
        return {
            id: stored_box(part.record.metadata)
            for page in batches(ids, PAGE_SIZE)
            for id, part in self._parts.documents(page).items()
        }

    def _possible(self, record: ImageRecord, boxes: Mapping[str, Box | None]) -> Iterator[ImageRecord]:
        """All parts that a picture may have; `boxes` are those of the crops that aren't of the grid."""
        if self._has_caption(record):
            yield caption_record(record)
        if CROPS in self._kinds:
            for number, id in enumerate(part_ids(record.id, [CROPS])):
                yield crop_record(record, number, boxes.get(id))

    def _ids(self, records: Iterable[ImageRecord]) -> list[str]:
        return [id for record in records for id in part_ids(record.id, self._kinds)]

    def _remove_orphans(self, rejections: Sequence[Rejection]) -> None:
        """Remove the parts of rejected pictures, except of those that are in the index from before."""
        ids = [rejection.id for rejection in rejections]
        stored = self.store.fingerprints(ids) if ids else {}
        self._remove([part for id in ids if id not in stored for part in part_ids(id, self._kinds)])

    def _refused(
        self, rejections: Iterable[Rejection], records: Iterable[ImageRecord]
    ) -> dict[str, Rejection]:
        """Rejections of pictures with a rejected part, one each, by the picture's id."""
        refused = {rejection.id: rejection for rejection in rejections}
        if not refused:
            return {}
        return {
            record.id: replace(refused[id], id=record.id, location=record.location, record=record)
            for record in records
            for id in part_ids(record.id, self._kinds)
            if id in refused
        }


def _append_mark(text: str, mark: str) -> str:
    """Append the mark, unless it is there: a record from the ledger has it already."""
    return text if text.endswith(mark) else f"{text} {mark}".strip()
