"""What a worker process does with a part of the records: the pipeline of any ingest, and what became of each.

    WorkerTask + part of a manifest ─► run ─► PartResult: counts, outcome of each record, warnings

The driver has prepared the index, and holds its bulk load and its ledger. No state of a run is here: what the
store holds unchanged is skipped, so a part may be done by halves, again, or by two workers at once.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from esclip._concurrency.stop import CancelToken
from esclip._core.index_settings import NO_SETTINGS
from esclip._core.outcomes import RecordOutcome
from esclip._core.parts import parts_index
from esclip._core.rejections import IngestReport
from esclip._core.schema import Field, IndexSchema
from esclip._core.texts import texts_index
from esclip._errors import ConfigError, EsclipError, error_text
from esclip._errors.secrets import Secret
from esclip._ingest.calibration import calibrate
from esclip._ingest.ledger import Ledger
from esclip._ingest.picture_models import PictureModels, open_models
from esclip._ingest.reading import Reading
from esclip._ingest.run import Target, run
from esclip._net.access import StoreAuth
from esclip._protocols import Encoder, Store
from esclip.encoders import load_encoder
from esclip.encoders.resolver import EncoderResolver
from esclip.sources.manifest import PartSource
from esclip.stores import open_store
from esclip.stores.suggestions import missing_index


@dataclass(frozen=True, slots=True)
class IndexAddress:
    """All by which another process opens the same index with the same encoder."""

    store: str | Path = field(repr=False)
    index: str
    auth: StoreAuth | None = field(repr=False)
    encoder: str | None = field(repr=False)
    text_encoder: str | None
    device: str | None
    precision: str | None
    encoder_token: Secret | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What describes pictures and finds crops: models, which each process loads, or functions.

    A function goes to another process as a pickle's bytes, by which it is known there from part to part.
    """

    captioner: Any = None
    detector: Any = None
    threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerTask:
    """What is the same for all parts of a run."""

    address: IndexAddress
    fields: Sequence[Field]
    """Those that records may have."""
    options: dict[str, Any]
    """Those of `RetryOptions`, as `resolve` gives them; without callbacks."""
    hooks: Hooks = Hooks()
    environment: Mapping[str, Secret | None] = field(default_factory=dict, repr=False)
    """Variables that a process has to have as the driver does; None: has to lack."""


@dataclass(frozen=True, slots=True)
class PartResult:
    """What a worker tells of its part."""

    report: IngestReport
    outcomes: Sequence[RecordOutcome]
    warnings: Sequence[str]


def ingest_part(task: WorkerTask, place: str, data: bytes) -> PartResult:
    """Ingest the records of a part of a manifest; ended early by SIGINT, as a run that is asked to stop."""
    outcomes: list[RecordOutcome] = []
    _change_environment(task.environment)
    models = _models(task.hooks)
    with _stopped_by_signal() as stop, _warnings() as warnings, _opened(task.address) as store:
        schema = _require_schema(store)
        target = Target(
            store,
            schema.label_set,
            schema.parts,
            NO_SETTINGS,
            partial(store.open_other, parts_index(store.index)),
            partial(store.open_other, texts_index(store.index)),
            is_searchable=False,
            is_loading=True,
            models=models,
        )
        options: Any = task.options | {"stop": stop, "on_outcome": outcomes.append}
        source = PartSource(place, data, task.fields)
        encoder, ledger = _encoder(task.address, schema), Ledger(None)
        try:
            report = run(Reading(source), encoder, target, ledger, options)
        finally:
            ledger.close()
    return PartResult(report, outcomes, warnings)


def measure(task: WorkerTask) -> Sequence[str]:
    """Measure what the index's scores mean. Returns warnings."""
    _change_environment(task.environment)
    with _warnings() as warnings, _opened(task.address) as store:
        calibrate(store, _encoder(task.address, _require_schema(store)))
    return warnings


@contextmanager
def _opened(address: IndexAddress) -> Iterator[Store]:
    with open_store(address.store, address.index, address.auth) as store:
        yield store


def _require_schema(store: Store) -> IndexSchema:
    if (schema := store.schema()) is None:
        raise missing_index(store)
    return schema


def _encoder(address: IndexAddress, schema: IndexSchema) -> Encoder:
    return _resolver(address).resolve(address.index, schema)


@lru_cache(maxsize=1)
def _resolver(address: IndexAddress) -> EncoderResolver:
    """Kept from part to part: a model is loaded once in a process."""
    load = partial(load_encoder, device=address.device, precision=address.precision)
    return EncoderResolver(address.encoder, address.text_encoder, load, address.encoder_token)


@lru_cache(maxsize=1)
def _models(hooks: Hooks) -> PictureModels:
    """Kept, as the encoder is."""
    captioner = _unpickle("captioner", hooks.captioner)
    return open_models(captioner, _unpickle("detector", hooks.detector), hooks.threshold)


def _unpickle(option: str, hook: Any) -> Any:
    """The function in a pickle; anything else as it is. Raises `ConfigError` for one that can't be loaded."""
    if not isinstance(hook, bytes):
        return hook
    try:
        return pickle.loads(hook)  # from the driver, as the task itself
    except EsclipError:
        raise
    except Exception as error:  # what unpickles may be anybody's
        raise ConfigError(
            f"{option}: a worker process can't load it ({error_text(error)}); all machines need what it is "
            "made of"
        ) from error


def _change_environment(values: Mapping[str, Secret | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def _stopped_by_signal() -> Iterator[CancelToken]:
    """Context manager: within it, SIGINT requests the end of the run."""
    stop = CancelToken()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGINT, lambda *_: stop.request())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Context manager: gives what the library warns of within it, each once."""
    found: dict[str, None] = {}

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found[record.getMessage()] = None

    log, keep, warnings = logging.getLogger("esclip"), Keep(logging.WARNING), list[str]()
    log.addHandler(keep)
    try:
        yield warnings
    finally:
        log.removeHandler(keep)
        warnings += found
