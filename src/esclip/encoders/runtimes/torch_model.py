"""The protocol of a model loaded in torch by its own library.

folder ─► TorchModel ─┬─► image module: pixels ─► features ───┬─► a tower on a GPU, or an export
                      ├─► text module: ids, mask ─► features ─┘
                      ├─► tokenizer file
                      └─► vectors by the library's own pipeline: the reference
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from PIL import Image

from esclip._concurrency.forks import Unforkable
from esclip._core.types import Vectors
from esclip._errors import EncoderError
from esclip.encoders.preprocessing import Normalization
from esclip.encoders.tokenizer import TokenizerFile

TORCH = Unforkable("torch", EncoderError, "encode on a server (esclip serve-encoder)")


class TorchModel(Protocol):
    """A model loaded in torch by its own library."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""

    def image_module(self, normalization: Normalization) -> torch.nn.Module:
        """Pixels of shape (n, height, width, 3), uint8, to features of shape (n, dim)."""

    def text_module(self) -> torch.nn.Module:
        """Ids and mask of shape (n, length), int64, to features of shape (n, dim)."""

    def tokenizer(self) -> TokenizerFile:
        """The tokenizer, including the library's normalization of texts."""

    def encode(self, inputs: Sequence[Image.Image] | Sequence[str]) -> Vectors:
        """Encode images or texts by the library's own pipeline, as unit rows of shape (n, dim)."""


class ImageModule(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
    """An image tower that normalizes its pixels first."""

    def __init__(self, tower: torch.nn.Module, normalization: Normalization) -> None:
        super().__init__()
        self.tower = tower
        mean, std = torch.tensor(normalization.mean), torch.tensor(normalization.std)
        self.register_buffer("scale", (normalization.scale / std).view(1, 3, 1, 1))
        self.register_buffer("shift", (-mean / std).view(1, 3, 1, 1))

    def forward(self, pixels: torch.Tensor) -> Any:
        """Pixels of shape (n, height, width, 3), uint8, to features of shape (n, dim)."""
        return self.tower(pixels.permute(0, 3, 1, 2).to(torch.float32) * self.scale + self.shift)
