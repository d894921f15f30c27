"""Synthetic images and texts that exported towers are compared and calibrated with; nothing is downloaded.

The images have the statistics of photographs: detail at every scale, with a spectrum that falls with the
frequency (D. J. Field, 1987, doi:10.1364/JOSAA.4.002379), and edges.
"""

from __future__ import annotations

from itertools import islice, product

import numpy as np
from PIL import Image, ImageDraw

_SIZES = ((336, 224), (224, 336), (500, 375), (300, 300), (640, 427), (224, 640), (180, 120), (450, 800))


def sample_images(count: int, *sizes: tuple[int, int]) -> list[Image.Image]:
    """Generate RGB images of these sizes (width, height) in turn, by default of eight. Deterministic."""
    sizes = sizes or _SIZES
    return [_sample_image(*sizes[seed % len(sizes)], seed=seed) for seed in range(count)]


def _sample_image(width: int, height: int, *, seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    light = np.zeros((height, width, 3), dtype=np.float32)
    for cells in (2, 4, 8, 16, 32, 64, 128):
        shape = (max(2, cells * height // width), cells, 3)
        noise = (128 + 40 * rng.normal(size=shape)).clip(0, 255).astype(np.uint8)
        light += np.asarray(Image.fromarray(noise).resize((width, height)), dtype=np.float32) / cells**0.7
    light = (light - light.min()) / (light.max() - light.min() + 1e-6)
    image = Image.fromarray((255 * light ** rng.uniform(0.6, 1.6)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 12)):
        middle = rng.integers(0, (width, height))
        corners = middle + rng.integers(-width // 4, width // 4, (rng.integers(3, 6), 2))
        draw.polygon([(int(x), int(y)) for x, y in corners], fill=tuple(map(int, rng.integers(0, 256, 3))))
    return image


def sample_texts(count: int) -> list[str]:
    """Queries as users type them, from one word to several sentences, in several languages."""
    phrases = [f"{a} {b} {c}" for b, a, c in product(_THINGS, _ADJECTIVES, _PLACES)]
    step = max(1, len(phrases) // max(1, count))
    chosen = list(islice(phrases[::step], count))
    longer = [", ".join(chosen[start : start + 1 + start % 4]) for start in range(len(chosen))]
    return [*_OTHER_LANGUAGES, *_THINGS[:2], *longer][:count]


_ADJECTIVES = ("a red", "two small", "an old", "the empty", "black and white", "a close-up of a", "a blurry")
_THINGS = ("dog", "car", "bridge", "mountain lake", "woman with an umbrella", "market", "cup of coffee")
_PLACES = ("in the snow", "at sunset", "on a table", "in Paris", "by the sea at night", "in the forest")
_OTHER_LANGUAGES = (
    "zwei Hunde spielen im Schnee",
    "une plage au coucher du soleil",
    "un gato negro sobre un tejado",
    "una strada vuota di notte",
    "красная машина на мосту",
    "一只红色的汽车",
    "雪山和湖",
    "夕日と海",
    "눈 속의 두 마리 개",
    "قطة سوداء على السطح",
    "पहाड़ों में एक झील",
    "dwa psy bawiące się na śniegu",
)
