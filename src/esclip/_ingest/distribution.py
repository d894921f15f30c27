"""An ingest by worker processes: the driver reads the source, and keeps all that a run has once.

    Source ─► Cutter ─► parts ─┬─► worker ─► the pipeline ─► Store
    Manifest ──────────────────┼─► worker        │
                               └─► worker        ▼
    ledger, counts, failure budget, pruning ◄─ PartResult: once a part is done
                                  at the end: the bulk load ends, the index is measured once

A worker that dies loses its part, which another one begins again: what the store has of it is skipped. The
driver keeps nothing on disk but the ledger; started again, it does the same.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any, Protocol, TypeVar

from esclip._concurrency.stop import CancelToken
from esclip._core.progress import Phase
from esclip._core.rejections import IngestReport
from esclip._core.settings import FETCH_WORKERS
from esclip._errors.secrets import Secret
from esclip._ingest.ledger import Ledger
from esclip._ingest.manifest import Cutter
from esclip._ingest.options import CallbackOptions, IngestOptions, RunOptions
from esclip._ingest.pipeline import GRACE_S
from esclip._ingest.progress import IngestProgress
from esclip._ingest.reading import Reading
from esclip._ingest.run import Route, Target, end_reading, prepare
from esclip._ingest.run_ledger import RunLedger
from esclip._ingest.worker import Hooks, IndexAddress, WorkerTask, ingest_part, measure
from esclip._protocols import Encoder, Source
from esclip.encoders.unloaded import UnloadedEncoder
from esclip.sources.manifest import ManifestSource

log = logging.getLogger("esclip")

T = TypeVar("T")

LEAST, MOST = 100, 1_000
"""Records of a part that is cut for workers: as many as give each worker some parts, within these."""

PARTS_PER_WORKER = 4

_NO_CALLBACKS = dict.fromkeys(CallbackOptions.__annotations__)

KEY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
CLOUD_VARIABLES = (
    *KEY_VARIABLES,
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
)
"""What of the driver's environment says who may read a bucket or write into a store, and where it is. Files
of profiles are a machine's own."""

EMBEDDED_WORKERS = 4
"""Workers that write into an embedded index at once: with more, writes mostly wait for each other."""


class Workers(Protocol):
    """Processes that run functions."""

    count: int
    """How many there are at once."""

    def pack(self, task: WorkerTask) -> WorkerTask:
        """The task as it can go to them. Raises `ConfigError` for one that can't."""

    def run(self, function: Callable[..., T], task: WorkerTask) -> T:
        """Run a function in one of them."""

    def map(
        self,
        function: Callable[..., T],
        task: WorkerTask,
        parts: Iterator[tuple[str, bytes]],
        stop: CancelToken,
    ) -> Iterator[T]:
        """Run it for each part. Results come as they are ready; after a stop, those of what is under way.

        A part whose process dies is given to another one.
        """


def worker_task(address: IndexAddress, source: Source, options: IngestOptions) -> WorkerTask:
    """What workers are told of a run. Whether too many are rejected is told by all of them together."""
    taken = {name: value for name, value in options.items() if name in RunOptions.__annotations__}
    fetching = {"workers": FETCH_WORKERS, "max_rejection_rate": 1.0}
    hooks = Hooks(
        _absolute(options["captioner"]), _absolute(options["detector"]), options["detector_threshold"]
    )
    return WorkerTask(
        address, tuple(source.fields), taken | _NO_CALLBACKS | fetching, hooks, cloud_variables()
    )


def _absolute(hook: Any) -> Any:
    """A model's folder as another process finds it; anything else as it is."""
    if not isinstance(hook, str | os.PathLike) or not str(hook):
        return hook
    folder = Path(hook).expanduser()
    return folder.absolute() if folder.is_dir() else hook


def cloud_variables() -> dict[str, Secret | None]:
    """AWS's variables of this process. A key comes with its secret and token, or without a token."""
    names = KEY_VARIABLES if KEY_VARIABLES[0] in os.environ else ()
    values: dict[str, Secret | None] = dict.fromkeys(names)
    return values | {name: Secret(os.environ[name]) for name in CLOUD_VARIABLES if name in os.environ}


def may_use_gpu(task: WorkerTask) -> bool:
    """Whether a model computes in the worker, and nothing says that it does so on the CPU."""
    encoder, device, hooks = task.address.encoder, task.address.device, task.hooks
    if any(isinstance(hook, str | os.PathLike) and str(hook) for hook in (hooks.captioner, hooks.detector)):
        return True
    is_here = encoder is None or not (encoder == "palette" or "://" in encoder)
    return is_here and (device is None or device.startswith("cuda"))


def ingest_by_workers(
    reading: Reading,
    encoder: Encoder,
    target: Target,
    ledger: Ledger,
    options: IngestOptions,
    workers: Workers,
    task: WorkerTask,
) -> IngestReport:
    """Ingest what is read into `target` by `workers`; the other arguments are as those of `run.run`.

    Of `encoder` only the space is used: workers load their own.
    """
    stop, source, task = options["stop"] or CancelToken(), reading.source, workers.pack(task)
    route = prepare(source, UnloadedEncoder(encoder.space), target, options["batch_size"])
    run_ledger = RunLedger(ledger, reading.origin)
    progress = IngestProgress(target.store, encoder.space.model, options, run_ledger)
    cutter = Cutter(source, stop.event)
    progress.total = source.total()
    _write_parts(
        _parts(source, cutter, progress.total, workers.count), route, target, progress, workers, task, stop
    )
    if reading.pruning and not stop.requested:
        progress.enter(Phase.PRUNING)
        progress.count_pruned(*route.prune(cutter.seen, reading.pruning, run_ledger))
    report = end_reading(progress, source, run_ledger, stopped=stop.requested)
    if target.is_searchable and not report.stopped:
        progress.enter(Phase.MEASURING)
        _repeat(workers.run(measure, task))
    return replace(report, seconds=progress.seconds)


def _write_parts(
    parts: Iterator[tuple[str, bytes]],
    route: Route,
    target: Target,
    progress: IngestProgress,
    workers: Workers,
    task: WorkerTask,
    stop: CancelToken,
) -> None:
    """Have all parts written within one bulk load."""
    cancelled = Event()
    before = target.store.schema()
    with stop.grace_period(GRACE_S, cancelled.set), route.store.bulk_load(cancelled):
        with stop.active():
            for result in workers.map(ingest_part, task, parts, stop):
                progress.count_part(result.report, result.outcomes)
                _repeat(result.warnings)
        progress.enter(Phase.INDEXING)
        if stop.requested:
            cancelled.set()
    after = target.store.schema()
    if after is not None and after.texts and not (before and before.texts):
        with target.texts_store().bulk_load(cancelled):  # a worker has made that index meanwhile
            pass


def _parts(source: Source, cutter: Cutter, total: int | None, workers: int) -> Iterator[tuple[str, bytes]]:
    """A manifest's own parts; those cut of any other source, each with a name for people."""
    if isinstance(source, ManifestSource):
        yield from source.parts()
        return
    size = MOST if total is None else min(MOST, max(LEAST, total // (workers * PARTS_PER_WORKER)))
    for number, part in zip(count(1), cutter.parts(size), strict=False):
        yield f"part {number}", part.data


def _repeat(warnings: Sequence[str]) -> None:
    for warning in warnings:
        log.warning("%s", warning)
