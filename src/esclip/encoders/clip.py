"""CLIP models and their like: one tower for pictures, and one for texts that may be another model's.

    picture ─► preprocessing ─► batch ─► picture tower ─┐
               (any thread)                             ├─► unit rows of one space
    text ────► tokenizer ──────────────► text tower ────┘

Each tower is loaded when it is first needed: a text search never loads the picture tower, an ingest never the
text tower (it only sees to it that a search finds it exported). Which runtime each gets is the business of
`encoders.runtimes.towers`. The space comes from the folder's files alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import numpy as np

from esclip._concurrency.forks import renew_in_children
from esclip._concurrency.streams import batches
from esclip._core.arguments import given_texts
from esclip._core.schema import Space
from esclip._core.settings import tower_cache
from esclip._core.types import Pixels, Vectors, unit_rows
from esclip._errors import EncoderError, map_errors
from esclip.encoders.catalogue import default_text_encoder, hub_name
from esclip.encoders.checkpoints.find import find_model, local_model
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.loading import MODEL_ERRORS
from esclip.encoders.preprocessing import Preprocessing, read_processor
from esclip.encoders.runtimes.export import Kind
from esclip.encoders.runtimes.towers import (
    ImageTower,
    TextTower,
    choose_runtime,
    load_image_tower,
    load_text_tower,
    prepare_text_tower,
)
from esclip.encoders.text_warnings import warn_of_unknown_scripts

__all__ = ["ClipEncoder"]

T = TypeVar("T")

_TEXT_BATCH = 64
"""More in a pass gain nothing, and all are padded to the longest."""


class ClipEncoder:
    """A CLIP model, and for texts another one if named. Fulfils `Encoder`."""

    def __init__(
        self,
        name: str,
        text_encoder: str | None = None,
        *,
        device: str | None = None,
        precision: str | None = None,
        cache: Path | None = None,
    ) -> None:
        """Find the picture tower (downloading it if need be), and the text tower if it is on this machine.

        `cache` is the folder for exported towers. Raises `EncoderError` when the picture tower can't be had,
        or their dimensions differ.
        """
        self._images = find_model(name)
        self._text_name = text_encoder or default_text_encoder(name)
        self._runtime_options = device, precision
        self._cache = cache or tower_cache()
        self._picture_tower = Lazy(self._load_picture_tower)
        self._text_tower = Lazy(self._load_text_tower)
        alone = hub_name(self._text_name) == hub_name(name)
        self._local_texts = self._images if alone else local_model(self._text_name)
        if self._local_texts is not None:
            self._text_name = self._local_texts.name
            self._check_text_dim(self._local_texts.dim)
        else:
            self._text_name = hub_name(self._text_name)

    @cached_property
    def space(self) -> Space:
        """The space of the picture tower's vectors. Reads its weights once to hash them."""
        with map_errors(MODEL_ERRORS, self._images.name, f"can't be read from {self._images.path}"):
            return Space(
                model=self._images.name,
                text_model=self._text_name,
                weights=self._images.weights,
                preprocessing=self._images.preprocessing,
                dim=self._dim,
            )

    @property
    def runtime(self) -> str:
        """What the picture tower runs on; loads it."""
        return self._picture_tower().runtime

    @property
    def encode_concurrency(self) -> int:
        """As the picture tower wants it."""
        return self._picture_tower().encode_concurrency

    @cached_property
    def logit_scale(self) -> float:
        """The trained one, where the picture tower's weights have it; else CLIP's, 100.

        SigLIP's own goes with a sigmoid of each label; here it sharpens a softmax over all of them.
        """
        return self._images.logit_scale

    @property
    def useful_side(self) -> int:
        """Twice the tower's own."""
        return self.preprocess.useful_side

    @cached_property
    def preprocess(self) -> Preprocessing:
        """What the model's image processor does, to bytes: shape (height, width, 3), uint8."""
        with map_errors(
            MODEL_ERRORS, self._images.name, f"has no usable image processor in {self._images.path}"
        ):
            if not self._images.processor:
                raise ValueError("no preprocessor_config.json")
            return read_processor(self._images.processor)[0]

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """The batch through the picture tower in one forward pass."""
        if len(batch) == 0:
            return np.empty((0, self._dim), dtype=np.float32)
        tower = self._picture_tower()
        with map_errors(MODEL_ERRORS, self._images.name, "can't encode pictures"):
            return unit_rows(tower(np.stack(batch)))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """The texts through the text tower. One that is too long for it is cut, with a warning in the log.

        There is one also where texts are in a script that the tower doesn't know.
        """
        texts = given_texts("texts", texts)
        if len(texts) == 0:
            return np.empty((0, self._dim), dtype=np.float32)
        warn_of_unknown_scripts(self._text_name, texts)
        tower = self._text_tower()
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))  # alike: little is padding
        with map_errors(MODEL_ERRORS, self._text_name, "can't encode texts"):
            rows = [tower([texts[number] for number in some]) for some in batches(order, _TEXT_BATCH)]
        vectors = unit_rows(np.concatenate(rows))
        self._check_text_dim(vectors.shape[1])
        return vectors[np.argsort(order)]

    def _load_picture_tower(self) -> ImageTower:
        """With the text tower's export beside it, if the model is here: the first search shall not wait."""
        assert self.preprocess  # whose error is the clearer one
        tower = load_image_tower(
            self._images, choose_runtime(Kind.PICTURES, *self._runtime_options), self._cache
        )
        if self._local_texts is not None:
            prepare_text_tower(
                self._local_texts, choose_runtime(Kind.TEXTS, *self._runtime_options), self._cache
            )
        return tower

    def _load_text_tower(self) -> TextTower:
        return load_text_tower(
            self._text_model, choose_runtime(Kind.TEXTS, *self._runtime_options), self._cache
        )

    @cached_property
    def _text_model(self) -> ModelFolder:
        return self._local_texts or find_model(self._text_name)

    @cached_property
    def _dim(self) -> int:
        if self._images.dim is not None:
            return self._images.dim
        black = np.zeros((1, self.preprocess.height, self.preprocess.width, 3), dtype=np.uint8)
        return int(self._picture_tower()(black).shape[1])

    def _check_text_dim(self, dim: int | None) -> None:
        if dim is not None and dim != self._dim:
            raise EncoderError(
                f"text encoder {self._text_name} makes vectors of {dim} dimensions, encoder "
                f"{self._images.name} of {self._dim}; choose a text encoder that was trained for this encoder"
            )


class Lazy(Generic[T]):
    """What is loaded when it is first asked for, by one thread while the others wait."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._loaded: list[T] = []
        self._lock = Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """A lock of a forked child's own."""
        self._lock = Lock()

    def __call__(self) -> T:
        with self._lock:
            if not self._loaded:
                self._loaded.append(self._load())
        return self._loaded[0]
