"""Load a model's towers, each on the best runtime for this machine.

    GPU ────────────► torch, in half precision (texts only if requested)
    CPU, or texts ──► OpenVINO ─► bf16 where the CPU has it ─► if refused, f32 ─► if refused, torch

By default, texts are encoded on the CPU even where there is a GPU: a query is short, and importing torch
takes longer than a search.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from esclip._errors import ConfigError, EncoderError, map_errors
from esclip._files.user_folders import check_writable
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.loading import MODEL_ERRORS, quiet_loading
from esclip.encoders.preprocessing import read_processor
from esclip.encoders.runtimes import openvino
from esclip.encoders.runtimes.export import MIN_COSINE, PRECISIONS, Export, Kind, find_export, make_export
from esclip.encoders.runtimes.openvino import OpenVinoTower
from esclip.encoders.tokenizer import Tokenizer

if TYPE_CHECKING:
    from esclip.encoders.runtimes.torch_model import TorchModel

T = TypeVar("T")

_log = logging.getLogger("esclip")


class ImageTower(Protocol):
    """Computes features of images. Thread-safe."""

    @property
    def runtime(self) -> str:
        """Library, precision and device: `OpenVINO bf16 on cpu`."""

    @property
    def encode_concurrency(self) -> int:
        """The number of parallel calls that use it fully."""

    def __call__(self, pixels: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        """Pixels of shape (n, height, width, 3) to features of shape (n, dim)."""


TextTower: TypeAlias = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Texts to features of shape (n, dim). Thread-safe; logs a warning for a text that it cuts."""


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """The runtime of a tower, and why."""

    device: str
    precisions: tuple[str, ...]
    """Of exported towers, in order of preference; empty: torch."""
    reason: str


def choose_runtime(kind: Kind, device: str | None, precision: str | None) -> RuntimeChoice:
    """Choose the requested runtime, or the best for this machine. Raises `ConfigError`."""
    if precision is not None and precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if device is None and kind is Kind.PICTURES and precision is None and (gpu := _find_gpu()):
        return gpu
    if device not in (None, "cpu"):
        if precision is not None:
            raise ConfigError(f"precision {precision!r} is for the CPU: leave out device {device!r}")
        return RuntimeChoice(device, (), "asked for")
    if not openvino.is_installed():
        return RuntimeChoice("cpu", (), "OpenVINO is not installed")
    defaults = ("bf16", "f32") if openvino.has_bf16() else ("f32",)
    if precision == "bf16" and "bf16" not in defaults:
        raise ConfigError(
            "precision 'bf16': this CPU does not compute in bfloat16; leave it out, or take f32"
        )
    if precision is not None:
        return RuntimeChoice("cpu", tuple(dict.fromkeys((precision, *defaults))), "asked for")
    reason = "asked for" if device else "no GPU" if kind is Kind.PICTURES else "texts need no GPU"
    native = "bfloat16" if "bf16" in defaults else "float32"
    return RuntimeChoice("cpu", defaults, f"{reason}, and the CPU computes in {native}")


def load_image_tower(model: ModelFolder, choice: RuntimeChoice, cache: Path) -> ImageTower:
    """Load the image tower on the chosen runtime; export it if that was never done.

    Raises `EncoderError` when it can't be loaded.
    """
    source = _TorchSource(model)
    if (export := _best_export(source, Kind.PICTURES, choice, cache)) and (
        tower := _load_export(model, export)
    ):
        return _log_tower(model, Kind.PICTURES, tower, tower.runtime, _reason(model, export, choice))
    torch_model = source.load(choice.device)
    with map_errors(MODEL_ERRORS, model.name, f"can't run on {choice.device}"):
        from esclip.encoders.runtimes.torch import TorchImageTower

        in_torch = TorchImageTower(torch_model, read_processor(model.processor)[1])
        return _log_tower(model, Kind.PICTURES, in_torch, in_torch.runtime, choice.reason)


def load_text_tower(model: ModelFolder, choice: RuntimeChoice, cache: Path) -> TextTower:
    """Load the text tower with its tokenizer on the chosen runtime, like `load_image_tower`."""
    source = _TorchSource(model)
    if export := _best_export(source, Kind.TEXTS, choice, cache):
        with ThreadPoolExecutor(1) as thread:  # the tower and the tokenizer take 0.1 s each
            loading = thread.submit(_load_export, model, export)
            with map_errors(MODEL_ERRORS, model.name, "has no usable tokenizer"):
                tokenize = Tokenizer(export.tokenizer())
            tower = loading.result()
        if tower is not None:
            _log_tower(model, Kind.TEXTS, tower, tower.runtime, _reason(model, export, choice))
            return lambda texts: tower(*tokenize(texts))
    torch_model = source.load(choice.device)
    with map_errors(MODEL_ERRORS, model.name, f"can't run on {choice.device}"):
        from esclip.encoders.runtimes.torch import TorchTextTower

        return _log_tower(
            model, Kind.TEXTS, TorchTextTower(torch_model), f"torch on {choice.device}", choice.reason
        )


