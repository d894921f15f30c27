"""One run of the pipeline, from a source into a store, with its fetcher, its counts and the ledger.

source, encoder, store, ledger ─► run ─► IngestReport
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from esclip._concurrency.stop import CancelToken
from esclip._core.arguments import given_callback, given_path, given_texts, wrong_kind
from esclip._core.bounds import BATCH_SIZES, SHARES, WORKERS
from esclip._core.labels import LabelSet
from esclip._core.rejections import IngestReport, Rejection
from esclip._core.schema import IndexSchema
from esclip._core.settings import BATCH_SIZE, FETCH_WORKERS, MAX_REJECTION_RATE, UNSPLASH_HOST, picture_cache
from esclip._core.targets import CROPS
from esclip._fetch.fetcher import Fetcher
from esclip._files.locations import user_path
from esclip._ingest.calibration import calibrate
from esclip._ingest.labels import LabelingSource, LabelingStore, Labeller
from esclip._ingest.ledger import Ledger
from esclip._ingest.parts import PartsSource, PartsStore
from esclip._ingest.pipeline import ingest
from esclip._ingest.progress import IngestProgress, Phase, Progress
from esclip._ingest.pruning import Pruning
from esclip._protocols import Encoder, Source, Store

__all__ = ["run"]


def run(
    source: Source,
    encoder: Encoder,
    store: Store,
    ledger: Ledger,
    *,
    labelling: LabelSet | None,
    parts: Collection[str],
    parts_store: Callable[[], Store],
    origin: str | None,
    pruning: Pruning | None,
    batch_size: int = BATCH_SIZE,
    workers: int = FETCH_WORKERS,
    allow_hosts: Collection[str] = (),
    ignore_robots_tag: bool = False,
    max_rejection_rate: float = MAX_REJECTION_RATE,
    cache: str | Path | None = None,
    stop: CancelToken | None = None,
    on_rejection: Callable[[Rejection], None] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """Ingest `source` into `store`; what is rejected is in `ledger` until the store holds it.

    `labelling` is what pictures are labelled by, and the index remembers it; None: by nothing so far. `parts`
    are those that pictures are to have, in the index of `parts_store`. `origin` is a name for `source` where
    it gives all that there is: at the end the ledger forgets what came from there and comes no more.
    `pruning` says how documents are removed whose record has left; None: they stay. The rest is as in
    `ImageIndex.ingest` and `IngestOptions`.
    """
    BATCH_SIZES.check("batch_size", batch_size)
    WORKERS.check("workers", workers)
    SHARES.check("max_rejection_rate", max_rejection_rate)
    hosts = [allow_hosts] if isinstance(allow_hosts, str) else given_texts("allow_hosts", allow_hosts)
    given_callback("on_rejection", on_rejection)
    given_callback("on_progress", on_progress)
    if stop is not None and not isinstance(stop, CancelToken):
        raise wrong_kind("stop", stop, "a Stop")
    stop, pictures = stop or CancelToken(), store
    if parts:
        source = PartsSource(source, parts)
        store = PartsStore(store, parts_store(), encoder, parts, batch_size)
    if labelling is not None and labelling.labels:
        labeller = Labeller(encoder, labelling)
        source, store = LabelingSource(source, labeller), LabelingStore(store, labeller)
    fields, runtimes = tuple(source.fields), (encoder.runtime,)
    store.ensure_index(IndexSchema(encoder.space, fields, runtimes, labelling, tuple(parts)))
    ledger.open()
    before = ledger.last_number()
    progress = IngestProgress(
        index=store.index,
        store=store.address,
        encoder=encoder.space.model,
        max_rejection_rate=max_rejection_rate,
        ledger=ledger,
        origin=origin,
        on_rejection=on_rejection,
        on_progress=on_progress,
    )
    fetcher = Fetcher(
        allow_hosts=hosts,
        public_hosts={UNSPLASH_HOST},
        cache=user_path(given_path("cache", cache), "cache") if cache else picture_cache(),
        workers=workers,
        ignore_robots_tag=ignore_robots_tag,
        stopped=stop.event,
    )
    with fetcher:
        ingest(
            source,
            encoder,
            store,
            fetcher=fetcher,
            progress=progress,
            batch_size=batch_size,
            workers=workers,
            stop=stop,
            crops=CROPS in parts,
            pruning=pruning and replace(pruning, ledger=ledger, until=before),
        )
    report = replace(progress.report(stopped=stop.requested), passed_over=dict(source.passed_over()))
    if origin is not None and not (report.stopped or report.unpruned):  # else not all was there to be seen
        ledger.forget(origin, until=before)
    if not report.stopped:
        with suppress(KeyboardInterrupt):  # all is written by now; the next run measures it
            calibrate(pictures, encoder, lambda: progress.enter(Phase.MEASURING))
    return replace(report, seconds=progress.seconds)
