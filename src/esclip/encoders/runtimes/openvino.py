"""Exported towers, run by OpenVINO on the CPU: no torch, and the first vector after half a second."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from esclip._concurrency.forks import Unforkable
from esclip._core.optional_imports import hide_module
from esclip._errors import EncoderError
from esclip.encoders.runtimes.compiled import private_cache

__all__ = ["OpenVinoTower", "has_bf16", "import_without_telemetry", "is_installed"]

OPENVINO = Unforkable("OpenVINO", EncoderError, "encode on a server (esclip serve-encoder)")
"""It keeps threads for the next model: compiling one in a child would wait for them."""


class OpenVinoTower:
    """An exported tower. Fulfils `Tower`."""

    def __init__(self, model: Path, precision: str, *, many: bool, compiled: Path | None = None) -> None:
        """Compile an exported file for `precision`, one of f32, bf16 and int8.

        `many` inputs follow each other, as pictures do: batches run side by side where the machine is large.
        Otherwise each input gets the whole machine, as a query should. In the folder `compiled` the result is
        kept, which makes the next time twice as fast. Raises whatever OpenVINO raises, and `EncoderError` in
        a process that can't use it.
        """
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT" if many else "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision != "f32" and has_bf16() else "f32",
        }
        self.runtime = f"OpenVINO {precision} on cpu"
        runs = _compile(model, settings, compiled)
        self.encode_concurrency: int = runs.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if many else 1
        self._inputs = len(runs.inputs)
        """The last go where the tower has no use for them: SigLIP takes no mask."""
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.encode_concurrency):
            self._idle.put(runs.create_infer_request())

    def __call__(self, *inputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """One forward pass, in one of the requests that are free; waits for one."""
        OPENVINO.use()
        request = self._idle.get()
        try:
            (output,) = request.infer(list(inputs[: self._inputs]), share_inputs=True).values()
            return np.array(output, dtype=np.float32)  # the request's own memory is used again
        finally:
            self._idle.put(request)


def _compile(model: Path, settings: dict[str, str], kept: Path | None) -> Any:
    OPENVINO.use()
    if kept is not None:
        with suppress(RuntimeError), private_cache(kept) as folder:  # also where that can't be written
            return _core().compile_model(
                model, "CPU", settings | ({"CACHE_DIR": str(folder)} if folder else {})
            )
    return _core().compile_model(model, "CPU", settings)


def is_installed() -> bool:
    """Whether OpenVINO can be used at all: it has no packages for some machines."""
    with suppress(ImportError):
        _core()
        return True
    return False


def has_bf16() -> bool:
    """Whether the CPU computes in bfloat16 by itself (AVX512_BF16, AMX): else it is only emulated."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def import_without_telemetry(name: str) -> Any:
    """A library of OpenVINO's, imported so that it reports nothing to its makers. Raises `ImportError`.

    It would, by default, at every import: from a forked process, to an analytics service. What it does where
    its package for that is missing is to report nothing, and so it is missing while it is looked for.
    """
    with hide_module("openvino_telemetry"):
        return import_module(name)


@cache
def _core() -> Any:
    return import_without_telemetry("openvino").Core()
