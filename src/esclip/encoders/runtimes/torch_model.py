"""What a model in torch has to offer, by whichever library it is loaded.

folder ─► TorchModel ─┬─► picture module: pixels ─► features ─┬─► a tower on a GPU
                      ├─► text module: ids, mask ─► features ─┴─► or what is exported
                      ├─► tokenizer file
                      └─► vectors as its library computes them itself: the reference
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

__all__ = ["TORCH", "ImageModule", "TorchModel"]

TORCH = Unforkable("torch", EncoderError, "encode on a server (esclip serve-encoder)")


class TorchModel(Protocol):
    """A model that is loaded in torch by its own library."""

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        ...

    def image_module(self, normalization: Normalization) -> torch.nn.Module:
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


class ImageModule(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
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
