"""Exported towers on OpenVINO: on the CPU, without torch, the first vector after half a second."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from esclip._concurrency.forks import Unforkable
from esclip._core.optional_imports import hide_module
from esclip._errors import EncoderError
from esclip.encoders.runtimes.compiled import private_cache

OPENVINO = Unforkable("OpenVINO", EncoderError, "encode on a server (esclip serve-encoder)")
"""Its threads don't survive a fork: compiling a model in a child would wait for them."""


class OpenVinoTower:
    """An exported tower. Fulfils `Tower`."""

    def __init__(self, model: Path, precision: str, *, many: bool, compiled: Path | None = None) -> None:
        """Compile an exported file.

        Args:
            model: The `tower.xml` of an export.
            precision: `f32`, `bf16` or `int8`.
            many: Optimize for throughput, with several batches at a time on a large machine, as images need;
                else for latency, with all cores for each input, as a query needs.
            compiled: Folder that caches the compiled tower, which halves the time of the next start.

        Raises what OpenVINO raises, and `EncoderError` in a forked process.
        """
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT" if many else "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision != "f32" and has_bf16() else "f32",
        }
        self.runtime = f"OpenVINO {precision} on cpu"
        tower = _compile(model, settings, compiled)
        self.encode_concurrency: int = tower.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if many else 1
        self._input_count = len(tower.inputs)
        """SigLIP's text tower takes ids and no mask."""
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.encode_concurrency):
            self._idle.put(tower.create_infer_request())

    def __call__(self, *inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """One forward pass, of as many parts as there are idle requests: a caller alone gets all cores.

        A row's result does not depend on the rows beside it.
        """
        OPENVINO.use()
        arrays = inputs[: self._input_count]
        requests = self._take_idle(len(arrays[0]))
        parts = [np.array_split(array, len(requests)) for array in arrays]
        started: list[Any] = []
        try:
            for request, *part in zip(requests, *parts, strict=True):
                request.start_async(part, share_inputs=True)
                started.append(request)
            outputs = [_output(request) for request in requests]
        finally:
            for request in started:
                request.wait()  # also where another one failed: it is free for the next caller only then
            for request in requests:
                self._idle.put(request)
        return np.concatenate(outputs)

    def _take_idle(self, rows: int) -> list[Any]:
        """Idle requests, one a row at most; waits for the first of them."""
        requests = [self._idle.get()]
        with suppress(Empty):
            while len(requests) < rows:
                requests.append(self._idle.get_nowait())
        return requests


def _output(request: Any) -> npt.NDArray[np.float32]:
    """A copy of what a request has computed: it reuses its memory."""
    request.wait()
    return np.array(request.get_output_tensor(0).data, dtype=np.float32)


def _compile(model: Path, settings: dict[str, str], cache_folder: Path | None) -> Any:
    OPENVINO.use()
    if cache_folder is not None:
        with suppress(RuntimeError), private_cache(cache_folder) as folder:  # on failure without a cache
            return _core().compile_model(
                model, "CPU", settings | ({"CACHE_DIR": str(folder)} if folder else {})
            )
    return _core().compile_model(model, "CPU", settings)


def is_installed() -> bool:
    """Whether OpenVINO can be used: some platforms have no package of it."""
    with suppress(ImportError):
        _core()
        return True
    return False


def has_bf16() -> bool:
    """Whether the CPU has instructions for bfloat16 (AVX512_BF16, AMX); without, OpenVINO emulates it."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def import_without_telemetry(name: str) -> Any:
    """Import a library of OpenVINO without its telemetry. Raises `ImportError`.

    By default it reports each import to an analytics service, from a forked process. It does not where its
    telemetry package is missing, so that is hidden during the import.
    """
    with hide_module("openvino_telemetry"):
        return import_module(name)


@cache
def _core() -> Any:
    return import_without_telemetry("openvino").Core()
