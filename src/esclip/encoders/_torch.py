"""Models in torch, through sentence-transformers: what towers are made of, and what they are checked against.

    folder ─► SentenceTransformer ─┬─► picture module: pixels ─► features ─┬─► a tower on a GPU
                                   ├─► text module: ids, mask ─► features ─┴─► or what is exported
                                   ├─► tokenizer file
                                   └─► vectors as it computes them itself: the reference

Importing torch takes seconds, and this module is imported only where a model is loaded so.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from tokenizers import normalizers

from esclip._types import Vectors, unit_rows
from esclip.encoders._layouts import ModelFolder
from esclip.encoders._pixels import Normalization
from esclip.encoders._texts import Tokenizer, TokenizerFile, valid

__all__ = ["TorchModel", "TorchPictures", "TorchTexts"]


class TorchModel:
    """A model as sentence-transformers loads it."""

    def __init__(self, folder: ModelFolder, device: str = "cpu") -> None:
        """Load the folder. Raises whatever torch and sentence-transformers raise."""
        self._model = SentenceTransformer(
            str(folder.path),
            device=device,
            local_files_only=True,
            processor_kwargs={"backend": "pil"},  # torchvision's differs, and may be there or not
        ).eval()
        self._length = folder.text_length
        if self._length is not None:
            self._read_texts_as_siglip(self._length, lower_case=folder.lower_case)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self._model.device

    def picture_module(self, normalization: Normalization) -> torch.nn.Module:
        """Pixels of shape (n, height, width, 3), uint8, to features of shape (n, dim)."""
        return PictureModule(self._model, normalization).to(self.device).eval()

    def text_module(self) -> torch.nn.Module:
        """Ids and mask of shape (n, length), int64, to features of shape (n, dim)."""
        return TextModule(self._model).eval()

    def tokenizer(self) -> TokenizerFile:
        """The tokenizer, with all that the model's folder says about it."""
        tokenizer = self._model.tokenizer
        return TokenizerFile(
            model=tokenizer.backend_tokenizer.to_str(),
            limit=int(self._length or self._model.max_seq_length or tokenizer.model_max_length),
            pad_id=int(tokenizer.pad_token_id),
            pad_token=str(tokenizer.pad_token),
            to_limit=self._length is not None,
        )

    def encode(self, inputs: Sequence[Image.Image] | Sequence[str]) -> Vectors:
        """Pictures or texts as sentence-transformers itself encodes them, as unit rows."""
        return unit_rows(self._model.encode(list(inputs), show_progress_bar=False, convert_to_numpy=True))

    def _read_texts_as_siglip(self, length: int, *, lower_case: bool) -> None:
        """Give the model its texts as it was trained on them, which its files don't ask for.

        Padded at the end to one length, without a mask, which changes the vector: it comes from the last
        token (transformers, docs of SigLIP). In lower case where the tokenizer leaves that to others.
        """
        self._model[0].processing_kwargs = {"text": {"padding": "max_length", "max_length": length}}
        tokenizer = self._model.tokenizer
        tokenizer.padding_side = "right"
        tokenizer.model_input_names = ["input_ids"]
        if lower_case:
            engine = tokenizer.backend_tokenizer
            steps = [engine.normalizer] if engine.normalizer else []
            engine.normalizer = normalizers.Sequence([normalizers.Lowercase(), *steps])


class PictureModule(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The picture tower with the normalization of its pixels before it."""

    def __init__(self, model: SentenceTransformer, values: Normalization) -> None:
        super().__init__()
        self.model = model
        mean, std = torch.tensor(values.mean), torch.tensor(values.std)
        self.register_buffer("scale", (values.scale / std).view(1, 3, 1, 1))
        self.register_buffer("shift", (-mean / std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> Any:
        """Channels first, normalized, through the tower."""
        values = pixels.permute(0, 3, 1, 2).to(torch.float32) * self.scale + self.shift
        return self.model({"pixel_values": values, "modality": "image"})["sentence_embedding"]


class TextModule(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """The text tower with all that comes after it: pooling, a dense layer."""

    def __init__(self, model: SentenceTransformer) -> None:
        super().__init__()
        self.model = model
        self._names = set(model.tokenizer.model_input_names)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        """The inputs that this model knows, through the tower."""
        known = {"input_ids": input_ids, "attention_mask": attention_mask}
        inputs = {name: value for name, value in known.items() if name in self._names}
        return self.model({**inputs, "modality": "text"})["sentence_embedding"]


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
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, self._half or torch.bfloat16, enabled=self._half is not None),
        ):
            features = self._module(torch.from_numpy(pixels).to(self._device, non_blocking=True))
            rows: npt.NDArray[np.float32] = features.float().cpu().numpy()
            return rows


class TorchTexts:
    """A text tower on a device, all by sentence-transformers. A `TextTower`."""

    def __init__(self, model: TorchModel) -> None:
        self._model = model
        self._warn_of_cuts = Tokenizer(model.tokenizer())
        self._lock = Lock()  # a tokenizer of transformers changes itself while it works

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """All texts; one that is too long is cut, with a warning."""
        clean = valid(texts)
        self._warn_of_cuts(clean)
        with self._lock:
            return self._model.encode(clean)


def half_precision(device: torch.device) -> torch.dtype | None:
    """What autocast computes in on this device; None where float32 is as fast or safer."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float16 if device.type == "mps" else None
