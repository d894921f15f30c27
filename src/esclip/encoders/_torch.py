"""Models in torch: what towers are made of, what they are checked against, and what runs on a GPU.

    folder ─► TorchModel ─┬─► picture module: pixels ─► features ─┬─► a tower on a GPU
                          ├─► text module: ids, mask ─► features ─┴─► or what is exported
                          ├─► tokenizer file
                          └─► vectors as its library computes them itself: the reference

Importing torch takes seconds, and this module is imported only where a model is loaded so.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from esclip._errors import EncoderError
from esclip._forks import Unforkable
from esclip._types import Vectors
from esclip.encoders._layouts import ModelFolder
from esclip.encoders._pixels import Normalization
from esclip.encoders._texts import Tokenizer, TokenizerFile, valid

__all__ = ["PictureModule", "TorchModel", "TorchPictures", "TorchTexts", "load_torch_model"]


class TorchModel(Protocol):
    """A model that is loaded in torch by its own library."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        ...

    def picture_module(self, normalization: Normalization) -> torch.nn.Module:
        """Pixels of shape (n, height, width, 3), uint8, to features of shape (n, dim)."""
        ...

    def text_module(self) -> torch.nn.Module:
        """Ids and mask of shape (n, length), int64, to features of shape (n, dim)."""
        ...

    def tokenizer(self) -> TokenizerFile:
        """The tokenizer, with all that is done to a text before it."""
        ...

    def encode(self, inputs: Sequence[Image.Image] | Sequence[str]) -> Vectors:
        """Pictures or texts as the library itself encodes them, as unit rows."""
        ...


def load_torch_model(model: ModelFolder, device: str) -> TorchModel:
    """The model, loaded by its library.

    Raises what that raises, and `EncoderError` if it isn't installed or this process can't use torch.
    """
    TORCH.use()
    if not model.open_clip:
        from esclip.encoders._sentence_transformers import SentenceTransformersModel

        return SentenceTransformersModel(model, device)
    try:
        from esclip.encoders._open_clip import OpenClipModel
    except ImportError as error:
        missing = f"model {model.name} needs open_clip ({error}): pip install 'esclip[open-clip]'"
        raise EncoderError(missing) from error
    return OpenClipModel(model, device)


TORCH = Unforkable("torch", EncoderError, "encode on a server (esclip serve-encoder)")


class PictureModule(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The picture tower with the normalization of its pixels before it."""

    def __init__(self, tower: torch.nn.Module, values: Normalization) -> None:
        super().__init__()
        self.tower = tower
        mean, std = torch.tensor(values.mean), torch.tensor(values.std)
        self.register_buffer("scale", (values.scale / std).view(1, 3, 1, 1))
        self.register_buffer("shift", (-mean / std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> Any:
        """Channels first, normalized, through the tower."""
        return self.tower(pixels.permute(0, 3, 1, 2).to(torch.float32) * self.scale + self.shift)


class TorchPictures:
    """A picture tower on a device, in half precision where that is faster. Fulfils `PictureTower`."""

    batches_at_once = 1

    def __init__(self, model: TorchModel, values: Normalization) -> None:
        self._module = model.picture_module(values)
        self._device = model.device
        self._half = half_precision(self._device)
        precision = str(self._half or torch.float32).removeprefix("torch.")
        self.runtime = f"torch {precision} on {self._device.type}"

    def __call__(self, pixels: npt.NDArray[np.uint8], /) -> npt.NDArray[np.float32]:
        """One forward pass; the bytes travel as they are and become floats on the device."""
        TORCH.use()
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._half or torch.bfloat16, enabled=self._half is not None),
        ):
            features = self._module(torch.from_numpy(pixels).to(self._device, non_blocking=True))
            rows: npt.NDArray[np.float32] = features.float().cpu().numpy()
            return rows


class TorchTexts:
    """A text tower on a device, all by its library. A `TextTower`."""

    def __init__(self, model: TorchModel) -> None:
        self._model = model
        self._warn_of_cuts = Tokenizer(model.tokenizer())
        self._lock = Lock()  # a tokenizer of transformers changes itself while it works

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """All texts; one that is too long is cut, with a warning."""
        TORCH.use()
        clean = valid(texts)
        self._warn_of_cuts(clean)
        with self._lock:
            return self._model.encode(clean)


def half_precision(device: torch.device) -> torch.dtype | None:
    """What autocast computes in on this device; None where float32 is as fast or safer."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float16 if device.type == "mps" else None
