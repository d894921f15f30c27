"""Captions of pictures by an image-to-text model of transformers, such as BLIP or GIT.

folder, or a name in the hub's cache ─► ModelCaptioner ─► loaded with the first picture ─► texts
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from esclip._errors import EncoderError, map_errors
from esclip._files.locations import AnyPath
from esclip.encoders.checkpoints.find import local_folder
from esclip.encoders.loading import LOCAL_MODEL_ERRORS, quiet_loading

if TYPE_CHECKING:
    from esclip._core.captions import RgbArray

MAX_TOKENS = 50
"""Of a caption: BLIP's own have 10 to 20."""


class ModelCaptioner:
    """Describes pictures by a model on this machine, on a GPU where there is one."""

    def __init__(self, model: AnyPath) -> None:
        """Raises `EncoderError` for a model that this machine lacks; nothing is downloaded."""
        self._folder = local_folder(model, "image-to-text")
        self.name = Path(str(model)).expanduser().absolute().name
        self._model: tuple[Any, Any] | None = None
        self._lock = Lock()

    def __call__(self, pictures: Sequence[RgbArray]) -> list[str]:
        """A text for each picture. Raises `EncoderError` where the model can't be loaded."""
        import torch
        from PIL import Image

        processor, model = self._load()
        inputs = processor(images=[Image.fromarray(picture) for picture in pictures], return_tensors="pt")
        with torch.inference_mode():
            tokens = model.generate(**inputs.to(model.device), max_new_tokens=MAX_TOKENS)
        texts: list[str] = processor.batch_decode(tokens, skip_special_tokens=True)
        return texts

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._model is None:
                self._model = self._loaded()
            return self._model

    def _loaded(self) -> tuple[Any, Any]:
        import torch

        with (
            map_errors(LOCAL_MODEL_ERRORS, self.name, "can't be loaded as one of images to text"),
            quiet_loading(),
        ):
            from transformers import AutoModelForImageTextToText, AutoProcessor

            processor = AutoProcessor.from_pretrained(self._folder, local_files_only=True)
            model = AutoModelForImageTextToText.from_pretrained(self._folder, local_files_only=True).eval()
        if getattr(processor, "chat_template", None):
            raise EncoderError(
                f"model {self.name} answers in a chat, and describes nothing without a prompt; call it in a "
                "function of your own, and give that as the captioner"
            )
        return processor, model.to("cuda" if torch.cuda.is_available() else "cpu")
