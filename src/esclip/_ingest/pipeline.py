"""The pipeline: a source's records become documents of a store, or rejections of the report.

    Source.records() ─► unchanged? ─► fetch ─► bytes seen? ─► decode ─► batches ─► encode ─► Store.upsert
       one thread        by page    N threads   by batch    M threads    of B    its own       its own
                            │           │           │           │                threads       threads
                            ├ skipped   │           └ written   │                   └ raises     └ rejected
                            └ updated   └────── rejected ───────┘
                                        IngestProgress: counts, failure budget, progress

The sink pulls; windows bound what runs ahead, so memory does not grow with the number of records. Each link
owns and closes its input: an error anywhere ends the chain and leaves no thread behind. When the end is
requested, nothing new is begun; batches that are being encoded are still written.
"""

from __future__ import annotations

import logging
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from threading import Event

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.stop import CancelToken
from esclip._concurrency.streams import batches, flat, owned, parallel_map, prefetch, until
from esclip._core.captions import RgbArray, with_caption
from esclip._core.outcomes import Result
from esclip._core.parts import GRID
from esclip._core.picture_facts import stored_facts, with_facts
from esclip._core.progress import Phase
from esclip._core.rejections import Rejection, Stage, reject
from esclip._core.settings import PAGE_BYTES, PAGE_SIZE, WRITE_SECONDS, WRITE_SIZE
from esclip._core.types import (
    TEXT,
    ImageRecord,
    StoredDocument,
    Vector,
)
from esclip._errors import DecodeError, RecordError, StoreUnavailable, error_text
from esclip._errors.reasons import Reason
from esclip._fetch.fetcher import Fetcher
from esclip._ingest.deduplication import ContentDeduplicator, Lookup
from esclip._ingest.picture_models import NO_MODELS, PictureModels
from esclip._ingest.progress import IngestProgress
from esclip._ingest.pruning import SeenRecords
from esclip._ingest.stages import (
    Decoded,
    Fetched,
    add_facts,
    check_content,
    decode_picture,
    decode_view,
    encode_batch,
    has_direction,
)
from esclip._ingest.unchanged import is_unchanged, with_stored_captions, with_stored_detection
from esclip._protocols import Encoder, Source, Store

log = logging.getLogger("esclip")

GRACE_S = 5.0
"""For the store to finish the writes in flight, after the end was requested."""

CAPTION_BATCH = 8
"""Pictures that a captioner is given at once: a model may take a second for each on a CPU, and a run that is
asked to stop waits for them."""

CAPTION_SECONDS = 5.0
"""For which a described picture waits for others to be encoded with: a kill finds few that aren't written."""

LOOKUP_BATCH = 16
"""Pictures whose bytes are looked up in the store at once, and are in memory meanwhile."""


