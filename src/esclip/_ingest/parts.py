"""Parts of pictures at ingest: a source and a store around those of the run, which keep the parts in step.

Source ─► PartedSource ─► pipeline ─► PartedStore ─┬─► the index of parts, first: no picture lacks its own
          + what makes     + crops                 └─► the index
            them anew

An ingest that adds a kind has every picture's crops cut, and encodes the captions that are held.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

from esclip._concurrency.streams import batches
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
)
from esclip._core.rejections import Rejection
from esclip._core.schema import IndexSchema
from esclip._core.settings import PAGE_SIZE
from esclip._core.targets import CAPTIONS, CROPS
from esclip._core.types import Crop, Document, Fingerprint, ImageRecord, Vector
from esclip._errors import Hint, IndexExists
from esclip._ingest.pruning import IdSet
from esclip._protocols import Encoder, Source, Store
from esclip.sources.wrapper import SourceWrapper
from esclip.stores.wrapper import StoreWrapper

__all__ = ["PartsSource", "PartsStore", "StoreWithParts"]

log = logging.getLogger("esclip")


class PartsSource(SourceWrapper):
    """A source whose pictures are to have parts: that is in the records' fingerprints.

    Records with another fingerprint than without captions are not encoded for it.
    """

    def __init__(self, source: Source, kinds: Collection[str]) -> None:
        super().__init__(source)
        self._kinds = kinds

    def changed(self, record: ImageRecord) -> ImageRecord:
        """With the marks of its parts."""
        version, recipe = record.image_version, record.derivation
        if CROPS in self._kinds:
            version = _marked(version, CROPPING)
        if CAPTIONS in self._kinds:
            recipe = _marked(recipe, CAPTIONS)
        return replace(record, image_version=version, derivation=recipe)


class StoreWithParts(StoreWrapper):
    """A store whose documents are removed with their parts."""

    def __init__(self, store: Store, parts: Store, kinds: Collection[str]) -> None:
        """`parts` is the store's sibling for them; who opened it closes it."""
        super().__init__(store)
        self._parts = parts
        self._kinds = kinds

    def delete(self, ids: Sequence[str]) -> None:
        """Remove the parts, and then the pictures."""
        self._remove([part for id in ids for part in part_ids(id, self._kinds)])
        self.store.delete(ids)

    def scan_locations(self) -> Iterator[tuple[str, str]]:
        """And those of parts whose picture a kill has kept from being written, so that they can be pruned."""
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

    def _held(self, ids: Iterable[str]) -> Iterator[tuple[str, Fingerprint]]:
        """Those of these parts that are held."""
        for page in batches(ids, PAGE_SIZE):
            yield from self._parts.fingerprints(page).items()

    def _remove(self, ids: Iterable[str]) -> None:
        for page in batches((id for id, _ in self._held(ids)), PAGE_SIZE):
            self._parts.delete(page)


