"""A model's towers, each on the runtime that is best for this machine.

    a GPU ──────────────────► torch, in half precision (texts only if it was asked for)
    no GPU, or it's texts ──► OpenVINO ─► bf16 where the CPU has it ─► else, or if refused, f32 ─► else torch

Texts are encoded on the CPU also where there is a GPU, unless that was asked for: a query is a few words, and
importing torch takes longer than a search may.
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

__all__ = [
    "ImageTower",
    "RuntimeChoice",
    "TextTower",
    "choose_runtime",
    "load_image_tower",
    "load_text_tower",
    "prepare_text_tower",
]

T = TypeVar("T")

_log = logging.getLogger("esclip")


class ImageTower(Protocol):
    """What makes features of pictures. Safe from several threads."""

    @property
    def runtime(self) -> str:
        """What it runs on, in a few words: `OpenVINO bf16 on cpu`."""
        ...

    @property
    def encode_concurrency(self) -> int:
        """How many calls at a time keep it busy."""
        ...

    def __call__(self, pixels: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        """Shape (n, height, width, 3) to features of shape (n, dim)."""
        ...


TextTower: TypeAlias = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""Texts to features of shape (n, dim). Safe from several threads; warns of texts that it cuts."""


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """Where a tower shall run, and why."""

    device: str
    precisions: tuple[str, ...]
    """Of exported towers, in the order in which they are tried; none: torch."""
    reason: str


def choose_runtime(kind: Kind, device: str | None, precision: str | None) -> RuntimeChoice:
    """The best runtime for this machine, or what was asked for. Raises `ConfigError` for what there isn't."""
    if precision is not None and precision not in PRECISIONS:
        raise ConfigError(f"precision {precision!r}: choose_runtime one of {', '.join(PRECISIONS)}")
    if device is None and kind is Kind.PICTURES and precision is None and (gpu := _find_gpu()):
        return RuntimeChoice(*gpu)
    if device not in (None, "cpu"):
        if precision is not None:
            raise ConfigError(f"precision {precision!r} is for the CPU: leave out device {device!r}")
        return RuntimeChoice(device, (), "asked for")
    if not openvino.is_installed():
        return RuntimeChoice("cpu", (), "OpenVINO is not installed")
    usual = ("bf16", "f32") if openvino.has_bf16() else ("f32",)
    if precision == "bf16" and "bf16" not in usual:
        raise ConfigError(
            "precision 'bf16': this CPU does not compute in bfloat16; leave it out, or take f32"
        )
    if precision is not None:
        return RuntimeChoice("cpu", tuple(dict.fromkeys((precision, *usual))), "asked for")
    why = "asked for" if device else "no GPU" if kind is Kind.PICTURES else "texts need no GPU"
    return RuntimeChoice(
        "cpu", usual, f"{why}, and the CPU computes in {'bfloat16' if len(usual) > 1 else 'float32'}"
    )


def load_image_tower(model: ModelFolder, choice: RuntimeChoice, cache: Path) -> ImageTower:
    """The picture tower as it was chosen, exported now if it never was.

    Raises `EncoderError` when it can't be had.
    """
    source = _TorchSource(model)
    if (export := _best_export(source, Kind.PICTURES, choice, cache)) and (
        tower := _load_export(model, export)
    ):
        return _log_tower(model, Kind.PICTURES, tower, tower.runtime, _reason(model, export, choice))
    loaded = source.on(choice.device)
    with map_errors(MODEL_ERRORS, model.name, f"can't run on {choice.device}"):
        from esclip.encoders.runtimes.torch import TorchImageTower

        in_torch = TorchImageTower(loaded, read_processor(model.processor)[1])
        return _log_tower(model, Kind.PICTURES, in_torch, in_torch.runtime, choice.reason)


