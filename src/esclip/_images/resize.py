"""Resize an image, or only a part of the result, as Pillow does: with SIMD where cykooz-resizer is installed.

    image ─► one axis, in 8 bits ─► the other axis, in 8 bits

The library has Pillow's filters, and takes an eighth of its time. By itself it would always begin with the
columns, and so cut off values elsewhere than Pillow where edges are sharp: hence one pass after the other, in
Pillow's order. A pixel in some hundreds then differs from Pillow's, by one of 256 levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import ceil, floor
from typing import Any

import PIL
from PIL import Image

_PILLOW = "13."
"""The versions of Pillow whose images in memory, and whose order of passes, are known to be as used here."""

_FILTERS = {
    Image.Resampling.BILINEAR: "bilinear",
    Image.Resampling.BICUBIC: "catmull_rom",
    Image.Resampling.LANCZOS: "lanczos3",
}
"""The library's names of Pillow's filters."""

_REACH = 4
"""Pixels of the result up to which the widest filter reaches, and one more."""

Part = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""

_Box = tuple[float, float, float, float]
"""The same of an image to be resized: its sides may lie within pixels."""


def resize(image: Image.Image, size: tuple[int, int], resample: int, part: Part | None = None) -> Image.Image:
    """Resize to `size` by a filter of Pillow's, and crop to the part, which is all that is computed.

    Thread-safe; starts no threads.
    """
    part = part or (0, 0, *size)
    algorithm = _algorithms().get(resample)
    if size == image.size or algorithm is None or image.mode != "RGB" or not all(image.size):
        resized = image.resize(size, resample)
        return resized if part == (0, 0, *size) else resized.crop(part)
    return _resize_part(image, size, algorithm, part)


def _resize_part(image: Image.Image, size: tuple[int, int], algorithm: Any, part: Part) -> Image.Image:
    x, y = image.width / size[0], image.height / size[1]
    left, top, right, bottom = part[0] * x, part[1] * y, part[2] * x, part[3] * y
    width, height = part[2] - part[0], part[3] - part[1]
    if _shrinks_columns_first(image.size, size):
        first, last = _around(left, right, x, image.width)
        middle = _pass(image, (last - first, height), algorithm, (first, top, last, bottom))
        rest: _Box = (left - first, 0, right - first, height)
    else:
        first, last = _around(top, bottom, y, image.height)
        middle = _pass(image, (width, last - first), algorithm, (left, first, right, last))
        rest = (0, top - first, width, bottom - first)
    return _pass(middle, (width, height), algorithm, rest)


def _shrinks_columns_first(size: tuple[int, int], resized: tuple[int, int]) -> bool:
    """Pillow's rule, in its Resample.c."""
    lost = size[1] - resized[1]
    return lost > 0 and lost > 2 * (size[0] - resized[0])


def _around(begin: float, end: float, scale: float, length: int) -> tuple[int, int]:
    """The pixels that have a part in what is made of those from `begin` to `end`."""
    margin = _REACH * max(1, scale)
    return max(0, floor(begin - margin)), min(length, ceil(end + margin))


def _pass(image: Image.Image, size: tuple[int, int], algorithm: Any, box: _Box) -> Image.Image:
    from cykooz_resizer import CropBox, ResizeOptions, Resizer

    resized = Image.new("RGB", size)
    left, top, right, bottom = box
    crop = CropBox(left, top, min(right, image.width) - left, min(bottom, image.height) - top)
    Resizer().resize_pil(image, resized, ResizeOptions(algorithm, use_alpha=False, crop_box=crop))
    return resized


@cache
def _algorithms() -> Mapping[int, Any]:
    """The library's algorithms by Pillow's filter; empty where it can't be used."""
    if not PIL.__version__.startswith(_PILLOW):
        return {}
    try:
        from cykooz_resizer import FilterType, ResizeAlg
    except ImportError:
        return {}
    return {ours: ResizeAlg.convolution(FilterType[theirs]) for ours, theirs in _FILTERS.items()}
