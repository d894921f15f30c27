"""CLIP models through sentence-transformers: one tower for pictures, and one for texts that may be another.

    picture ─► image processor ─► batch ─► picture tower ─┐
                (any thread)              (one thread)    ├─► unit rows of one space
    text ──────────────────────────────► text tower ──────┘

Each tower is loaded when it is first needed: a text search never loads the picture tower, an ingest never the
text tower. The space comes from the folder's files alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image

from esclip._errors import EncoderError
from esclip._schema import Space
from esclip._types import Pixels, Vectors, unit_rows
from esclip.encoders._loading import model_errors, quiet_loading
from esclip.encoders._models import ModelFolder, find_model, local_model

__all__ = ["ClipEncoder"]

_log = logging.getLogger("esclip")

_TEXT_MODELS = {"clip-ViT-B-32": "clip-ViT-B-32-multilingual-v1"}
"""Text towers that were trained to fit a model, by its name."""

_MAX_ASPECT = 16


class ClipEncoder:
    """A CLIP model, and for texts another one if named. Fulfils `Encoder`."""

    def __init__(self, name: str, text_encoder: str | None = None, *, device: str | None = None) -> None:
        """Find the picture tower (downloading it if need be), and the text tower if it is on this machine.

        Raises `EncoderError` when the picture tower can't be had, or their dimensions differ.
        """
        self._images = find_model(name)
        self._text_name = text_encoder or _TEXT_MODELS.get(name, name)
        self._asked_device = device
        self._towers: dict[str, Any] = {}
        self._loading = Lock()
        self._tokenizing = Lock()
        texts = self._images if self._text_name == name else local_model(self._text_name)
        if texts is not None:
            self._text_name = texts.name
            self._check_text_dim(texts.dim)

    @cached_property
    def space(self) -> Space:
        """The space of the picture tower's vectors. Reads its weights once to hash them."""
        with model_errors(self._images.name, f"can't be read from {self._images.path}"):
            return Space(
                model=self._images.name,
                text_model=self._text_name,
                weights=self._images.weights,
                preprocessing=self._images.preprocessing,
                dim=self._dim,
            )

    batches_at_once = 1
    sufficient_side = None

    @property
    def runtime(self) -> str:
        """Torch and its device."""
        return f"torch on {self.device}"

    @property
    def device(self) -> str:
        """Where the towers run: `cuda`, `mps`, `cpu`."""
        return self._device[0]

    @property
    def device_reason(self) -> str:
        """Why there, in a few words."""
        return self._device[1]

    def preprocess(self, image: Image.Image) -> Pixels:
        """The picture through the model's own image processor: shape (3, height, width), float32."""
        with model_errors(self._images.name, "can't preprocess a picture"):
            pixels = self._processor(images=_cut_ends(image), return_tensors="np")["pixel_values"][0]
        return np.asarray(pixels, dtype=np.float32)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """The batch through the picture tower in one forward pass."""
        if not batch:
            return np.empty((0, self._dim), dtype=np.float32)
        tower = self._tower(self._images)
        import torch

        with model_errors(self._images.name, "can't encode pictures"), torch.inference_mode():
            pixels = torch.from_numpy(np.stack(batch)).to(tower.device, next(tower.parameters()).dtype)
            features = tower({"pixel_values": pixels, "modality": "image"})
            return unit_rows(features["sentence_embedding"].float().cpu().numpy())

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The texts through the text tower. One that is too long for it is cut, with a warning in the log."""
        if not texts:
            return np.empty((0, self._dim), dtype=np.float32)
        model = self._text_model
        tower = self._tower(model)
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        with model_errors(model.name, "can't encode texts"), self._tokenizing:
            _warn_of_cuts(tower, clean)
            rows = tower.encode(clean, show_progress_bar=False, convert_to_numpy=True)
        self._check_text_dim(rows.shape[1])
        return unit_rows(rows)

    @cached_property
    def _text_model(self) -> ModelFolder:
        return self._images if self._text_name == self._images.name else find_model(self._text_name)

    @cached_property
    def _processor(self) -> Any:
        path = self._images.processor_path
        with model_errors(self._images.name, f"has no usable image processor in {path}"), quiet_loading():
            from transformers import AutoImageProcessor

            return AutoImageProcessor.from_pretrained(str(path), local_files_only=True)

    @cached_property
    def _dim(self) -> int:
        return self._images.dim or int(self._tower(self._images).get_embedding_dimension())

    @cached_property
    def _device(self) -> tuple[str, str]:
        if self._asked_device is not None:
            return self._asked_device, "asked for"
        import torch

        if torch.cuda.is_available():
            return "cuda", str(torch.cuda.get_device_name())
        if torch.backends.mps.is_available():
            return "mps", "Apple GPU"
        return "cpu", "torch sees no GPU"

    def _tower(self, model: ModelFolder) -> Any:
        with self._loading:
            if model.name not in self._towers:
                self._towers[model.name] = self._load(model)
            return self._towers[model.name]

    def _load(self, model: ModelFolder) -> Any:
        _log.info("%s runs on %s (%s)", model.name, self.device, self.device_reason)
        with model_errors(model.name, f"can't be loaded from {model.path} on {self.device}"), quiet_loading():
            from sentence_transformers import SentenceTransformer

            return SentenceTransformer(str(model.path), device=self.device, local_files_only=True).eval()

    def _check_text_dim(self, dim: int | None) -> None:
        if dim is not None and dim != self._dim:
            raise EncoderError(
                f"text encoder {self._text_name} makes vectors of {dim} dimensions, encoder "
                f"{self._images.name} of {self._dim}; choose a text encoder that was trained for this encoder"
            )


def _cut_ends(image: Image.Image) -> Image.Image:
    """The middle of a picture that is many times longer than wide; other pictures as they are.

    The processor scales the short side up and only then crops, which takes gigabytes for a line of pixels.
    """
    width, height = image.size
    longest = _MAX_ASPECT * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))


def _warn_of_cuts(tower: Any, texts: Sequence[str]) -> None:
    limit = tower.max_seq_length
    if limit is None or tower.tokenizer is None:
        return
    for text, ids in zip(texts, tower.tokenizer(list(texts), verbose=False)["input_ids"], strict=True):
        if len(ids) > limit:
            _log.warning("text of %d tokens cut to the model's %d: %.40r…", len(ids), limit, text)
