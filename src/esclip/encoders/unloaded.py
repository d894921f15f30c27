"""An encoder of which only the space is known: for what compares records with an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from PIL import Image

from esclip._core.schema import Space
from esclip._errors import EncoderError


class UnloadedEncoder:
    """Implements `Encoder` without a model: whatever would need one raises `EncoderError`."""

    runtime = ""
    useful_side = None
    encode_concurrency = 1

    def __init__(self, space: Space) -> None:
        """Know no more than the space."""
        self.space = space

    @property
    def logit_scale(self) -> float:
        """Not known."""
        self._refuse()

    def preprocess(self, image: Image.Image) -> NoReturn:
        """Not possible."""
        self._refuse()

    def encode_images(self, batch: Sequence[object]) -> NoReturn:
        """Not possible."""
        self._refuse()

    def encode_texts(self, texts: Sequence[str]) -> NoReturn:
        """Not possible."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise EncoderError(f"model {self.space.model} is not loaded, and nothing is encoded with it")
