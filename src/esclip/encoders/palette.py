"""An encoder of colours, without a model.

    image ─► 64 x 64 pixels ─► nearest of eleven colours each ─► square roots of their shares ─┐
                                                                                               ├─ cosine
    text ──► colour words in six languages ────────────────────► equal weights ────────────────┘

It needs no download and loads at once: for first steps, tests, and "something red". A text without a colour
word is orthogonal to every image.

With square roots an image's vector has unit length, and its cosine with a colour is the root of that colour's
share: hits are ranked by how much of the colour they show. Between two images the cosine is the
Bhattacharyya coefficient of their colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from esclip._core.arguments import coerce_texts
from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors, unit_rows
from esclip.encoders.color_words import Color, find_colors
from esclip.encoders.preprocessing import Preprocessing
from esclip.encoders.text_warnings import warn_of_missing_colors

PALETTE_COLORS = (
    "palette knows the colours black, white, red, green, yellow, blue, brown, purple, pink, orange and grey, "
    "and nothing else"
)
"""What this encoder knows, for the page of a search service."""
PALETTE_LIMITS = f"{PALETTE_COLORS}; name one, or use a CLIP model such as clip-ViT-B-32"
"""This encoder's limits, for its warnings and help texts."""

_SIDE = 64
_NO_COLOR = len(Color)
_DIM = len(Color) + 1


class PaletteEncoder:
    """Encodes images and texts by their colours. Fulfils `Encoder`."""

    runtime = "palette"
    encode_concurrency = 1
    logit_scale = 10.0
    """With it, the one of three colours that fills an image has a probability of 0.9999."""
    preprocess = Preprocessing(_SIDE, _SIDE, resample=Image.Resampling.BOX, reducing_gap=2.0)
    useful_side = preprocess.useful_side

    @property
    def space(self) -> Space:
        """The one space of this encoder."""
        return Space(
            model="palette",
            text_model="palette",
            weights="palette-1",
            preprocessing=f"{_SIDE}x{_SIDE} pixels, nearest of {len(Color)} colours in CIELAB",
            dim=_DIM,
        )

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """Square roots of the colours' shares, shape (n, 12); the last axis is for texts without a colour."""
        shares = np.zeros((len(batch), _DIM))
        for row, pixels in enumerate(batch):
            shares[row] = np.bincount(_classify_pixels(pixels), minlength=_DIM) / (_SIDE * _SIDE)
        return unit_rows(np.sqrt(shares))

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Equal weights for the colours in each text, shape (n, 12). Logs a warning of texts without any."""
        texts = coerce_texts("texts", texts)
        colors = [find_colors(text) for text in texts]
        warn_of_missing_colors(
            [text for text, named in zip(texts, colors, strict=True) if not named], PALETTE_LIMITS
        )
        rows = np.zeros((len(texts), _DIM))
        for row, named in zip(rows, colors, strict=True):
            row[[color.value for color in named] or [_NO_COLOR]] = 1
        return unit_rows(rows)


def _classify_pixels(pixels: Pixels) -> npt.NDArray[np.intp]:
    """The colour's number of each pixel, looked up by the five high bits of its channels."""
    red, green, blue = np.moveaxis(pixels.reshape(-1, 3).astype(np.intp) >> 3, 1, 0)
    colors: npt.NDArray[np.intp] = _color_table()[(red << 10) | (green << 5) | blue]
    return colors


@cache
def _color_table() -> npt.NDArray[np.intp]:
    """The number of the nearest colour for each of the 32768 values of five bits a channel."""
    levels = np.arange(32) * 255 / 31
    grid = _lab(np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3))
    samples = [(color, sample) for color, names in _SAMPLES.items() for sample in names.split()]
    points = _lab(np.array([list(bytes.fromhex(sample)) for _, sample in samples], dtype=np.float64))
    squares = (grid**2).sum(axis=1)[:, None] - 2 * grid @ points.T + (points**2).sum(axis=1)
    numbers: npt.NDArray[np.intp] = np.array([color.value for color, _ in samples], dtype=np.intp)
    nearest: npt.NDArray[np.intp] = numbers[squares.argmin(axis=1)]
    return nearest


def _lab(rgb: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Convert sRGB, 0 to 255, shape (n, 3), to CIELAB.

    To linear light and XYZ by IEC 61966-2-1, with white D65; then by CIE 15:2004, section 8.2.1.
    """
    encoded = rgb / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _RGB_TO_XYZ.T / _RGB_TO_XYZ.sum(axis=1)
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


_RGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])

# Samples of each colour: bright and dark, saturated and pale. A pixel has the colour of the nearest sample.
_SAMPLES = {
    Color.BLACK: "000000 141414 1c1a18 0d1018",
    Color.WHITE: "ffffff f2f2f2 f7f3ee eef3f8",
    Color.RED: "ff0000 b22222 d40000 b01020 8b0000 e03c31 c8102e 6e0a0a",
    Color.GREEN: "00ff00 008000 228b22 006400 6b8e23 90ee90 3cb371 1e3a1e 9acd32 a8c8a0 00a86b 4f6b3a",
    Color.YELLOW: "ffff00 ffd700 fff59d e6c619 f5e050 d9c13b",
    Color.BLUE: "0000ff 1e90ff 000080 87ceeb 4169e1 4682b4 add8e6 00bfff 101a4a 00ffff 2a5a8a 6fa8dc 00ced1",
    Color.BROWN: "8b4513 a52a2a 5c3317 a0522d 654321 7b5a3c 3e2723 b08050 c19a6b 2b1a10",
    Color.PURPLE: "800080 6a0dad 9932cc 4b0082 b57edc 8a2be2 7d4fa0 300a45 c8a2c8",
    Color.PINK: "ffc0cb ff69b4 ff1493 f4a6c0 db7093 ff00ff f8c8dc e75480 f08090",
    Color.ORANGE: "ffa500 ff8c00 ff7f00 e8631a ffb347 ff6a13 d2691e f28c28",
    Color.GREY: "808080 a9a9a9 5a5a5a c8c8c8 404040 929aa0 d8d8d8 706a64",
}
