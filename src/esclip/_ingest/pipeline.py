"""The pipeline: a source's records become documents of a store, or rejections of the report.

    Source.records() ─► unchanged? ─► fetch ─► bytes held? ─► decode ─► batches ─► encode ─► Store.upsert
       one thread        by page    N threads   by batch    M threads    of B    its own       its own
                            │           │           │           │                threads       threads
                            ├ skipped   │           └ written   │                   └ raises     └ rejected
                            └ updated   └────── rejected ───────┘
                                        IngestProgress: counts, failure budget, progress

The sink pulls; windows bound what runs ahead, so memory does not grow with the number of records. Each link
owns and closes its input: an error anywhere ends the chain and leaves no thread behind. Asked to stop, it
begins nothing new; what has its pixels in a batch that has begun is still encoded, and written.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

from esclip._concurrency import cancellation as cancellation
from esclip._concurrency.stop import CancelToken
from esclip._concurrency.streams import batches, flat, owned, parallel_map, prefetch, until
from esclip._core.parts import GRID
from esclip._core.rejections import Rejection, Stage, rejected
from esclip._core.settings import PAGE_SIZE, WRITE_SECONDS, WRITE_SIZE
from esclip._core.types import Document, Fingerprint, ImageRecord, content_fingerprint
from esclip._errors import RecordError, StoreUnavailable
from esclip._fetch.fetcher import Fetcher
from esclip._ingest.deduplication import ContentDeduplicator, Lookup
from esclip._ingest.progress import IngestProgress, Phase
from esclip._ingest.pruning import Pruning, SeenRecords, delete_stale
from esclip._ingest.stages import Decoded, decoded, encoded
from esclip._protocols import Encoder, Source, Store

__all__ = ["ingest"]

log = logging.getLogger("esclip")

GRACE_S = 5.0
"""For the store to take what is in flight, once the end was asked for."""

LOOKED_UP = 16
"""Pictures whose bytes the store is asked for at once, and which are held meanwhile."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record and its picture's bytes."""

    record: ImageRecord
    data: bytes
    content: str
    """`content_fingerprint` of the bytes."""