def load_text_tower(model: ModelFolder, choice: RuntimeChoice, cache: Path) -> TextTower:
    """The same for texts, with the tokenizer before it."""
    source = _TorchSource(model)
    if export := _best_export(source, Kind.TEXTS, choice, cache):
        with ThreadPoolExecutor(1) as beside:  # each takes a tenth of a search's first second
            opened = beside.submit(_load_export, model, export)
            with map_errors(MODEL_ERRORS, model.name, "has no usable tokenizer"):
                tokenize = Tokenizer(export.tokenizer())
            tower = opened.result()
        if tower is not None:
            _log_tower(model, Kind.TEXTS, tower, tower.runtime, _reason(model, export, choice))
            return lambda texts: tower(*tokenize(texts))
    loaded = source.on(choice.device)
    with map_errors(MODEL_ERRORS, model.name, f"can't run on {choice.device}"):
        from esclip.encoders.runtimes.torch import TorchTextTower

        return _log_tower(
            model, Kind.TEXTS, TorchTextTower(loaded), f"torch on {choice.device}", choice.reason
        )


def prepare_text_tower(model: ModelFolder, choice: RuntimeChoice, cache: Path) -> None:
    """Export the text tower if that was never done: what the first search would wait for."""
    _best_export(_TorchSource(model), Kind.TEXTS, choice, cache)


class _TorchSource:
    """The model in torch, loaded when it is first needed: seconds and gigabytes."""

    def __init__(self, model: ModelFolder) -> None:
        self.model = model
        self._loaded: dict[str, TorchModel] = {}

    def on(self, device: str) -> TorchModel:
        if device not in self._loaded:
            problem = f"can't be loaded from {self.model.path} on {device}"
            with map_errors(MODEL_ERRORS, self.model.name, problem), quiet_loading():
                from esclip.encoders.runtimes.torch import load_torch_model

                self._loaded[device] = load_torch_model(self.model, device)
        return self._loaded[device]


def _best_export(source: _TorchSource, kind: Kind, choice: RuntimeChoice, cache: Path) -> Export | None:
    """The first of the chosen precisions that can be had; None, with a warning, if that is none of them."""
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
    """Whether exports can be kept at all; where not, a warning says why."""
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
    except RuntimeError:  # OpenVINO raises nothing finer
        _log.warning("%s: %s is damaged and not used; remove it", model.name, export.folder)
        return None


def _reason(model: ModelFolder, export: Export, choice: RuntimeChoice) -> str:
    first = choice.precisions[0]
    return choice.reason if export.precision == first else f"{first} is too far from {model.library}"


def _make_export(source: _TorchSource, cache: Path, kind: Kind, precision: str) -> Export | None:
    """The tower exported and tried; None where it can't be, which is told."""
    model = source.model
    _log.warning("%s: preparing %s for OpenVINO in %s, once", model.name, kind.value, precision)
    loaded = source.on("cpu")
    try:
        with quiet_loading():
            export = make_export(cache, model, kind, precision, loaded)
    except EncoderError:
        raise
    except Exception as error:  # foreign code on a foreign model: any exception can come out of it
        words = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        _log.warning("%s: %s can't be exported in %s (%s)", model.name, kind.value, precision, words)
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


def _log_tower(model: ModelFolder, kind: Kind, tower: T, runtime: str, why: str) -> T:
    _log.info("%s: %s by %s (%s)", model.name, kind.value, runtime, why)
    return tower


def _find_gpu() -> tuple[str, tuple[str, ...], str] | None:
    """Torch's fastest device and why, where there is a GPU; torch is imported only if there may be one."""
    if not ("torch" in sys.modules or sys.platform == "darwin" or _has_gpu_driver()):
        return None
    import torch

    if torch.cuda.is_available():
        return "cuda", (), str(torch.cuda.get_device_name())
    if torch.backends.mps.is_available():
        return "mps", (), "Apple GPU"
    return None


def _has_gpu_driver() -> bool:
    """Whether the driver of an NVIDIA card finds one, or the system has an AMD card for computing."""
    with suppress(OSError, AttributeError):
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value:
            return True
    return Path("/dev/kfd").exists()
