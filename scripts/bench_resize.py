"""What a picture's decoding and preprocessing take, and how like vectors are, beside Pillow's resizing alone.

    python -m scripts.bench_resize --models models     # a folder that holds the models, or gets them

Pillow resizes the whole picture and cuts the middle out; esclip resizes the middle only, with SIMD where
cykooz-resizer is installed. Times are of the processor: medians, one after the other in turn. Cosines are the
smallest of all sizes, of a model in float32: in bfloat16 one level of one pixel moves a vector by 0.0001.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from esclip import Encoder, load_encoder
from esclip._images.decode import decoding_with_facts
from esclip.encoders.preprocessing import Preprocessing
from esclip.encoders.runtimes.samples import sample_images
from scripts.bench_encode import CLIP, models_in
from scripts.measure import machine

__all__ = ["main"]

TIMED = ((1080, 720), (720, 1080), (3000, 2000), (400, 300), (336, 224))
COMPARED = (
    (1080, 720),
    (777, 1111),
    (500, 375),
    (640, 427),
    (1000, 1000),
    (300, 299),
    (180, 120),
    (3000, 2000),
)

Pixels = npt.NDArray[np.uint8]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", type=Path, help="a folder for the models; those it lacks are made")
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args(arguments)
    for name, fact in machine().items():
        print(f"{name}: {fact}")
    print("\n| JPEG | Pillow, ms | esclip, ms | ratio |\n|---|---|---|---|")
    for size in TIMED:
        before, now = _milliseconds(size, given.rounds)
        print(f"| {size[0]} x {size[1]} | {before:.2f} | {now:.2f} | {now / before:.2f} |")
    with tempfile.TemporaryDirectory(prefix="bench-resize-") as scratch:
        clip, _ = models_in(given.models or Path(scratch) / "models", "full")
        encoder = load_encoder(str(clip), precision="f32", device="cpu")
        print("\n| pictures | smallest cosine |\n|---|---|")
        for kind, draw in KINDS.items():
            print(
                f"| {kind} | {_smallest_cosine(encoder, [draw(*size) for size in COMPARED]):.6f} |",
                flush=True,
            )


def resize_whole(image: Image.Image) -> Pixels:
    """Pillow's pixels: the whole picture resized, then the middle cut out."""
    side, (width, height) = CLIP.width, image.size
    long = int(side * max(width, height) / min(width, height))
    size = (side, long) if width <= height else (long, side)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    resized = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(resized.crop((left, top, left + side, top + side)))


def _milliseconds(size: tuple[int, int], rounds: int) -> tuple[float, float]:
    """Processor time from a JPEG's bytes to pixels: by Pillow, by esclip."""
    files = []
    for image in sample_images(4, size):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=85)
        files.append(file.getvalue())
    ways: Mapping[Preprocessing | Callable[[Image.Image], Pixels], list[float]] = {resize_whole: [], CLIP: []}
    for data in files * rounds:
        for preprocess, times in ways.items():
            started = time.process_time()
            with decoding_with_facts(data, side=CLIP.useful_side) as (image, _):
                preprocess(image)
            times.append(time.process_time() - started)
    before, now = (1000 * median(times) for times in ways.values())
    return before, now


def _smallest_cosine(encoder: Encoder, images: Sequence[Image.Image]) -> float:
    before = encoder.encode_images([resize_whole(image) for image in images])
    now = encoder.encode_images([CLIP(image) for image in images])
    return float(np.sum(before * now, axis=1).min())


def _photo(width: int, height: int) -> Image.Image:
    return sample_images(3, (width, height))[2]


def _smooth(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    channels = [127 + 120 * np.sin(3 * x / width), 127 + 120 * np.cos(4 * y / height), 255 * x * y / x.size]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def _spectrum(width: int, height: int) -> Image.Image:
    """Noise with an amplitude that falls with the frequency, as that of photographs does."""
    rng = np.random.default_rng(width)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    waves = np.fft.rfft2(rng.normal(size=(3, height, width))) / frequency
    values = np.fft.irfft2(waves, (height, width))
    light = values[0] + 0.4 * values[1:].mean(axis=0) + 0.3 * values
    light = 127 + 50 * (light - light.mean()) / light.std()
    return Image.fromarray(light.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def _noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def _black_and_white(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width)
    return Image.fromarray((255 * rng.integers(0, 2, (height, width))).astype(np.uint8)).convert("RGB")


def _text(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    words = " ".join(["the quick brown fox jumps over a lazy dog"] * (width // 150 + 1))
    for line, y in enumerate(range(0, height, 18)):
        ImageDraw.Draw(image).text((-7 * (line % 11), y), words, "black", ImageFont.load_default(14))
    return image


def _lines(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    lines = ((x + 2 * y) // 3 % 2 * 255).astype(np.uint8)
    return Image.fromarray(np.stack([lines, lines, 255 - lines], axis=-1))


def _checks(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(((x + y) % 2 * 255).astype(np.uint8)).convert("RGB")


KINDS: Mapping[str, Callable[[int, int], Image.Image]] = {
    "drawn, with the detail of photos": _photo,
    "smooth": _smooth,
    "noise with the spectrum of photos": _spectrum,
    "noise": _noise,
    "black and white noise": _black_and_white,
    "text": _text,
    "lines of a pixel and a half": _lines,
    "checks of a pixel": _checks,
}


if __name__ == "__main__":
    main()
