"""Things in pictures, found by an object-detection model of transformers, such as DETR or YOLOS.

folder, or a name in the hub's cache ─► ModelDetector ─► loaded with the first picture ─► boxes
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from esclip._errors import map_errors
from esclip._files.locations import AnyPath
from esclip.encoders.loading import LOCAL_MODEL_ERRORS, quiet_loading
from esclip.encoders.local_model import LocalModel

if TYPE_CHECKING:
    from esclip._core.captions import RgbArray


class ModelDetector(LocalModel):
    """Finds boxes by a model on this machine, on a GPU where there is one."""

    def __init__(self, model: AnyPath, threshold: float) -> None:
        """`threshold` is the least score of a box. Raises `EncoderError` for a model that isn't here."""
        super().__init__(model, "object-detection")
        self._threshold = threshold

    def __call__(self, picture: RgbArray) -> list[list[float]]:
        """Left, top, right and bottom in pixels of each box, by falling score."""
        import torch
        from PIL import Image

        processor, model = self.load()
        inputs = processor(images=[Image.fromarray(picture)], return_tensors="pt").to(model.device)
        with torch.inference_mode():
            outputs = model(**inputs)
        (found,) = processor.post_process_object_detection(
            outputs, threshold=self._threshold, target_sizes=[picture.shape[:2]]
        )
        boxes: list[list[float]] = found["boxes"][found["scores"].argsort(descending=True)].tolist()
        return boxes

    def _loaded(self) -> tuple[Any, Any]:
        problem = "can't be loaded as one that detects objects"
        with map_errors(LOCAL_MODEL_ERRORS, self.name, problem), quiet_loading():
            from transformers import AutoImageProcessor, AutoModelForObjectDetection

            processor = AutoImageProcessor.from_pretrained(self._folder, local_files_only=True)
            return processor, AutoModelForObjectDetection.from_pretrained(self._folder, local_files_only=True)
