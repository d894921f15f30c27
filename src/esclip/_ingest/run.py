"""One run of the pipeline, from a source into a store, with its fetcher, its counts and the ledger.

source, encoder, store, ledger ─► run ─► IngestReport
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from esclip._concurrency.stop import CancelToken
from esclip._core.index_settings import IndexSettings
from esclip._core.labels import LabelSet
from esclip._core.progress import Phase
from esclip._core.rejections import IngestReport
from esclip._core.schema import IndexSchema
from esclip._core.settings import UNSPLASH_HOST, picture_cache
from esclip._core.targets import CROPS
from esclip._fetch.fetcher import Fetcher
from esclip._ingest.calibration import calibrate
from esclip._ingest.labels import LabelingSource, LabelingStore, Labeller
from esclip._ingest.ledger import Ledger
from esclip._ingest.options import AddOptions, RetryOptions
from esclip._ingest.parts import PartsSource, PartsStore
from esclip._ingest.pipeline import ingest
from esclip._ingest.progress import IngestProgress
from esclip._ingest.pruning import Pruning
from esclip._protocols import Encoder, Source, Store
from esclip.stores.with_texts import StoreWithTexts


def run(
    source: Source,
    encoder: Encoder,
    store: Store,
    ledger: Ledger,
    options: AddOptions | RetryOptions,
    *,
    label_set: LabelSet | None,
    parts: Collection[str],
    settings: IndexSettings,
    parts_store: Callable[[], Store],
    texts_store: Callable[[], Store],
    origin: str | None,
    pruning: Pruning | None,
) -> IngestReport:
    """Ingest `source` into `store`; `ledger` keeps rejections until the store holds their records.

    `options` are as `resolve` gives them. The index remembers `label_set` (None: no labels so far) and
    `parts`, and is made, or changed, by `settings`; `parts_store` opens the index of parts, `texts_store`
    that of texts. `origin` names a `source` that gives all that there is: at the end the ledger forgets
    rejections from there that were not repeated. `pruning` says how documents are removed whose record is
    gone; None: they stay.
    """
    stop, pictures = options["stop"] or CancelToken(), store
    if parts:
        source = PartsSource(source, parts)
        store = PartsStore(store, parts_store(), encoder, parts, options["batch_size"])
    if label_set is not None and label_set.labels:
        labeller = Labeller(encoder, label_set)
        source, store = LabelingSource(source, labeller), LabelingStore(store, labeller)
    of_pictures = store
    store = StoreWithTexts(store, texts_store)
    fields, runtimes = tuple(source.fields), (encoder.runtime,)
    store.ensure_index(
        IndexSchema(encoder.space, fields, runtimes, label_set, tuple(parts), settings=settings)
    )
    ledger.open()
    before = ledger.last_number()
    progress = IngestProgress(
        index=store.index,
        store=store.address,
        encoder=encoder.space.model,
        max_rejection_rate=options["max_rejection_rate"],
        ledger=ledger,
        origin=origin,
        on_rejection=options["on_rejection"],
        on_outcome=options["on_outcome"],
        on_progress=options["on_progress"],
    )
    with _open_fetcher(options, stop) as fetcher:
        ingest(
            source,
            encoder,
            store,
            fetcher=fetcher,
            progress=progress,
            batch_size=options["batch_size"],
            workers=options["workers"],
            stop=stop,
            crops=CROPS in parts,
            pruning=pruning and replace(pruning, ledger=ledger, until=before),
            pruned=None if pruning and pruning.texts else of_pictures,
        )
    report = replace(progress.report(stopped=stop.requested), passed_over=dict(source.passed_over()))
    if origin is not None and not (report.stopped or report.unpruned):  # else not all was there to be seen
        ledger.forget(origin, until=before)
    if not report.stopped:
        with suppress(KeyboardInterrupt):  # all is written by now; the next run measures it
            calibrate(pictures, encoder, lambda: progress.enter(Phase.MEASURING))
    return replace(report, seconds=progress.seconds)


def _open_fetcher(options: AddOptions | RetryOptions, stop: CancelToken) -> Fetcher:
    cache = options["cache"]
    return Fetcher(
        allow_hosts=options["allow_hosts"],
        public_hosts={UNSPLASH_HOST, *(options["public_hosts"] or ())},
        cache=Path(cache) if cache else picture_cache(),
        workers=options["workers"],
        ignore_robots_tag=options["ignore_robots_tag"],
        stopped=stop.event,
    )
