"""The pipeline: a source's records become documents of a store, or rejections of the report.

    Source.records() ─► unchanged? ─► fetch ─► decode ─► batches ─► encode ─► Store.upsert
       one thread        by page    N threads  M threads   of B    its own       main thread
                            │           │         │                 threads         │
                            └ skipped   └──── rejected ────┘           └ raises     └ rejected
                                        Tally: counts, failure budget, progress

The sink pulls; windows bound what runs ahead, so memory does not grow with the number of records. Each link
owns and closes its input: an error or Ctrl-C anywhere ends the chain and leaves no thread behind.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

import numpy as np
from PIL import Image

from esclip._decode import decode
from esclip._errors import RecordError
from esclip._fetch import Fetcher
from esclip._flow import batches, flat, owned, parallel_map, prefetch, until
from esclip._protocols import Encoder, Source, Store
from esclip._rejections import Reason, Rejection, Stage
from esclip._report import Tally
from esclip._settings import PAGE_SIZE, WRITE_SIZE
from esclip._types import Document, ImageRecord, Pixels, Vector
from esclip._waits import ending_with

__all__ = ["ingest"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A record and its picture's bytes."""

    record: ImageRecord
    data: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record and its picture, ready for the encoder."""

    record: ImageRecord
    pixels: Pixels


def ingest(
    source: Source,
    encoder: Encoder,
    store: Store,
    *,
    fetcher: Fetcher,
    tally: Tally,
    batch_size: int,
    workers: int,
) -> None:
    """Write every record of `source` that `store` lacks or holds differently; `tally` counts all of them.

    The store's index has been prepared for the source's fields and the encoder's space.
    """

    stopped = Event()

    def stop() -> None:
        stopped.set()
        fetcher.stop()

    def fetch(record: ImageRecord) -> Fetched:
        return Fetched(record, fetcher.fetch(record.picture))

    def prepare(fetched: Fetched) -> Decoded:
        picture = _decode_or_discard(fetched, fetcher, encoder.sufficient_side)
        return Decoded(fetched.record, encoder.preprocess(picture))

    def encode(batch: list[Decoded]) -> list[Document | Rejection]:
        with ending_with(stopped):  # an encoder may be a server that doesn't answer
            return _encode(batch, encoder, tally)

    records = until(stopped, _read(source, tally))
    changed = _changed(records, store, tally)
    fetched = tally.sift(parallel_map(_rejecting(fetch, Stage.FETCH, _itself), changed, workers=workers))
    decoded = tally.sift(
        parallel_map(_rejecting(prepare, Stage.DECODE, _record_of), fetched, workers=os.cpu_count() or 1)
    )
    encoded = parallel_map(encode, batches(decoded, batch_size), workers=encoder.batches_at_once)
    documents = prefetch(tally.sift(flat(encoded)), ahead=batch_size, stop=stop)
    with store.loading(), owned(batches(documents, WRITE_SIZE)) as pages:
        for page in pages:
            tally.write(len(page), store.upsert(page), encoded=True)


def _read(source: Source, tally: Tally) -> Iterator[ImageRecord]:
    """The source's records, counted; rejections and further rows of an id taken out."""
    seen = SeenIds()
    with owned(source.records()) as items:
        for number, item in enumerate(items):
            tally.read()
            if number == 0:  # not before: it may take a source as long as to get here
                tally.total = source.total()
            if isinstance(item, Rejection):
                tally.reject(item)
            elif seen.add(item.id):
                yield item
            else:
                tally.skip()


def _changed(records: Iterable[ImageRecord], store: Store, tally: Tally) -> Iterator[ImageRecord]:
    """The records whose pictures have to be encoded; new metadata alone is written on the way."""
    with owned(batches(records, PAGE_SIZE)) as pages:
        for page in pages:
            held = store.fingerprints([record.id for record in page])
            updates = []
            pictures = []
            for record in page:
                known = held.get(record.id)
                if known is None or known.pixels != record.fingerprint.pixels:
                    pictures.append(record)
                elif known != record.fingerprint:
                    updates.append(record)
                else:
                    tally.skip()
            if updates:
                tally.write(len(updates), store.update(updates), encoded=False)
            yield from pictures


def _decode_or_discard(fetched: Fetched, fetcher: Fetcher, side: int | None) -> Image.Image:
    """The decoded picture; bytes that are none are not kept as if they were (a captive portal's page)."""
    try:
        return decode(fetched.data, side=side)
    except RecordError:
        fetcher.discard(fetched.record.picture)
        raise


def _encode(batch: list[Decoded], encoder: Encoder, tally: Tally) -> list[Document | Rejection]:
    vectors = encoder.encode_images([item.pixels for item in batch])
    return [_document(item, vector, tally) for item, vector in zip(batch, vectors, strict=True)]


def _document(item: Decoded, vector: Vector, tally: Tally) -> Document | Rejection:
    if not np.isfinite(vector).all():
        detail = "the encoder gave a vector without a direction"
        return _rejection(item.record, Stage.ENCODE, Reason.BAD_VECTOR, detail)
    tally.encode()
    return Document(item.record, vector)


def _rejecting(
    function: Callable[[T], R], stage: Stage, record_of: Callable[[T], ImageRecord]
) -> Callable[[T], R | Rejection]:
    """The function with a record's own fault as a value instead of an exception."""

    def apply(item: T) -> R | Rejection:
        try:
            return function(item)
        except RecordError as error:
            return _rejection(record_of(item), stage, error.reason, error.detail)

    return apply


def _itself(record: ImageRecord) -> ImageRecord:
    return record


def _record_of(fetched: Fetched) -> ImageRecord:
    return fetched.record


def _rejection(record: ImageRecord, stage: Stage, reason: Reason, detail: str) -> Rejection:
    return Rejection(record.id, record.location, stage, reason, detail)


class SeenIds:
    """The ids that a run has had, at 8 bytes each: 64-bit hashes, most of them in a sorted array.

    Two of 100 million ids share a hash with a probability of 3 in 10,000 (n²/2⁶⁵).
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._sorted = np.empty(0, dtype=np.uint64)
        self._recent: set[int] = set()

    def add(self, id: str) -> bool:
        """Remember `id`; whether it is new."""
        key = int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "big")
        at = int(np.searchsorted(self._sorted, np.uint64(key)))
        if key in self._recent or (at < len(self._sorted) and int(self._sorted[at]) == key):
            return False
        self._recent.add(key)
        if len(self._recent) > 50_000 + len(self._sorted) // 16:
            recent = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
            self._sorted = np.union1d(self._sorted, recent)
            self._recent.clear()
        return True