def ingest(
    source: Source,
    encoder: Encoder,
    store: Store,
    *,
    fetcher: Fetcher,
    tally: IngestProgress,
    batch_size: int,
    workers: int,
    stop: CancelToken,
    crops: bool = False,
    pruning: Pruning | None = None,
) -> None:
    """Write every record of `source` that `store` lacks or holds differently; `tally` counts all of them.

    The store's index has been prepared for the source's fields and the encoder's space. `fetcher` is stopped
    by `stop.event`. With `crops`, documents come to the store with the crops of their pictures. With
    `pruning`, documents whose record has left the source are removed at the end.
    """
    vectors_each = 1 + len(GRID) if crops else 1
    copies, census = ContentDeduplicator(vectors_each), SeenRecords()
    abandoned, cancelled = Event(), Event()

    def fetch(record: ImageRecord) -> list[Fetched | Rejection]:
        try:
            data = fetcher.fetch(record.picture)
        except CancelledError:
            return []
        except RecordError as error:
            return [rejected(record, Stage.FETCH, error.reason, error.detail)]
        return [Fetched(record, data, content_fingerprint(data))]

    def prepare(fetched: Fetched) -> list[Decoded | Rejection]:
        try:
            return [decoded(fetched.record, fetched.data, fetched.content, encoder, crops=crops)]
        except RecordError as error:
            alike = [fetched.record, *copies.settle(fetched.content, None)]
            for record in alike:  # a captive portal's page is not kept as if it were a picture
                fetcher.discard(record.picture)
            return [rejected(record, Stage.DECODE, error.reason, error.detail) for record in alike]

    def encode(batch: list[Decoded]) -> list[Document | Rejection]:
        with suppress(CancelledError), cancellation.scope(stop.event):  # a server may not answer
            return [] if stop.event.is_set() else encoded(batch, encoder, copies, tally)
        return []

    def give_up() -> None:
        abandoned.set()
        cancelled.set()

    def write(page: list[Document]) -> None:
        with cancellation.scope(abandoned):  # a store that is busy is asked again for long
            tally.write(_ids(page), store.upsert(page), encoded=True)

    records = until(stop.event, _read(source, census, tally, stop))
    changed = _changed(records, store, tally)
    # no more than one for each worker: pictures may have many megabytes
    fetched = tally.sift(flat(parallel_map(fetch, changed, workers=workers, window=workers)))
    unknown = _unknown(batches(fetched, LOOKED_UP), store, copies, tally)
    pictures = tally.sift(flat(parallel_map(prepare, unknown, workers=os.cpu_count() or 1)))
    batched = batches(pictures, max(1, batch_size // vectors_each))
    outcomes = flat(parallel_map(encode, batched, workers=encoder.encode_concurrency))
    documents = prefetch(tally.sift(outcomes), ahead=batch_size, stop=stop.event.set)
    pages = batches(documents, WRITE_SIZE, seconds=WRITE_SECONDS)
    at_once = store.write_concurrency
    writes = parallel_map(write, pages, workers=at_once, window=at_once, stop=abandoned.set)
    with (
        stop.grace_period(GRACE_S, give_up) as late,
        cancellation.scope(late),
        store.bulk_load(cancelled),
    ):
        with stop.active(), owned(writes) as written:
            _drain(written, stop)
        tally.enter(Phase.INDEXING)
        if stop.requested:
            cancelled.set()
    if pruning and not stop.requested:
        tally.enter(Phase.PRUNING)
        tally.prune(*delete_stale(source, store, census, pruning))


def _drain(written: Iterator[None], stop: CancelToken) -> None:
    """Wait for all writes; when the end was asked for, a store that takes nothing is no reason to wait on."""
    try:
        for _ in written:
            pass
    except StoreUnavailable as error:
        if not stop.requested:
            raise
        log.warning("%s", error)


def _read(
    source: Source, census: SeenRecords, tally: IngestProgress, stop: CancelToken
) -> Iterator[ImageRecord]:
    """The source's records, counted; rejections and further rows of an id taken out.

    A source that is busy when the run is asked to stop may end by a `CancelledError`.
    """
    with suppress(CancelledError), owned(source.records(stop.event)) as items:
        for number, item in enumerate(items):
            tally.read()
            if number == 0:  # not before: it may take a source as long as to get here
                tally.total = source.total()
            if isinstance(item, Rejection):
                census.note(item)
                tally.reject(item)
            elif census.add(item.id):
                yield item
            else:
                tally.skip()


def _changed(records: Iterable[ImageRecord], store: Store, tally: IngestProgress) -> Iterator[ImageRecord]:
    """The records whose pictures have changed; new metadata alone is written on the way."""
    with owned(batches(records, PAGE_SIZE)) as pages:
        for page in pages:
            held = store.fingerprints([record.id for record in page])
            changed = [record for record in page if not _is_held(record, held.get(record.id))]
            ids = {record.id for record in changed}
            tally.keep([record.id for record in page if record.id not in ids])
            updates = []
            pictures = []
            for record in _with_held_captions(changed, held, store):
                known = held.get(record.id)
                if known is None or known.pixels != record.fingerprint.pixels:
                    pictures.append(record)
                else:
                    updates.append(record)
            if updates:
                tally.write([record.id for record in updates], store.update(updates), encoded=False)
            yield from pictures


def _is_held(record: ImageRecord, held: Fingerprint | None) -> bool:
    """Whether the index holds a record as it is, but for a caption that stays as the ingest is given none."""
    if held is None or held == record.fingerprint:
        return held is not None
    if not held.has_caption or record.captioned is not None:
        return False
    return held.without_caption == replace(record, description="").fingerprint


def _with_held_captions(
    records: Sequence[ImageRecord], held: Mapping[str, Fingerprint], store: Store
) -> list[ImageRecord]:
    """The records, with the captions that the index holds where the ingest was given none."""
    asked = [record.id for record in records if _may_have_caption(record, held.get(record.id))]
    documents = store.documents(asked) if asked else {}
    descriptions = {id: document.record.description for id, document in documents.items()}
    captions = {id: description for id, description in descriptions.items() if description}
    return [
        replace(record, description=captions[record.id], captioned=True) if record.id in captions else record
        for record in records
    ]


def _may_have_caption(record: ImageRecord, held: Fingerprint | None) -> bool:
    """Whether the index may hold a caption of a record that is given none in this ingest.

    Older versions did not tell captions from other descriptions; but a folder's file has no other.
    """
    if held is None or record.captioned is not None:
        return False
    return held.has_caption or record.is_of_file


def _unknown(
    batches: Iterable[list[Fetched]], store: Store, copies: ContentDeduplicator, tally: IngestProgress
) -> Iterator[Fetched]:
    """The pictures that have to be encoded; those whose bytes have a vector are written on the way."""
    info = store.info()
    with owned(batches) as source:
        for batch in source:
            held = (
                store.vectors_by_content([item.content for item in batch]) if info and info.documents else {}
            )
            documents = []
            pictures = []
            for item in batch:
                vector = held.get(item.content)
                if vector is not None:
                    documents.append(Document(item.record, vector, item.content))
                    continue
                claim = copies.claim(item.content, item.record)
                if isinstance(claim, Document):
                    documents.append(claim)
                elif claim is Lookup.ENCODE:
                    pictures.append(item)
            if documents:
                tally.write(_ids(documents), store.upsert(documents), encoded=False)
            yield from pictures


def _ids(documents: Iterable[Document]) -> list[str]:
    return [document.record.id for document in documents]
