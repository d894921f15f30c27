"""How long a thumbnail and a picture's colour take.

    JPEGs of 12 megapixels, soft and sharp ─► thumbnail made | read from the cache
                                          └─► decoded as an ingest does ─► its colour

    python -m scripts.bench_thumbnails

Times are those of this thread's processor, which other work on the machine lengthens less than the clock's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from esclip import Hit
from esclip._core.types import content_fingerprint
from esclip._images.color import mean_color
from esclip._images.decode import decode
from esclip._images.thumbnail_cache import HEIGHTS, ThumbnailCache, thumbnail
from esclip._images.thumbnails import make_thumbnail
from scripts.measure import machine

__all__ = ["main"]

SIZE = 4000, 3000
PICTURES = {"soft": 2.0, "sharp": 8.0}
"""Standard deviation of the noise in each: a photo has more detail the sharper it is."""
SIDE = 224
"""Pixels of the short side that most encoders take."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print medians in milliseconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each measure")
    rounds: int = parser.parse_args(arguments).rounds
    for name, value in machine().items():
        print(f"{name}: {value}")
    with TemporaryDirectory() as folder:
        for name, noise in PICTURES.items():
            _measure(Path(folder) / f"{name}.jpg", noise, rounds)


def _measure(file: Path, noise: float, rounds: int) -> None:
    hit = _draw(file, noise)
    data = file.read_bytes()
    print(f"{file.stem}: {len(data) / 1e6:.1f} MB")
    cache = ThumbnailCache(file.with_suffix(".kept"))
    for height in HEIGHTS:
        new = _milliseconds(partial(make_thumbnail, file, hit.content, height), rounds)
        thumbnail(hit, height, cache)
        kept = _milliseconds(partial(thumbnail, hit, height, cache), rounds)
        print(f"  thumbnail of {height} pixels: {new:.1f} ms new, {kept:.2f} ms from the cache")
    small, large = decode(data, side=SIDE), decode(data)
    decoding = _milliseconds(partial(decode, data, side=SIDE), rounds)
    color, whole = (_milliseconds(partial(mean_color, image), rounds) for image in (small, large))
    print(f"  decoding for an encoder: {decoding:.1f} ms, with its colour: {color:.2f} ms")
    print(f"  colour of the whole picture, as a PNG is decoded: {whole:.2f} ms")


def _draw(file: Path, noise: float) -> Hit:
    """A picture with as much detail as a photo."""
    random = np.random.default_rng(0)
    colors = Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8))
    soft = colors.resize(SIZE, Image.Resampling.BICUBIC)
    detail = random.normal(0, noise, (SIZE[1], SIZE[0], 1))
    pixels = np.clip(np.asarray(soft, np.float32) + detail, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return Hit(1, "a", 0.5, str(file), None, "", {}, content=content_fingerprint(file.read_bytes()))


def _milliseconds(call: Callable[[], object], rounds: int) -> float:
    call()
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        call()
        times.append(time.thread_time() - began)
    return 1000 * median(times)


if __name__ == "__main__":
    main()