def ingest(source: Source, steps: Steps, *, is_loading: bool = False) -> None:
    """Write every record of `source` that the store lacks or has differently; all of them are counted.

    The store's index is prepared for the source's fields and the encoder's space. `is_loading`: another
    process is within a bulk load of the store.
    """
    store, progress, stop, workers = steps.store, steps.progress, steps.stop, steps.workers
    records = until(stop.event, steps.read(source))
    changed = steps.changed(records)
    # no more than one for each worker: pictures may have many megabytes
    downloads = flat(parallel_map(steps.fetch, changed, workers=workers, window=workers))
    fetched = batches(progress.without_rejections(downloads), LOOKUP_BATCH)
    unknown = steps.unknown(fetched)
    decoded = flat(parallel_map(steps.decode, unknown, workers=os.cpu_count() or 1))
    described = steps.describe(progress.without_rejections(decoded))
    size = max(1, steps.batch_size // steps.vectors_each)
    wait = CAPTION_SECONDS if steps.models.captioner else math.inf
    batched = batches(progress.without_rejections(described), size, seconds=wait)
    encoded = flat(parallel_map(steps.encode, batched, workers=steps.encoder.encode_concurrency))
    documents = prefetch(progress.without_rejections(encoded), ahead=steps.batch_size, stop=stop.event.set)
    pages = batches(documents, WRITE_SIZE, seconds=WRITE_SECONDS)
    n, abandoned, cancelled = store.write_concurrency, steps.abandoned, Event()
    writes = parallel_map(steps.write, pages, workers=n, window=n, stop=abandoned.set)

    def give_up() -> None:
        abandoned.set()
        cancelled.set()

    with (
        stop.grace_period(GRACE_S, give_up) as late,
        cancellation.scope(late),
        nullcontext() if is_loading else store.bulk_load(cancelled),
    ):
        with stop.active(), owned(writes) as written:
            _drain(written, stop)
        progress.enter(Phase.INDEXING)
        if stop.requested:
            cancelled.set()


def _drain(written: Iterator[None], stop: CancelToken) -> None:
    """Wait for all writes; once the end was requested, an unreachable store ends the wait."""
    try:
        for _ in written:
            pass
    except StoreUnavailable as error:
        if not stop.requested:
            raise
        log.warning("%s", error)


@dataclass
class Steps:
    """The steps of one run, in the order in which a record passes them."""

    encoder: Encoder
    store: Store
    fetcher: Fetcher
    """Stopped by `stop.event`."""
    progress: IngestProgress
    stop: CancelToken
    batch_size: int
    workers: int
    crops: bool = False
    """Whether documents have the crops of their pictures."""
    models: PictureModels = NO_MODELS

    def __post_init__(self) -> None:
        self.vectors_each = 1 + len(GRID) if self.crops else 1  # of a picture, at most
        self.deduplicator = ContentDeduplicator(self.vectors_each)
        self.seen = SeenRecords()
        self.abandoned = Event()  # set when writes are no longer waited for

    def read(self, source: Source) -> Iterator[ImageRecord]:
        """The source's records, counted, without rejections and repeated ids.

        A source that is busy when the end is requested may raise a `CancelledError`.
        """
        with suppress(CancelledError), owned(source.records(self.stop.event)) as items:
            for number, item in enumerate(items):
                self.progress.count_read()
                if number == 0:  # not before: a source may take as long to count as to get here
                    self.progress.total = source.total()
                if isinstance(item, Rejection):
                    self.seen.mark_unreadable(item)
                    self.progress.count_rejected(item)
                elif self.seen.mark(item.id):
                    self.progress.expect_outcome(item.id)
                    yield item
                else:
                    self.progress.count_repeated(item.id)

    def changed(self, records: Iterable[ImageRecord]) -> Iterator[ImageRecord]:
        """The records whose picture is new or has changed.

        Texts are encoded and written here, and documents updated of which only the metadata has changed.
        """
        with owned(batches(records, PAGE_SIZE, weigh=_held_bytes, max_weight=PAGE_BYTES)) as pages:
            for page in pages:
                pictures = deque(self._changed_of(page))
                page.clear()  # pictures in memory are freed one by one
                while pictures:
                    yield pictures.popleft()

    def _changed_of(self, page: Sequence[ImageRecord]) -> list[ImageRecord]:
        stored = self.store.fingerprints([record.id for record in page])
        page = [with_stored_detection(record, stored.get(record.id)) for record in page]
        changed = [record for record in page if not is_unchanged(record, stored.get(record.id))]
        changed_ids = {record.id for record in changed}
        self.progress.count_unchanged([record.id for record in page if record.id not in changed_ids])
        updates: list[ImageRecord] = []
        pictures: list[ImageRecord] = []
        texts: list[ImageRecord] = []
        for record in with_stored_captions(changed, stored, self.store):
            fingerprint = stored.get(record.id)
            same = fingerprint is not None and fingerprint.pixels == record.fingerprint.pixels
            (updates if same else texts if record.kind == TEXT else pictures).append(record)
        undescribed = [record for record in updates if record.wants_caption]
        updates = [record for record in updates if not record.wants_caption]
        updates = list(self.progress.without_rejections(self._with_facts(updates)))
        if updates:
            self.update(updates)
        self.update_captions(undescribed)
        for batch in batches(texts, self.batch_size):
            self.write_texts(batch)
        return pictures

    def update(self, records: Sequence[ImageRecord]) -> None:
        """Write records whose pictures or texts are as they were."""
        refused = self.store.update(records)
        ids = [record.id for record in records]
        self.progress.count_written(ids, refused, encoded=False, result=Result.UPDATED)

    def update_captions(self, records: Sequence[ImageRecord]) -> None:
        """Describe pictures that are in the index, and write each batch at once: a caption takes long."""
        views = flat(parallel_map(self._view, records, workers=self.workers, window=self.workers))
        for batch in batches(self.progress.without_rejections(views), CAPTION_BATCH):
            outcomes = self._captions([(record, view) for record, view in batch])
            described = [
                with_caption(record, caption)
                if isinstance(caption, str)
                else _without_caption(record, caption)
                for (record, _), caption in zip(batch, outcomes, strict=False)
            ]
            if updates := list(self.progress.without_rejections(described)):
                self.update(updates)

    def _view(self, record: ImageRecord) -> list[tuple[ImageRecord, RgbArray] | Rejection]:
        """The picture as the captioner sees it; nothing when the end is requested."""
        if self.stop.event.is_set():
            return []
        outcomes: list[tuple[ImageRecord, RgbArray] | Rejection] = []
        for picture in self.fetch(record):
            try:
                outcomes.append(picture if isinstance(picture, Rejection) else decode_view(picture))
            except RecordError as error:
                outcomes.append(reject(record, Stage.DECODE, error.reason, error.detail))
        return outcomes

    def _captions(self, pictures: Sequence[tuple[ImageRecord, RgbArray]]) -> list[str | Exception]:
        """What the captioner says of pictures; nothing once the end is requested."""
        if self.stop.event.is_set():
            return []
        assert self.models.captioner
        return self.models.captioner.captions([view for _, view in pictures])

    def write_texts(self, records: Sequence[ImageRecord]) -> None:
        """Encode and write a batch of texts; none once the end is requested."""
        documents: list[StoredDocument] = []
        if self.stop.event.is_set():
            return
        with suppress(CancelledError), cancellation.scope(self.stop.event):  # a server may not answer
            vectors = self.encoder.encode_texts([record.description for record in records])
            outcomes = (
                StoredDocument(record, vector) if has_direction(vector) else _without_direction(record)
                for record, vector in zip(records, vectors, strict=True)
            )
            documents += self.progress.without_rejections(outcomes)
            self.progress.count_encoded(len(documents))
        if documents:
            self._write(documents, encoded=True)

    def _with_facts(self, records: Iterable[ImageRecord]) -> Iterator[ImageRecord | Rejection]:
        """The records with the facts of their pictures: those in the index, else those in the files."""
        wanting = [record for record in records if record.picture_fields]
        yield from (record for record in records if not record.picture_fields)
        documents = self.store.documents([record.id for record in wanting]) if wanting else {}
        unread: list[ImageRecord] = []
        for record in wanting:
            document = documents.get(record.id)
            facts = stored_facts(record, document.record.metadata) if document else None
            if facts is None:
                unread.append(record)
            else:
                yield with_facts(record, facts)
        yield from flat(parallel_map(self.read_facts, unread, workers=self.workers, window=self.workers))

    def read_facts(self, record: ImageRecord) -> list[ImageRecord | Rejection]:
        """The record with the facts in its file, which isn't decoded; nothing when the end is requested."""
        if self.stop.event.is_set():
            return []
        outcomes = []
        for picture in self.fetch(record):
            outcomes.append(picture if isinstance(picture, Rejection) else self._complete(picture))
        return outcomes

    def _complete(self, picture: Fetched) -> ImageRecord | Rejection:
        """The record with the facts in its picture's bytes; a rejection where they can't be read."""
        try:
            return add_facts(picture.record, picture.data)
        except RecordError as error:
            return reject(picture.record, Stage.DECODE, error.reason, error.detail)

    def fetch(self, record: ImageRecord) -> list[Fetched | Rejection]:
        """The picture's bytes; nothing when the end is requested meanwhile."""
        try:
            data = self.fetcher.fetch(record.picture)
            content = check_content(record, data)
        except CancelledError:
            return []
        except RecordError as error:
            return [reject(record, Stage.FETCH, error.reason, error.detail)]
        if isinstance(record.picture, bytes):
            record = replace(record, picture=b"")  # or copies of it would stay in memory for long
        return [Fetched(record, data, content)]

    def unknown(self, batches: Iterable[list[Fetched]]) -> Iterator[Fetched]:
        """The pictures that have to be encoded; those whose bytes have a vector already are written here."""
        has_documents: bool | None = None  # asked only where there is a picture to look up
        with owned(batches) as source:
            for batch in source:
                if has_documents is None:
                    info = self.store.info()
                    has_documents = info is not None and info.documents > 0
                contents = [picture.content for picture in batch if picture.key == picture.content]
                vectors = self.store.vectors_by_content(contents) if has_documents and contents else {}
                documents: list[StoredDocument] = []
                pictures: list[Fetched] = []
                known: list[tuple[Fetched, Vector]] = []
                for picture in batch:
                    vector = vectors.get(picture.key)
                    if vector is not None:
                        known.append((picture, vector))
                        continue
                    answer = self.deduplicator.lookup(picture.key, picture.record)
                    if isinstance(answer, StoredDocument):
                        documents.append(answer)
                    elif answer is Lookup.ENCODE:
                        pictures.append(picture)
                documents += self.progress.without_rejections(map(self._known_document, known))
                if documents:
                    self._write(documents, encoded=False)
                yield from pictures

    def _known_document(self, found: tuple[Fetched, Vector]) -> StoredDocument | Rejection:
        """The document of a picture whose bytes have a vector in the index."""
        picture, vector = found
        record = self._complete(picture)
        return record if isinstance(record, Rejection) else StoredDocument(record, vector, picture.content)

    def decode(self, picture: Fetched) -> list[Decoded | Rejection]:
        """The picture's pixels; if they can't be decoded, a rejection for each record with these bytes."""
        try:
            return [decode_picture(picture, self.encoder, crops=self.crops, detector=self.models.detector)]
        except RecordError as error:
            records = [picture.record, *self.deduplicator.resolve(picture.key, None)]
            for record in records if isinstance(error, DecodeError) else ():
                self.fetcher.discard(record.picture)  # a captive portal's page is not cached as a picture
            return [reject(record, Stage.DECODE, error.reason, error.detail) for record in records]

    def describe(self, pictures: Iterator[Decoded]) -> Iterator[Decoded | Rejection]:
        """The pictures with the captions that they want, in a thread beside that of the encoder."""
        if self.models.captioner is None:
            return pictures
        return flat(parallel_map(self._describe, batches(pictures, CAPTION_BATCH), workers=1))

    def _describe(self, batch: list[Decoded]) -> list[Decoded | Rejection]:
        wanting = [(item.record, item.view) for item in batch if item.view is not None]
        captions = iter(self._captions(wanting))
        outcomes: list[Decoded | Rejection] = []
        for item in batch:
            if item.view is None:
                outcomes.append(item)
                continue
            caption = next(captions, None)  # none once the end is requested
            if isinstance(caption, Exception):
                records = [item.record, *self.deduplicator.resolve(item.key, None)]
                outcomes += [_without_caption(record, caption) for record in records]
            elif caption is not None:
                outcomes.append(replace(item, view=None, caption=caption))
        return outcomes

    def encode(self, batch: list[Decoded]) -> list[StoredDocument | Rejection]:
        """The documents of a batch, and of records with the same bytes.

        Once the end is requested, only those of pictures that have been captioned, which took the longest.
        """
        outcomes: list[StoredDocument | Rejection] = []
        if self.stop.event.is_set():
            batch = [item for item in batch if item.caption]
        with suppress(CancelledError), cancellation.scope(self.stop.event):  # a server may not answer
            pictures = encode_batch(batch, self.encoder) if batch else []
            for item, encoded in zip(batch, pictures, strict=False):
                usable = has_direction(encoded.vector)
                waiting = self.deduplicator.resolve(item.key, encoded if usable else None)
                records = [item.record, *waiting]
                if usable:
                    self.progress.count_encoded(len(records))
                    outcomes += map(encoded.document_of, records)
                else:
                    outcomes += map(_without_direction, records)
        return outcomes

    def write(self, page: list[StoredDocument]) -> None:
        """Write encoded documents; a store that is busy is asked again until `abandoned` is set."""
        with cancellation.scope(self.abandoned):
            self._write(page, encoded=True)

    def _write(self, documents: Sequence[StoredDocument], *, encoded: bool) -> None:
        refused = self.store.upsert(documents)
        self.progress.count_written([document.record.id for document in documents], refused, encoded=encoded)


def _held_bytes(record: ImageRecord) -> int:
    return len(record.picture) if isinstance(record.picture, bytes) else len(record.description)


def _without_direction(record: ImageRecord) -> Rejection:
    detail = "the encoder gave a vector without a direction"
    return reject(record, Stage.ENCODE, Reason.BAD_VECTOR, detail)


def _without_caption(record: ImageRecord, error: Exception) -> Rejection:
    detail = f"{record.caption_by}: {type(error).__name__}: {error_text(error)}"
    return reject(record, Stage.ENCODE, Reason.CAPTION_FAILED, detail)