class PartsStore(StoreWithParts):
    """A store that is written to with parts."""

    def __init__(
        self, store: Store, parts: Store, encoder: Encoder, kinds: Collection[str], batch_size: int
    ) -> None:
        """`parts` is the store's sibling for them; its opener closes it.

        `encoder` encodes captions, at most `batch_size` in a call.
        """
        super().__init__(store, parts, kinds)
        self._encoder = encoder
        self._batch_size = batch_size

    def ensure_index(self, schema: IndexSchema) -> None:
        """Prepare both indexes. Raises `IndexExists` when the name of the second is taken."""
        held, beside = self.store.schema(), self._parts.schema()
        if beside is not None and not holds_parts(beside):
            raise IndexExists(
                f"index {self._parts.index!r} in {self.address} is where the parts of {self.index!r} would "
                "be kept, and holds pictures of its own",
                Hint.OTHER_INDEX,
            )
        if beside is not None and held is None:
            self._parts.drop()  # left by an index that is gone
        if beside is None and held is not None and held.parts:
            log.warning(
                "index %s has lost %s, which held its parts; to have them all again, drop it and ingest anew",
                self.index,
                self._parts.index,
            )
        self._parts.ensure_index(replace(schema, fields=(*schema.fields, *PART_FIELDS), parts=()))
        self.store.ensure_index(schema)

    def upsert(self, documents: Sequence[Document]) -> list[Rejection]:
        """Write the documents' parts, and then those that have theirs."""
        crops = [
            Document(
                crop_record(document.record, crop.number),
                crop.vector,
                crop_content(document.content, crop.number),
            )
            for document in self._with_crops(documents)
            for crop in document.crops
        ]
        records = [document.record for document in documents]
        parts = [*crops, *self._captions(records)]
        written = {part.record.id for part in parts}
        self._remove([id for id in self._ids(records) if id not in written])
        refused = self._refused(self._parts.upsert(parts), records)
        rest = [document for document in documents if document.record.id not in refused]
        refusals = [*refused.values(), *(self.store.upsert(rest) if rest else ())]
        self._forget(refusals)
        return refusals

    def update(self, records: Sequence[ImageRecord]) -> list[Rejection]:
        """Update the parts, encode captions that are new, and then update the pictures."""
        held = dict(self._held(self._ids(records)))
        possible = [part for record in records for part in self._possible(record)]
        ids = {part.id for part in possible}
        self._remove([id for id in held if id not in ids])
        new = [record for record in records if self._is_new(record, held.get(caption_id(record.id)))]
        others = held.keys() - {caption_id(record.id) for record in new}
        answers = self._parts.upsert(self._captions(new)) if new else []
        answers += self._parts.update([part for part in possible if part.id in others])
        refused = self._refused(answers, records)
        rest = [record for record in records if record.id not in refused]
        return [*refused.values(), *(self.store.update(rest) if rest else ())]

    def vectors_by_content(self, contents: Sequence[str]) -> dict[str, Vector]:
        """Where crops are wanted, of those that have been cut in all ways: others may have been without."""
        found = self.store.vectors_by_content(contents)
        if CROPS not in self._kinds:
            return found
        crops = self._crops(found)
        return {content: vector for content, vector in found.items() if len(crops[content]) == len(GRID)}

    def _with_crops(self, documents: Sequence[Document]) -> list[Document]:
        """With those of the same bytes where a document comes without: its vector was found by `vectors`."""
        without = {document.content for document in documents if document.content and not document.crops}
        held = self._crops(without) if CROPS in self._kinds else {}
        return [
            document if document.crops else replace(document, crops=held.get(document.content, ()))
            for document in documents
        ]

    def _crops(self, contents: Iterable[str]) -> dict[str, tuple[Crop, ...]]:
        """What is held of the crops of pictures of these bytes."""
        names = {c: [crop_content(c, number) for number in range(len(GRID))] for c in contents}
        wanted = [name for several in names.values() for name in several]
        held: dict[str, Vector] = {}
        for page in batches(wanted, PAGE_SIZE):
            held |= self._parts.vectors_by_content(page)
        return {
            content: tuple(Crop(at, held[name]) for at, name in enumerate(several) if name in held)
            for content, several in names.items()
        }

    def _captions(self, records: Sequence[ImageRecord]) -> list[Document]:
        captions: list[Document] = []
        for batch in batches(filter(self._has_caption, records), self._batch_size):
            vectors = self._encoder.encode_texts([record.description for record in batch])
            captions += map(Document, map(caption_record, batch), vectors)
        return captions

    def _has_caption(self, record: ImageRecord) -> bool:
        return CAPTIONS in self._kinds and bool(record.description.strip())

    def _is_new(self, record: ImageRecord, held: Fingerprint | None) -> bool:
        """Whether a picture has a caption other than the one that is held."""
        if not self._has_caption(record):
            return False
        return held is None or held.pixels != caption_record(record).fingerprint.pixels

    def _possible(self, record: ImageRecord) -> Iterator[ImageRecord]:
        """The parts that a picture may have by what is known of it."""
        if self._has_caption(record):
            yield caption_record(record)
        if CROPS in self._kinds:
            yield from (crop_record(record, number) for number in range(len(GRID)))

    def _ids(self, records: Iterable[ImageRecord]) -> list[str]:
        return [id for record in records for id in part_ids(record.id, self._kinds)]

    def _forget(self, refusals: Sequence[Rejection]) -> None:
        """Remove the parts of pictures that were refused, but of those that are held in an older shape."""
        ids = [refusal.id for refusal in refusals]
        held = self.store.fingerprints(ids) if ids else {}
        self._remove([part for id in ids if id not in held for part in part_ids(id, self._kinds)])

    def _refused(self, answers: Iterable[Rejection], records: Iterable[ImageRecord]) -> dict[str, Rejection]:
        """The pictures that have a part which was refused, each once, as rejections of the picture."""
        refused = {answer.id: answer for answer in answers}
        if not refused:
            return {}
        return {
            record.id: replace(refused[id], id=record.id, location=record.location, record=record)
            for record in records
            for id in part_ids(record.id, self._kinds)
            if id in refused
        }


def _marked(text: str, mark: str) -> str:
    """With the mark at its end, where a record of the ledger has it already."""
    return text if text.endswith(mark) else f"{text} {mark}".strip()
