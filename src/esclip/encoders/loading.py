"""Load third-party models quietly, with their exceptions mapped to `EncoderError`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock

from esclip._concurrency.forks import run_in_children
from esclip._errors import EncoderError, ErrorTable, Hint

_loading = RLock()


def _renew() -> None:
    global _loading
    _loading = RLock()


run_in_children(_renew)


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Context manager: libraries load without progress bars, reports and warnings.

    These are settings of the whole process, so one thread enters at a time; all are restored on exit.
    """
    with quiet_download():
        from transformers.utils import logging as transformers_logging  # sets its log level itself

    with (
        quiet_download(),
        _log_levels_raised("transformers", "sentence_transformers", "nncf"),
        _root_handler_present(),
    ):
        shown = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()
        try:
            yield
        finally:
            if shown:
                transformers_logging.enable_progress_bar()


@contextmanager
def quiet_download() -> Iterator[None]:
    """Context manager: as `quiet_loading`, for the hub alone, without importing transformers for seconds."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    with _loading, warnings.catch_warnings(), _log_levels_raised("huggingface_hub"):
        warnings.simplefilter("ignore")
        shown = not are_progress_bars_disabled()
        disable_progress_bars()
        try:
            yield
        finally:
            if shown:
                enable_progress_bars()


@contextmanager
def _log_levels_raised(*names: str) -> Iterator[None]:
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _root_handler_present() -> Iterator[None]:
    """Context manager: a handler on the root logger, to which open_clip's logging would else add one."""
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def _describe_cause(error: Exception) -> str:
    """Describe an error in a few words: by `_CAUSES`, for it or one of its causes."""
    cause: BaseException | None = error
    while cause is not None:
        for kind in type(cause).__mro__:
            if kind.__name__ in _CAUSES:
                return _CAUSES[kind.__name__]
        cause = cause.__cause__ or cause.__context__
    first_line = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {first_line[:200]}" if first_line else type(error).__name__


# By class name: the hub's HTTP library differs by version, and importing torch takes seconds.
_CAUSES: Mapping[str, str] = {
    "OfflineModeIsEnabled": "offline mode is on",
    "GatedRepoError": "it needs a licence to be accepted there",
    "RepositoryNotFoundError": "there is no public model of this name",
    "HFValidationError": "not a valid model name",
    "ConnectError": "no connection",
    "ConnectionError": "no connection",
    "TimeoutException": "no answer in time",
    "Timeout": "no answer in time",
    "ProxyError": "the proxy refused",
    "OutOfMemoryError": "not enough memory on the device; use a smaller batch size",
    "SafetensorError": "its weights are damaged",
}


def _model_error(error: Exception, name: str, problem: str) -> EncoderError:
    return EncoderError(f"model {name} {problem} ({_describe_cause(error)})", Hint.MODEL_FOLDER)


def _local_model_error(error: Exception, name: str, problem: str) -> EncoderError:
    return EncoderError(f"model {name} {problem} ({_describe_cause(error)})")


LOCAL_MODEL_ERRORS: ErrorTable = ((Exception, _local_model_error),)
"""The same for models that encode nothing, which are only looked for on this machine."""

MODEL_ERRORS: ErrorTable = ((Exception, _model_error),)
"""For transformers, torch and the hub. Third-party code on untrusted folders: any exception may be raised.

The context is the model's name and the problem."""
