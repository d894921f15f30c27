"""How long a thumbnail and a picture's colour take.

JPEGs of 12 megapixels, soft and sharp as photos are ─► thumbnail made | read from the cache
                                                    └─► decoded as an ingest does, without and with the colour

python -m scripts.bench_thumbnails
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
        file = Path(folder) / "photo.jpg"
        hit = _draw(file)
        for height in HEIGHTS:
            cache = ThumbnailCache(Path(folder) / f"kept{height}")
            new = _milliseconds(partial(make_thumbnail, file, hit.content, height), rounds)
            thumbnail(hit, height, cache)
            kept = _milliseconds(partial(thumbnail, hit, height, cache), rounds)
            print(f"thumbnail of {height} pixels: {new:.1f} ms new, {kept:.2f} ms from the cache")
        data = file.read_bytes()
        image = decode(data, side=SIDE)
        decoding = _milliseconds(lambda: decode(data, side=SIDE), rounds)
        color = _milliseconds(lambda: mean_color(image), rounds)
        large = decode(data)
        whole = _milliseconds(lambda: mean_color(large), rounds)
        print(f"decoding for an encoder: {decoding:.1f} ms, its colour: {color:.2f} ms")
        print(f"colour of a picture decoded whole, as a PNG is: {whole:.2f} ms")


def _draw(file: Path) -> Hit:
    """A picture with as much detail as a photo: some four megabytes."""
    random = np.random.default_rng(0)
    soft = Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8)).resize(
        SIZE, Image.Resampling.BICUBIC
    )
    noise = random.normal(0, 8, (SIZE[1], SIZE[0], 1))
    pixels = np.clip(np.asarray(soft, np.float32) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return Hit(1, "a", 0.5, str(file), None, "", {}, content=content_fingerprint(file.read_bytes()))


def _milliseconds(call: Callable[[], object], rounds: int) -> float:
    call()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1000 * median(times)


if __name__ == "__main__":
    main()
