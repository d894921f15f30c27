"""Captions of pictures by an image-to-text model of transformers, such as BLIP or GIT.

folder, or a name in the hub's cache ─► ModelCaptioner ─► loaded with the first picture ─► texts
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from esclip._errors import EncoderError, map_errors
from esclip._files.locations import AnyPath
from esclip.encoders.loading import LOCAL_MODEL_ERRORS, quiet_loading
from esclip.encoders.local_model import LocalModel

if TYPE_CHECKING:
    from esclip._core.captions import RgbArray

MAX_TOKENS = 50
"""Of a caption: BLIP's own have 10 to 20."""


class ModelCaptioner(LocalModel):
    """Describes pictures by a model on this machine, on a GPU where there is one."""

    def __init__(self, model: AnyPath) -> None:
        """Raises `EncoderError` for a model that this machine lacks; nothing is downloaded."""
        super().__init__(model, "image-to-text")

    def __call__(self, pictures: Sequence[RgbArray]) -> list[str]:
        """A text for each picture. Raises `EncoderError` where the model can't be loaded."""
        import torch
        from PIL import Image

        processor, model = self.load()
        inputs = processor(images=[Image.fromarray(picture) for picture in pictures], return_tensors="pt")
        with torch.inference_mode():
            tokens = model.generate(**inputs.to(model.device), max_new_tokens=MAX_TOKENS)
        texts: list[str] = processor.batch_decode(tokens, skip_special_tokens=True)
        return texts

    def _loaded(self) -> tuple[Any, Any]:
        problem = "can't be loaded as one of images to text"
        with map_errors(LOCAL_MODEL_ERRORS, self.name, problem), quiet_loading():
            from transformers import AutoModelForImageTextToText, AutoProcessor

            processor = AutoProcessor.from_pretrained(self._folder, local_files_only=True)
            model = AutoModelForImageTextToText.from_pretrained(self._folder, local_files_only=True)
        if getattr(processor, "chat_template", None):
            raise EncoderError(
                f"model {self.name} answers in a chat, and describes nothing without a prompt; call it in a "
                "function of your own, and give that as the captioner"
            )
        return processor, model
