"""One run of the pipeline, from a source into a store, with its fetcher, its counts and the ledger.

source, encoder, target, ledger ─► run ─► IngestReport
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
from esclip._ingest.calibration import calibrate
from esclip._ingest.captioning import Captioner, CaptioningSource
from esclip._ingest.detection import Detector
from esclip._ingest.labels import LabelingSource, LabelingStore, Labeller
from esclip._ingest.ledger import Ledger
from esclip._ingest.options import AddOptions, ReencodeOptions, RetryOptions
from esclip._ingest.parts import PartsSource, PartsStore
from esclip._ingest.pipeline import ingest
from esclip._ingest.progress import IngestProgress
from esclip._ingest.pruning import Pruning
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
    captioner: Captioner | None = None
    """What describes pictures that have no description; None: nothing does."""
    detector: Detector | None = None
    """What finds crops; None: nothing does."""
    detection: str | None = None
    """As `ImageRecord.detection`."""
    reencoded_from: str = ""
    """The index of another model whose documents it gets; empty: of none."""


class Route(NamedTuple):
    """What a run reads from and writes into, with all that is added on the way."""

    source: Source
    pictures: Store
    """Without texts."""
    store: Store


def run(
    source: Source,
    encoder: Encoder,
    target: Target,
    ledger: Ledger,
    options: AddOptions | RetryOptions | ReencodeOptions,
    *,
    origin: str | None,
    pruning: Pruning | None,
) -> IngestReport:
    """Ingest `source` into `target`; `ledger` keeps rejections until the store holds their records.

    `options` are as `resolve` gives them. `origin` names a `source` that gives all that there is: at the end
    the ledger forgets rejections from there that were not repeated. `pruning` says how documents are removed
    whose record is gone; None: they stay.
    """
    stop = options["stop"] or CancelToken()
    source, pictures, store = prepare(source, encoder, target, options["batch_size"])
    ledger.open()
    before = ledger.last_number()
    progress = open_progress(store, encoder, ledger, options, origin)
    with open_fetcher(options, stop) as fetcher:
        ingest(
            source,
            encoder,
            store,
            fetcher=fetcher,
            progress=progress,
            batch_size=options["batch_size"],
            workers=options["workers"],
            stop=stop,
            crops=CROPS in target.parts,
            captioner=target.captioner,
            detector=target.detector,
            is_loading=target.is_loading,
            pruning=pruning and replace(pruning, ledger=ledger, until=before),
            pruned=None if pruning and pruning.texts else pictures,
        )
    report = end_reading(progress, source, ledger, origin, before, stopped=stop.requested)
    if target.is_searchable and not report.stopped:
        with suppress(KeyboardInterrupt):  # all is written by now; the next run measures it
            calibrate(target.store, encoder, lambda: progress.enter(Phase.MEASURING))
    return replace(report, seconds=progress.seconds)


def open_progress(
    store: Store,
    encoder: Encoder,
    ledger: Ledger | None,
    options: AddOptions | RetryOptions | ReencodeOptions,
    origin: str | None = None,
) -> IngestProgress:
    """What counts the records of a run; arguments are as those of `run`. Without a ledger it keeps none."""
    return IngestProgress(
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


def end_reading(
    progress: IngestProgress,
    source: Source,
    ledger: Ledger,
    origin: str | None,
    before: int,
    *,
    stopped: bool,
) -> IngestReport:
    """The report of what was read and written. The ledger forgets what came from `origin` before this run."""
    report = replace(progress.report(stopped=stopped), passed_over=dict(source.passed_over()))
    if origin is not None and not (report.stopped or report.unpruned):  # else not all was there to be seen
        ledger.forget(origin, until=before)
    return report


def prepare(source: Source, encoder: Encoder, target: Target, batch_size: int) -> Route:
    """The source and the store with parts, labels and texts; the index is prepared for them."""
    store, label_set = target.store, target.label_set
    if target.captioner is not None:
        source = CaptioningSource(source, target.captioner.name)
    if target.parts:
        source = PartsSource(source, target.parts, target.detection)
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


def open_fetcher(options: AddOptions | RetryOptions | ReencodeOptions, stop: CancelToken) -> Fetcher:
    """What reads the pictures of a run, until it is asked to stop."""
    cache, named = options["cache"], set(options["allow_hosts"])
    any_public = ANY_HOST in named
    return Fetcher(
        allow_hosts=named - {ANY_HOST},
        public_hosts=None if any_public else {UNSPLASH_HOST, *(options["public_hosts"] or ())},
        cache=Path(cache) if cache else picture_cache(),
        workers=options["workers"],
        ignore_robots_tag=options["ignore_robots_tag"],
        proxy=not any_public,
        stopped=stop.event,
    )
