"""An encoder around another, which does what that one does where it says nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip._protocols import Encoder


class EncoderWrapper:
    """Implements `Encoder` by another."""

    def __init__(self, encoder: Encoder) -> None:
        """Wrap an encoder."""
        self.encoder = encoder

    @property
    def space(self) -> Space:
        """That of the encoder."""
        return self.encoder.space

    @property
    def runtime(self) -> str:
        """That of the encoder."""
        return self.encoder.runtime

    @property
    def useful_side(self) -> int | None:
        """That of the encoder."""
        return self.encoder.useful_side

    @property
    def encode_concurrency(self) -> int:
        """That of the encoder."""
        return self.encoder.encode_concurrency

    @property
    def logit_scale(self) -> float:
        """That of the encoder."""
        return self.encoder.logit_scale

    def preprocess(self, image: Image.Image) -> Pixels:
        """As the encoder does."""
        return self.encoder.preprocess(image)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """As the encoder does."""
        return self.encoder.encode_images(batch)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """As the encoder does."""
        return self.encoder.encode_texts(texts)
