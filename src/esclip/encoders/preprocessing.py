"""Preprocess images for an encoder: resized and cropped to a fixed size, as bytes.

    image ─► resized by its short side, center-cropped ─┐
      └────► resized to width and height ───────────────┴─► uint8, (height, width, 3)

Results are those of Pillow on every machine, but for single levels of some pixels (`_images/resize.py`): the
processors of transformers differ by whether torchvision is installed. Normalization is the first step of a
tower: bytes take a quarter of the memory of floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from esclip._core.arguments import wrong_kind
from esclip._images.resize import Part, resize

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Mean and deviation of CLIP's training images (openai/CLIP, clip.py)."""

_MAX_ASPECT = 16
_MAX_SIDE = 4096

_DECODE_OVERSAMPLING = 2
"""A JPEG may be decoded at this many times the needed size: a vector moves by less than 0.001 in cosine, even
in low precision (`docs/explanation/performance.md`)."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Converts images to pixels of one size. Thread-safe."""

    width: int
    height: int
    short_side: int | None = None
    """Resize the short side to this, then center-crop; None: resize both sides, ignoring the aspect ratio."""
    resample: int = Image.Resampling.BICUBIC
    reducing_gap: float | None = None
    """Pillow's option: a fast reduction first, to this many times the size."""
    crop_rounds: bool = False
    """Whether the crop's offset is rounded, as in torchvision, and not floored."""

    def __call__(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """An RGB image to pixels of shape (height, width, 3), uint8."""
        if not isinstance(image, Image.Image):
            raise wrong_kind("the picture", image, "a PIL image")
        if self.short_side is None:
            resized = self._resize(image, (self.width, self.height))
        else:
            resized = self._resize_and_crop(_crop_long_side(image), self.short_side)
        return np.asarray(resized.convert("RGB"))

    @property
    def useful_side(self) -> int:
        """The short side, in pixels, beyond which an image's vector hardly improves."""
        return _DECODE_OVERSAMPLING * max(self.width, self.height, self.short_side or 0)

    @property
    def has_usable_sides(self) -> bool:
        """Whether its sides are positive integers, small enough for memory."""
        sides = (self.width, self.height, self.short_side or 1)
        return all(isinstance(side, int) and 0 < side <= _MAX_SIDE for side in sides)

    def to_json(self) -> dict[str, Any]:
        """As an encoder server sends it to its clients."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """Parse the result of `to_json`. Raises `TypeError` or `ValueError`."""
        preprocessing = cls(**data)
        if not preprocessing.has_usable_sides:
            raise ValueError(f"pixels of {preprocessing.width} x {preprocessing.height}")
        if preprocessing.reducing_gap is not None and not preprocessing.reducing_gap >= 1:
            raise ValueError(f"a reducing gap of {preprocessing.reducing_gap}")
        Image.Resampling(preprocessing.resample)
        return preprocessing

    def _resize_and_crop(self, image: Image.Image, short: int) -> Image.Image:
        """Resize, then crop, with sizes rounded as in transformers, for the same pixels."""
        width, height = image.size
        long = int(short * max(width, height) / min(width, height))
        size = (short, long) if width <= height else (long, short)
        left, top = self._halve(size[0] - self.width), self._halve(size[1] - self.height)
        return self._resize(image, size, (left, top, left + self.width, top + self.height))

    def _resize(self, image: Image.Image, size: tuple[int, int], part: Part | None = None) -> Image.Image:
        if self.reducing_gap is None:
            return resize(image, size, self.resample, part)
        resized = image.resize(size, self.resample, None, self.reducing_gap)
        return resized if part is None else resized.crop(part)

    def _halve(self, pixels: int) -> int:
        return round(pixels / 2) if self.crop_rounds else pixels // 2


def _crop_long_side(image: Image.Image) -> Image.Image:
    """Center-crop an image of an extreme aspect ratio: resizing a line of pixels would take gigabytes."""
    width, height = image.size
    max_side = _MAX_ASPECT * min(width, height)
    if max(width, height) <= max_side:
        return image
    left, top = max(0, width - max_side) // 2, max(0, height - max_side) // 2
    return image.crop((left, top, left + min(width, max_side), top + min(height, max_side)))


@dataclass(frozen=True, slots=True)
class Normalization:
    """A tower's first step on pixels: `(value * scale - mean) / std`, by channel."""

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


def read_processor(config: Mapping[str, Any]) -> tuple[Preprocessing, Normalization]:
    """Parse the config of a transformers image processor of CLIP or SigLIP.

    Raises `ValueError` for a processor without a fixed output size, or with other steps.
    """
    kind = str(config.get("image_processor_type", config.get("feature_extractor_type", "CLIP")))
    if not kind.startswith(("CLIP", "Siglip")) or kind.startswith("Siglip2"):
        raise ValueError(f"image processor {kind} is not one of CLIP's or SigLIP's")
    clip = kind.startswith("CLIP")
    if not all(config.get(step, True) for step in ("do_resize", "do_rescale", "do_normalize")) or config.get(
        "do_pad"
    ):
        raise ValueError(f"image processor {kind} leaves out a step, or pads")
    preprocessing = _read_sizes(config, kind, clip=clip)
    if not preprocessing.has_usable_sides:
        raise ValueError(
            f"image processor {kind} makes pixels of {preprocessing.width} x {preprocessing.height}"
        )
    half = (0.5, 0.5, 0.5)
    normalization = Normalization(
        scale=float(config.get("rescale_factor", 1 / 255)),
        mean=tuple(config.get("image_mean", CLIP_MEAN if clip else half)),
        std=tuple(config.get("image_std", CLIP_STD if clip else half)),
    )
    if not len(normalization.mean) == len(normalization.std) == 3 or not all(normalization.std):
        raise ValueError(f"image processor {kind} has no mean and deviation for three channels")
    return preprocessing, normalization


def _read_sizes(config: Mapping[str, Any], kind: str, *, clip: bool) -> Preprocessing:
    crops = config.get("do_center_crop", clip)
    size = config.get("size", 224)
    if isinstance(size, int):
        size = {"shortest_edge": size} if clip else {"height": size, "width": size}
    resample = config.get("resample", Image.Resampling.BICUBIC)
    if set(size) >= {"height", "width"} and not crops:
        return Preprocessing(size["width"], size["height"], resample=resample)
    crop = config.get("crop_size", 224)
    crop = dict.fromkeys(("height", "width"), crop) if isinstance(crop, int) else crop
    short_side = size.get("shortest_edge")
    if not crops or short_side is None or max(crop["width"], crop["height"]) > short_side:
        raise ValueError(f"image processor {kind} does not cut the middle out of a scaled picture")
    crop_rounds = bool(config.get("crop_rounds"))
    return Preprocessing(crop["width"], crop["height"], short_side, resample, crop_rounds=crop_rounds)
