"""How a picture becomes an encoder's input: scaled and cut to a fixed size, as bytes.

    picture ─► scaled to a short side, the middle cut out ─┐
       └─────► scaled to width and height ─────────────────┴─► uint8, (height, width, 3)

With Pillow alone, so that neither torch nor a model is needed, and the same on every machine: the processors
of transformers differ by whether torchvision is there. What comes after, shifting and scaling the values, is
the first step inside the towers: bytes are a quarter of what floats take on their way there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from esclip._core.arguments import wrong_kind

__all__ = ["CLIP_MEAN", "CLIP_STD", "Normalization", "Preprocessing", "read_processor"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on (openai/CLIP, clip.py)."""

_MAX_ASPECT = 16
_MAX_SIDE = 4096

_DECODE_OVERSAMPLING = 2
"""A JPEG decoder may leave out detail down to this many times the size that is wanted: there a vector moves
by less than 0.001 in cosine, even with models that round badly (`docs/performance.md`)."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A picture to pixels of one size. Safe from several threads."""

    width: int
    height: int
    short_side: int | None = None
    """Scale this side to that length and cut the middle out; None: scale both sides, whatever the shape."""
    resample: int = Image.Resampling.BICUBIC
    reducing_gap: float | None = None
    """Pillow's: scale roughly first, down to this many times the size."""
    crop_rounds: bool = False
    """Whether the middle of an odd number of pixels is rounded, as torchvision does, and not cut down."""

    def __call__(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """An RGB picture as shape (height, width, 3), uint8."""
        if not isinstance(image, Image.Image):
            raise wrong_kind("the picture", image, "a PIL image")
        if self.short_side is None:
            scaled = image.resize((self.width, self.height), self.resample, None, self.reducing_gap)
        else:
            scaled = self._resize_and_crop(_crop_long_side(image), self.short_side)
        return np.asarray(scaled.convert("RGB"))

    @property
    def useful_side(self) -> int:
        """The short side, in pixels, beyond which a picture's vector hardly gains."""
        return _DECODE_OVERSAMPLING * max(self.width, self.height, self.short_side or 0)

    @property
    def has_usable_sides(self) -> bool:
        """Whether they are numbers that no picture is too small for, and none takes all memory for."""
        sides = (self.width, self.height, self.short_side or 1)
        return all(isinstance(side, int) and 0 < side <= _MAX_SIDE for side in sides)

    def to_json(self) -> dict[str, Any]:
        """As a server of encoders tells its clients."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        """What `to_json` gave. Raises `TypeError` or `ValueError` on others."""
        made = cls(**data)
        if not made.has_usable_sides:
            raise ValueError(f"pixels of {made.width} x {made.height}")
        if made.reducing_gap is not None and not made.reducing_gap >= 1:
            raise ValueError(f"a reducing gap of {made.reducing_gap}")
        Image.Resampling(made.resample)
        return made

    def _resize_and_crop(self, image: Image.Image, short: int) -> Image.Image:
        """Scaled whole, then cut, with sizes rounded as transformers does: the same to the last bit.

        To scale only what is kept (Pillow's `box`) is a quarter faster, and moved vectors by 0.0004.
        """
        width, height = image.size
        long = int(short * max(width, height) / min(width, height))
        size = (short, long) if width <= height else (long, short)
        left, top = self._halve(size[0] - self.width), self._halve(size[1] - self.height)
        scaled = image.resize(size, self.resample, None, self.reducing_gap)
        return scaled.crop((left, top, left + self.width, top + self.height))

    def _halve(self, pixels: int) -> int:
        return round(pixels / 2) if self.crop_rounds else pixels // 2


def _crop_long_side(image: Image.Image) -> Image.Image:
    """The middle of a picture that is many times longer than wide; other pictures as they are.

    The short side is scaled up before the middle is cut out, which takes gigabytes for a line of pixels.
    """
    width, height = image.size
    longest = _MAX_ASPECT * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))


@dataclass(frozen=True, slots=True)
class Normalization:
    """What a tower does first with its pixels: `(value * scale - mean) / std`, by channel."""

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


def read_processor(config: Mapping[str, Any]) -> tuple[Preprocessing, Normalization]:
    """What the config of a transformers image processor says, for CLIP and SigLIP.

    Raises `ValueError` for a processor that gives no pictures of one size, or does something else besides.
    """
    kind = str(config.get("image_processor_type", config.get("feature_extractor_type", "CLIP")))
    if not kind.startswith(("CLIP", "Siglip")) or kind.startswith("Siglip2"):
        raise ValueError(f"image processor {kind} is not one of CLIP's or SigLIP's")
    clip = kind.startswith("CLIP")
    steps = {name: config.get(name, True) for name in ("do_resize", "do_rescale", "do_normalize")}
    crop = config.get("do_center_crop", clip)
    if not all(steps.values()) or config.get("do_pad"):
        raise ValueError(f"image processor {kind} leaves out a step, or pads")
    size = config.get("size", 224)
    if isinstance(size, int):
        size = {"shortest_edge": size} if clip else {"height": size, "width": size}
    resample = config.get("resample", Image.Resampling.BICUBIC)
    if set(size) >= {"height", "width"} and not crop:
        made = Preprocessing(size["width"], size["height"], resample=resample)
    else:
        cut = config.get("crop_size", 224)
        cut = dict.fromkeys(("height", "width"), cut) if isinstance(cut, int) else cut
        rounds = bool(config.get("crop_rounds"))
        made = Preprocessing(
            cut["width"], cut["height"], size.get("shortest_edge"), resample, crop_rounds=rounds
        )
        if not crop or made.short_side is None or max(made.width, made.height) > made.short_side:
            raise ValueError(f"image processor {kind} does not cut the middle out of a scaled picture")
    half = (0.5, 0.5, 0.5)
    values = Normalization(
        scale=float(config.get("rescale_factor", 1 / 255)),
        mean=tuple(config.get("image_mean", CLIP_MEAN if clip else half)),
        std=tuple(config.get("image_std", CLIP_STD if clip else half)),
    )
    if not made.has_usable_sides:
        raise ValueError(f"image processor {kind} makes pixels of {made.width} x {made.height}")
    if not len(values.mean) == len(values.std) == 3 or not all(values.std):
        raise ValueError(f"image processor {kind} has no mean and deviation for three channels")
    return made, values
