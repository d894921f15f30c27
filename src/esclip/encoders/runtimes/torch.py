"""Towers that run in torch, on a GPU; and models loaded by their own library.

Importing torch takes seconds: import this module only to load a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt
import torch

from esclip._errors import EncoderError
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.preprocessing import Normalization
from esclip.encoders.runtimes.torch_model import TORCH, TorchModel
from esclip.encoders.tokenizer import Tokenizer, clean_texts


def load_torch_model(model: ModelFolder, device: str) -> TorchModel:
    """Load a model by its library.

    Raises what that raises, and `EncoderError` if it isn't installed or in a forked process.
    """
    TORCH.use()
    if not model.open_clip:
        from esclip.encoders.runtimes.sentence_transformers import SentenceTransformersModel

        return SentenceTransformersModel(model, device)
    try:
        from esclip.encoders.runtimes.open_clip import OpenClipModel
    except ImportError as error:
        missing = f"model {model.name} needs open_clip ({error}): pip install 'esclip[open-clip]'"
        raise EncoderError(missing) from error
    return OpenClipModel(model, device)


class TorchImageTower:
    """An image tower on a device, in half precision where that is faster. Fulfils `ImageTower`."""

    encode_concurrency = 1

    def __init__(self, model: TorchModel, normalization: Normalization) -> None:
        self._module = model.image_module(normalization)
        self._device = model.device
        self._half = choose_half_precision(self._device)
        precision = str(self._half or torch.float32).removeprefix("torch.")
        self.runtime = f"torch {precision} on {self._device.type}"

    def __call__(self, pixels: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        """One forward pass; the pixels become floats on the device."""
        TORCH.use()
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._half or torch.bfloat16, enabled=self._half is not None),
        ):
            features = self._module(torch.from_numpy(pixels).to(self._device, non_blocking=True))
            rows: npt.NDArray[np.float32] = features.float().cpu().numpy()
            return rows


class TorchTextTower:
    """A text tower on a device, run by its library's own pipeline. A `TextTower`."""

    def __init__(self, model: TorchModel) -> None:
        self._model = model
        self._warn_of_cuts = Tokenizer(model.tokenizer())
        self._lock = Lock()  # tokenizers of transformers are not thread-safe

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Encode texts; cuts those that are too long, with a warning."""
        TORCH.use()
        texts = clean_texts(texts)
        self._warn_of_cuts(texts)
        with self._lock:
            return self._model.encode(texts)


def choose_half_precision(device: torch.device) -> torch.dtype | None:
    """The type for autocast on this device; None where float32 is as fast or safer."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float16 if device.type == "mps" else None
