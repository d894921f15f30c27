"""One run of the pipeline, from a source into a store, with its fetcher, its counts and the ledger.

reading, encoder, target, ledger ─► run ─► IngestReport
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from esclip._concurrency.stop import CancelToken
from esclip._core.index_settings import IndexSettings
from esclip._core.labels import LabelSet
from esclip._core.progress import Phase
from esclip._core.rejections import IngestReport
from esclip._core.schema import IndexSchema
from esclip._core.settings import UNSPLASH_HOST, picture_cache
from esclip._core.targets import CROPS
from esclip._fetch.fetcher import Fetcher
from esclip._fetch.hosts import HostPolicy
from esclip._ingest.calibration import calibrate
from esclip._ingest.captioning import CaptioningSource
from esclip._ingest.labels import LabelingSource, LabelingStore, Labeller
from esclip._ingest.ledger import Ledger
from esclip._ingest.options import AddOptions, ReencodeOptions, RetryOptions, RunOptions
from esclip._ingest.parts import PartsSource, PartsStore
from esclip._ingest.picture_models import NO_MODELS, PictureModels
from esclip._ingest.pipeline import Steps, ingest
from esclip._ingest.progress import IngestProgress
from esclip._ingest.pruning import Pruning, SeenRecords, delete_stale
from esclip._ingest.reading import Reading
from esclip._ingest.run_ledger import RunLedger
from esclip._protocols import Encoder, Source, Store
from esclip.stores.with_texts import StoreWithTexts

ANY_HOST = "*"
"""Among the allowed hosts: all others of the public web."""


@dataclass(frozen=True, slots=True)
class Target:
    """The index that a run writes, and what it is to have beside pictures."""

    store: Store
    label_set: LabelSet | None
    """What the index remembers; None: no labels so far."""
    parts: Collection[str]
    """The same."""
    settings: IndexSettings
    """How it is made, or changed."""
    parts_store: Callable[[], Store]
    """Opens the index of parts."""
    texts_store: Callable[[], Store]
    """Opens that of texts."""
    is_searchable: bool = True
    """Whether it can be measured what its scores mean."""
    is_loading: bool = False
    """Whether another process is within a bulk load of it."""
    models: PictureModels = NO_MODELS
    reencoded_from: str = ""
    """The index of another model whose documents it gets; empty: of none."""


class Route(NamedTuple):
    """What a run reads from and writes into, with all that is added on the way."""

    source: Source
    pictures: Store
    """Without texts."""
    store: Store

    def prune(self, seen: SeenRecords, pruning: Pruning, ledger: RunLedger | None = None) -> tuple[int, int]:
        """Remove what `delete_stale` removes, and return what it returns."""
        store = self.store if pruning.texts else self.pictures
        return delete_stale(self.source, store, seen, pruning, ledger)


def run(
    reading: Reading,
    encoder: Encoder,
    target: Target,
    ledger: Ledger,
    options: AddOptions | RetryOptions | ReencodeOptions,
) -> IngestReport:
    """Ingest what is read into `target`; `ledger` keeps rejections until the store holds their records.

    `options` are as `resolve` gives them.
    """
    stop = options["stop"] or CancelToken()
    route = prepare(reading.source, encoder, target, options["batch_size"])
    run_ledger = RunLedger(ledger, reading.origin)
    progress = IngestProgress(route.store, encoder.space.model, options, run_ledger)
    with open_fetcher(options, stop) as fetcher:
        steps = Steps(
            encoder,
            route.store,
            fetcher,
            progress,
            stop,
            options["batch_size"],
            options["workers"],
            CROPS in target.parts,
            target.models,
        )
        ingest(route.source, steps, is_loading=target.is_loading)
    if reading.pruning and not stop.requested:
        progress.enter(Phase.PRUNING)
        progress.count_pruned(*route.prune(steps.seen, reading.pruning, run_ledger))
    report = end_reading(progress, route.source, run_ledger, stopped=stop.requested)
    if target.is_searchable and not report.stopped:
        with suppress(KeyboardInterrupt):  # all is written by now; the next run measures it
            calibrate(target.store, encoder, lambda: progress.enter(Phase.MEASURING))
    return replace(report, seconds=progress.seconds)


def end_reading(
    progress: IngestProgress, source: Source, ledger: RunLedger, *, stopped: bool
) -> IngestReport:
    """The report of what was read and written. The ledger forgets what this run has not repeated."""
    report = replace(progress.report(stopped=stopped), passed_over=dict(source.passed_over()))
    if not (report.stopped or report.unpruned):  # else not all was there to be seen
        ledger.forget_earlier()
    return report


def prepare(source: Source, encoder: Encoder, target: Target, batch_size: int) -> Route:
    """The source and the store with parts, labels and texts; the index is prepared for them."""
    store, label_set = target.store, target.label_set
    if target.models.captioner is not None:
        source = CaptioningSource(source, target.models.captioner.name)
    if target.parts:
        source = PartsSource(source, target.parts, target.models.detection)
        store = PartsStore(store, target.parts_store(), encoder, target.parts, batch_size)
    if label_set is not None and label_set.labels:
        labeller = Labeller(encoder, label_set)
        source, store = LabelingSource(source, labeller), LabelingStore(store, labeller)
    whole = StoreWithTexts(store, target.texts_store)
    schema = IndexSchema(
        encoder.space,
        tuple(source.fields),
        tuple(filter(None, [encoder.runtime])),
        label_set,
        tuple(target.parts),
        settings=target.settings,
        reencoded_from=target.reencoded_from,
    )
    whole.ensure_index(schema)
    return Route(source, store, whole)


def open_fetcher(options: RunOptions, stop: CancelToken) -> Fetcher:
    """What reads the pictures of a run, until it is asked to stop."""
    cache, named = options["cache"], set(options["allow_hosts"])
    any_public = ANY_HOST in named
    public = None if any_public else {UNSPLASH_HOST, *(options["public_hosts"] or ())}
    return Fetcher(
        HostPolicy(named - {ANY_HOST}, public),
        cache=Path(cache) if cache else picture_cache(),
        workers=options["workers"],
        ignore_robots_tag=options["ignore_robots_tag"],
        proxy=not any_public,
        stopped=stop.event,
    )