def prepare_text_tower(model: ModelFolder, choice: RuntimeChoice, cache: Path) -> None:
    """Export the text tower if that was never done, so that the first search need not wait for it."""
    _best_export(_TorchSource(model), Kind.TEXTS, choice, cache)


def find_text_export(model: ModelFolder, choice: RuntimeChoice, cache: Path) -> Export | None:
    """Find the export that `load_text_tower` loads; None on torch, and where it has not been made yet."""
    with map_errors(MODEL_ERRORS, model.name, f"can't be read from {model.path}"):
        for precision in choice.precisions:
            export = find_export(cache, model, Kind.TEXTS, precision)
            if export is None or export.accepted:
                return export
    return None


class _TorchSource:
    """The model in torch, loaded on first use by device, as it takes seconds and gigabytes."""

    def __init__(self, model: ModelFolder) -> None:
        self.model = model
        self._loaded: dict[str, TorchModel] = {}

    def load(self, device: str) -> TorchModel:
        if device not in self._loaded:
            problem = f"can't be loaded from {self.model.path} on {device}"
            with map_errors(MODEL_ERRORS, self.model.name, problem), quiet_loading():
                from esclip.encoders.runtimes.torch import load_torch_model

                self._loaded[device] = load_torch_model(self.model, device)
        return self._loaded[device]


def _best_export(source: _TorchSource, kind: Kind, choice: RuntimeChoice, cache: Path) -> Export | None:
    """Find or make the first accepted export of the chosen precisions; None, with a warning, without any."""
    model = source.model
    for precision in choice.precisions:
        with map_errors(MODEL_ERRORS, model.name, f"can't be read from {model.path}"):
            export = find_export(cache, model, kind, precision)
            if export is None and not _is_cache_writable(model, cache):
                break
            export = export or _make_export(source, cache, kind, precision)
        if export is not None and export.accepted:
            return export
    if choice.precisions:
        _log.warning("%s: %s run on torch, which is slower", model.name, kind.value)
    return None


def _is_cache_writable(model: ModelFolder, cache: Path) -> bool:
    """Whether the cache is writable; logs a warning if not."""
    try:
        check_writable(cache)
    except OSError as error:
        reason = error.strerror or error
        _log.warning("%s: exports can't be kept in %s: %s", model.name, cache, reason)
        return False
    return True


def _load_export(model: ModelFolder, export: Export) -> OpenVinoTower | None:
    try:
        return export.load()
    except RuntimeError:  # the only class that OpenVINO raises
        _log.warning("%s: %s is damaged and not used; remove it", model.name, export.folder)
        return None


def _reason(model: ModelFolder, export: Export, choice: RuntimeChoice) -> str:
    first = choice.precisions[0]
    return choice.reason if export.precision == first else f"{first} is too far from {model.library}"


def _make_export(source: _TorchSource, cache: Path, kind: Kind, precision: str) -> Export | None:
    """Export a tower; None, with a warning, if it can't be exported."""
    model = source.model
    _log.warning("%s: preparing %s for OpenVINO in %s, once", model.name, kind.value, precision)
    torch_model = source.load("cpu")
    try:
        with quiet_loading():
            export = make_export(cache, model, kind, precision, torch_model)
    except EncoderError:
        raise
    except Exception as error:  # third-party code may raise anything
        cause = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        _log.warning("%s: %s can't be exported in %s (%s)", model.name, kind.value, precision, cause)
        return None
    if not export.accepted:
        _log.warning(
            "%s: %s in %s refused: a vector agrees with %s to %.5f only, not to %g",
            model.name,
            kind.value,
            precision,
            model.library,
            export.cosine,
            MIN_COSINE[precision],
        )
    return export


def _log_tower(model: ModelFolder, kind: Kind, tower: T, runtime: str, reason: str) -> T:
    _log.info("%s: %s by %s (%s)", model.name, kind.value, runtime, reason)
    return tower


def _find_gpu() -> RuntimeChoice | None:
    """Torch's fastest device, if there is a GPU; imports torch only if there may be one."""
    if not ("torch" in sys.modules or sys.platform == "darwin" or _has_gpu_driver()):
        return None
    import torch

    if torch.cuda.is_available():
        return RuntimeChoice("cuda", (), str(torch.cuda.get_device_name()))
    if torch.backends.mps.is_available():
        return RuntimeChoice("mps", (), "Apple GPU")
    return None


def _has_gpu_driver() -> bool:
    """Whether an NVIDIA driver finds a GPU, or the system has an AMD GPU for computing."""
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value:
            return True
    return Path("/dev/kfd").exists()
