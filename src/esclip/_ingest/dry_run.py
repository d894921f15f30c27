"""A dry run of an ingest: what it would do, without fetching, encoding and writing anything.

Source.records() ─► unchanged? ─► on this machine? ─► decodable? ─► bytes known? ─► counts
     as an ingest reads them      else to be fetched     small        by page

The records take the steps of the pipeline up to the encoder, on stores that are only read. What has to be
fetched counts as encoded: only its server knows better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field, replace
from functools import cache, partial
from os import cpu_count
from threading import Lock

from esclip._concurrency.stop import CancelToken
from esclip._concurrency.streams import batches, flat, owned, parallel_map, until
from esclip._core.dry_run import DryRun
from esclip._core.outcomes import Result
from esclip._core.picture_facts import with_facts
from esclip._core.progress import Phase
from esclip._core.rejections import IngestReport, Rejection, Stage, reject
from esclip._core.settings import PAGE_SIZE
from esclip._core.targets import CROPS
from esclip._core.types import ImageRecord
from esclip._errors import FetchError, RecordError
from esclip._images.decode import read_facts
from esclip._ingest.id_set import IdSet
from esclip._ingest.options import IngestOptions, ReencodeOptions
from esclip._ingest.pipeline import Steps
from esclip._ingest.progress import IngestProgress
from esclip._ingest.reading import Reading
from esclip._ingest.run import Target, open_fetcher, prepare
from esclip._ingest.stages import add_facts, check_content, sharing_key
from esclip._protocols import Encoder, Source, Store
from esclip.stores.read_only import ReadOnlyStore

SECONDS_PER_HOUR = 3600


def dry_run(
    reading: Reading, encoder: Encoder, target: Target, options: IngestOptions | ReencodeOptions
) -> IngestReport:
    """The report of an ingest of what is read into `target`, which is left as it is.

    `options` are as `resolve` gives them. Of `encoder` only the space is used.
    """
    stop, target = options["stop"] or CancelToken(), _read_only(target)
    route = prepare(reading.source, encoder, target, options["batch_size"])
    progress = IngestProgress(route.store, encoder.space.model, options)
    progress.enter(Phase.COMPARING)
    with open_fetcher(options, stop) as fetcher:
        steps = _DrySteps(
            encoder,
            route.store,
            fetcher,
            progress,
            stop,
            options["batch_size"],
            options["workers"],
            CROPS in target.parts,
            taking=target.store,
        )
        steps.run(route.source)
    if reading.pruning and not stop.requested:
        progress.count_pruned(*route.prune(steps.seen, reading.pruning))
    report = replace(progress.report(stopped=stop.requested), passed_over=dict(route.source.passed_over()))
    return replace(report, dry_run=steps.outlook(options), seconds=progress.seconds)


def _read_only(target: Target) -> Target:
    return replace(
        target,
        store=ReadOnlyStore(target.store),
        parts_store=cache(lambda: ReadOnlyStore(target.parts_store())),
        texts_store=cache(lambda: ReadOnlyStore(target.texts_store())),
    )


@dataclass(frozen=True, slots=True)
class _Checked:
    """A record whose picture can be decoded, or would have to be fetched."""

    record: ImageRecord
    content: str | None
    """`content_fingerprint` of the picture's bytes; None where they aren't on this machine."""

    @property
    def key(self) -> str | None:
        """As `Fetched.key`; None without the bytes."""
        return None if self.content is None else sharing_key(self.content, self.record)


@dataclass
class _DrySteps(Steps):
    """The steps of a dry run. Where those of an ingest fetch, encode or write, these count."""

    taking: Store = field(kw_only=True)
    """Says of which records no index takes a document."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._contents = IdSet()
        """Of the pictures that would be encoded."""
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def run(self, source: Source) -> None:
        """Count what would become of all records."""
        changed = self.changed(until(self.stop.event, self.read(source)))
        checked = flat(parallel_map(partial(self._check, look=_decode), changed, workers=cpu_count() or 1))
        pages = batches(self.progress.without_rejections(checked), PAGE_SIZE)
        with self.stop.active(), owned(pages):
            for page in pages:
                self._count_pictures(page)

    def outlook(self, options: IngestOptions | ReencodeOptions) -> DryRun:
        """What has been counted."""
        counts, picture_bytes, rate = self._counts, options["picture_bytes"], options["rate"]
        return DryRun(
            new=counts["new"],
            changed=counts["changed"],
            updated=counts["updated"],
            encoded=counts["encoded"],
            copied=counts["copied"],
            fetched=counts["fetched"],
            fetched_bytes=counts["fetched"] * picture_bytes if picture_bytes else None,
            hours=counts["encoded"] / rate / SECONDS_PER_HOUR if rate else None,
        )

    def update(self, records: Sequence[ImageRecord]) -> None:
        """Count records whose pictures or texts are as they were."""
        self._count("updated", len(self._count_taken(records, Result.UPDATED)))

    def update_captions(self, records: Sequence[ImageRecord]) -> None:
        """Count records whose pictures would be described."""
        if records:
            self.update(records)

    def write_texts(self, records: Sequence[ImageRecord]) -> None:
        """Count texts, each of which would be encoded."""
        if not self.stop.event.is_set():
            self._count("encoded", len(self._count_documents(records)))

    def read_facts(self, record: ImageRecord) -> list[ImageRecord | Rejection]:
        """The record with the facts of its picture, if that need not be fetched."""
        checked = self._check(record, look=add_facts)
        self._count("fetched", sum(isinstance(one, _Checked) and one.content is None for one in checked))
        return [one.record if isinstance(one, _Checked) else one for one in checked]

    def _check(
        self, record: ImageRecord, look: Callable[[ImageRecord, bytes], ImageRecord]
    ) -> list[_Checked | Rejection]:
        """What a look at the picture's bytes gives; nothing when the end is requested meanwhile."""
        try:
            data = self.fetcher.read_local(record.picture)
            if data is None:
                return [_Checked(record, None)]
            content = check_content(record, data)
            looked_at = look(record, data)
        except CancelledError:
            return []
        except RecordError as error:
            stage = Stage.FETCH if isinstance(error, FetchError) else Stage.DECODE
            return [reject(record, stage, error.reason, error.detail)]
        if isinstance(record.picture, bytes):
            looked_at = replace(looked_at, picture=b"")  # or a page of them would be in memory
        return [_Checked(looked_at, content)]

    def _count_pictures(self, page: Sequence[_Checked]) -> None:
        """Count pictures that are new or have changed, by what is done for each."""
        taken = self._count_documents([checked.record for checked in page])
        contents = {checked.record.id: checked.key for checked in page if checked.record.id in taken}
        vectors = self.store.vectors_by_content([content for content in contents.values() if content])
        for content in contents.values():
            self._count("fetched", content is None)
            is_copy = content is not None and (content in vectors or not self._contents.add(content))
            self._count("copied" if is_copy else "encoded")

    def _count_documents(self, records: Sequence[ImageRecord]) -> set[str]:
        """Count documents that are new or have changed; returns the ids of those that the index takes."""
        stored = self.store.fingerprints([record.id for record in records])
        taken = self._count_taken(records, Result.WRITTEN)
        self._count("changed", len(taken & stored.keys()))
        self._count("new", len(taken - stored.keys()))
        return taken

    def _count_taken(self, records: Sequence[ImageRecord], result: Result) -> set[str]:
        """Count records as written, but for those that no index takes; returns the ids of the others."""
        refused = self.taking.update(records)
        ids = [record.id for record in records]
        self.progress.count_written(ids, refused, encoded=False, result=result)
        return {*ids} - {rejection.id for rejection in refused}

    def _count(self, name: str, number: int = 1) -> None:
        with self._lock:
            self._counts[name] += number


def _decode(record: ImageRecord, data: bytes) -> ImageRecord:
    """The record with the facts of its picture, all of whose pixels are read. Raises `DecodeError`."""
    return with_facts(record, read_facts(data))
