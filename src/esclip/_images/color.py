"""The one colour of a picture, for the place that is kept for it while it loads.

image ─► samples ─► small, by boxes ─► mean of its pixels in linear light ─► #rrggbb

It is the average colour of BlurHash (its DC component, github.com/woltapp/blurhash). The mean of sRGB's own
values would be too dark: they are no amounts of light.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

SMALL = 64
"""Pixels of the longer side, at most: so the colour is the same, whatever size a JPEG is decoded to."""

_SRGB = np.arange(256) / 255
_LINEAR = np.where(_SRGB <= 0.04045, _SRGB / 12.92, ((_SRGB + 0.055) / 1.055) ** 2.4)
"""The amount of light of each of sRGB's values, by IEC 61966-2-1."""


SAMPLED = 8 * SMALL
"""Pixels of the longer side, at most, that are looked at: of a larger image some, evenly spread."""


def mean_color(image: Image.Image) -> str:
    """The mean colour of an RGB image, as `#rrggbb`."""
    step = max(image.size) // SAMPLED
    if step > 1:
        image = image.resize([max(1, side // step) for side in image.size], Image.Resampling.NEAREST)
    small = image.reduce(max(1, -(-max(image.size) // SMALL)))
    light = _LINEAR[np.asarray(small).reshape(-1, 3)].mean(axis=0)
    values = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return "#" + bytes(np.rint(255 * values).astype(np.uint8)).hex()
