"""CLIP-like models: an image tower, and a text tower that may be another model's.

    image ─► preprocessing ─► batch ─► image tower ─┐
             (any thread)                           ├─► unit rows of one space
    text ──► tokenizer ──────────────► text tower ──┘

Each tower is loaded on first use: a text search never loads the image tower, and an ingest never the text
tower, though it exports it for searches. `encoders.runtimes.towers` chooses the runtimes. The space is read
from the model's files.
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
from esclip._core.arguments import coerce_texts
from esclip._core.schema import Space
from esclip._core.settings import tower_cache
from esclip._core.types import Pixels, Vectors, unit_rows
from esclip._errors import EncoderError, map_errors
from esclip.encoders.catalogue import default_text_encoder, hub_name
from esclip.encoders.checkpoints.find import find_model, local_model
from esclip.encoders.checkpoints.folder import ModelFolder
from esclip.encoders.loading import MODEL_ERRORS
from esclip.encoders.preprocessing import Preprocessing, read_processor
from esclip.encoders.runtimes import towers
from esclip.encoders.runtimes.export import Kind
from esclip.encoders.runtimes.null_vectors import NullVectorFile
from esclip.encoders.text_warnings import warn_of_unknown_scripts

T = TypeVar("T")

_TEXT_BATCH = 64
"""Larger batches are no faster, and all texts of one are padded to its longest."""


class ClipEncoder:
    """A CLIP model, with another model's text tower if named. Fulfils `Encoder`."""

    def __init__(
        self,
        name: str,
        text_encoder: str | None = None,
        *,
        device: str | None = None,
        precision: str | None = None,
        cache: Path | None = None,
    ) -> None:
        """Find the model, or download it; find the text model if it is on this machine.

        `cache` is the folder for exported towers. Raises `EncoderError` when the model can't be found, or the
        towers' dimensions differ.
        """
        self._image_model = find_model(name)
        self._text_name = text_encoder or default_text_encoder(name)
        self._runtime_options = device, precision
        self._cache = cache or tower_cache()
        self._image_tower = Lazy(self._load_image_tower)
        self._text_tower = Lazy(self._load_text_tower)
        self._null_vectors = NullVectorFile(self._encode_texts, self._find_text_export)
        is_own = hub_name(self._text_name) == hub_name(name)
        self._local_text_model = self._image_model if is_own else local_model(self._text_name)
        if self._local_text_model is not None:
            self._text_name = self._local_text_model.name
            self._check_text_dim(self._local_text_model.dim)
        else:
            self._text_name = hub_name(self._text_name)

    @cached_property
    def space(self) -> Space:
        """The space of the image tower's vectors. Hashes its weights on first use."""
        with map_errors(MODEL_ERRORS, self._image_model.name, f"can't be read from {self._image_model.path}"):
            return Space(
                model=self._image_model.name,
                text_model=self._text_name,
                weights=self._image_model.weights,
                preprocessing=self._image_model.preprocessing,
                dim=self._dim,
            )

    @property
    def runtime(self) -> str:
        """The runtime of the image tower; loads it."""
        return self._image_tower().runtime

    @property
    def encode_concurrency(self) -> int:
        """That of the image tower; loads it."""
        return self._image_tower().encode_concurrency

    @cached_property
    def logit_scale(self) -> float:
        """The trained one, if the image tower's weights have it; else CLIP's, 100.

        SigLIP was trained with a sigmoid of each label; here its scale is used in a softmax over all labels.
        """
        return self._image_model.logit_scale

    @property
    def useful_side(self) -> int:
        """The short side, in pixels, beyond which a vector hardly improves."""
        return self.preprocess.useful_side

    @cached_property
    def preprocess(self) -> Preprocessing:
        """The model's image processor: an RGB image to pixels of shape (height, width, 3), uint8."""
        with map_errors(
            MODEL_ERRORS, self._image_model.name, f"has no usable image processor in {self._image_model.path}"
        ):
            if not self._image_model.processor:
                raise ValueError("no preprocessor_config.json")
            return read_processor(self._image_model.processor)[0]

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Encode a batch in one forward pass, to unit rows of shape (n, dim)."""
        if len(batch) == 0:
            return np.empty((0, self._dim), dtype=np.float32)
        tower = self._image_tower()
        with map_errors(MODEL_ERRORS, self._image_model.name, "can't encode pictures"):
            return unit_rows(tower(np.stack(batch)))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts to unit rows of shape (n, dim).

        Logs warnings of texts that are too long and cut, or in a script that the tower doesn't know.
        """
        texts = coerce_texts("texts", texts)
        if len(texts) == 0:
            return np.empty((0, self._dim), dtype=np.float32)
        warn_of_unknown_scripts(self._text_name, texts)
        return self._null_vectors.encode_texts(texts, self._dim)

    def _find_text_export(self) -> Path | None:
        """The folder of the exported text tower, where there is one."""
        export = towers.find_text_export(self._text_model, self._text_runtime(), self._cache)
        return export.folder if export else None

    def _encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Encode texts by the text tower, to unit rows."""
        tower = self._text_tower()
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # similar lengths: little padding
        with map_errors(MODEL_ERRORS, self._text_name, "can't encode texts"):
            rows = [tower([texts[row] for row in batch]) for batch in batches(order, _TEXT_BATCH)]
        vectors = unit_rows(np.concatenate(rows))
        self._check_text_dim(vectors.shape[1])
        return vectors[np.argsort(order)]

    def _load_image_tower(self) -> towers.ImageTower:
        """Load the image tower; export the text tower for later searches, if its model is on this machine."""
        assert self.preprocess  # its error is clearer than the tower's
        tower = towers.load_image_tower(
            self._image_model, towers.choose_runtime(Kind.PICTURES, *self._runtime_options), self._cache
        )
        if self._local_text_model is not None:
            towers.prepare_text_tower(self._local_text_model, self._text_runtime(), self._cache)
        return tower

    def _load_text_tower(self) -> towers.TextTower:
        return towers.load_text_tower(self._text_model, self._text_runtime(), self._cache)

    def _text_runtime(self) -> towers.RuntimeChoice:
        return towers.choose_runtime(Kind.TEXTS, *self._runtime_options)

    @cached_property
    def _text_model(self) -> ModelFolder:
        return self._local_text_model or find_model(self._text_name)

    @cached_property
    def _dim(self) -> int:
        if self._image_model.dim is not None:
            return self._image_model.dim
        black = np.zeros((1, self.preprocess.height, self.preprocess.width, 3), dtype=np.uint8)
        return int(self._image_tower()(black).shape[1])

    def _check_text_dim(self, dim: int | None) -> None:
        if dim is not None and dim != self._dim:
            raise EncoderError(
                f"text encoder {self._text_name} makes vectors of {dim} dimensions, encoder "
                f"{self._image_model.name} of {self._dim}; choose a text encoder that was trained for this "
                "encoder"
            )


class Lazy(Generic[T]):
    """A value that is loaded on first use, by one thread while others wait."""

    def __init__(self, load: Callable[[], T]) -> None:
        self._load = load
        self._loaded: list[T] = []
        self._lock = Lock()
        renew_in_children(self)

    def renew(self) -> None:
        """Replace the lock, in a forked child."""
        self._lock = Lock()

    def __call__(self) -> T:
        """Load on the first call."""
        with self._lock:
            if not self._loaded:
                self._loaded.append(self._load())
        return self._loaded[0]
