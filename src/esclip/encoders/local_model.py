"""A model of transformers that is no encoder, on this machine: loaded when it is first used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from threading import Lock
from typing import Any

from esclip._files.locations import AnyPath
from esclip.encoders.checkpoints.find import local_folder


class LocalModel(ABC):
    """A processor and a model, on a GPU where there is one. Subclasses say which classes load them."""

    def __init__(self, model: AnyPath, kind: str) -> None:
        """Raises `EncoderError` for a model that this machine lacks; nothing is downloaded."""
        self._folder = local_folder(model, kind)
        self.name = Path(str(model)).expanduser().absolute().name
        self._model: tuple[Any, Any] | None = None
        self._lock = Lock()

    def load(self) -> tuple[Any, Any]:
        """The processor and the model. Raises `EncoderError` where they can't be loaded."""
        import torch

        with self._lock:
            if self._model is None:
                processor, model = self._loaded()
                self._model = processor, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
            return self._model

    @abstractmethod
    def _loaded(self) -> tuple[Any, Any]:
        """Load both from the folder."""
