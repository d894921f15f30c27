from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from esclip._images.resize import resize
from esclip.encoders.preprocessing import Preprocessing

BICUBIC = Image.Resampling.BICUBIC
CLIP = Preprocessing(224, 224, 224)


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def stripes(width: int, height: int) -> Image.Image:
    """Black and white, a pixel and a half wide: what filters overshoot most at."""
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.repeat((((x + 2 * y) // 3) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2))


def difference(image: Image.Image, other: Image.Image) -> tuple[int, float]:
    """The largest and the mean difference of two images, in levels."""
    assert (image.size, image.mode) == (other.size, other.mode)
    levels = np.abs(np.asarray(image, dtype=int) - np.asarray(other, dtype=int))
    return int(levels.max()), float(levels.mean())


@pytest.mark.parametrize("resample", list(Image.Resampling))
@pytest.mark.parametrize("size", [(700, 480), (333, 1000), (230, 231), (120, 90), (3, 5), (1, 400)])
def test_pixels_are_pillows_but_for_single_levels(size: tuple[int, int], resample: Image.Resampling) -> None:
    """Whatever the picture, its size and the filter: two levels at most, and hardly any on average."""
    for image, limit in ((noise(*size), 0.02), (stripes(*size), 0.6)):  # whose means lie between two levels
        largest, mean = difference(resize(image, (224, 160), resample), image.resize((224, 160), resample))
        assert largest <= 2
        assert mean <= limit


@pytest.mark.parametrize("size", [(701, 480), (480, 701), (230, 400), (225, 600), (300, 4000), (449, 448)])
def test_a_part_has_the_pixels_that_it_has_in_the_whole(size: tuple[int, int]) -> None:
    """The middle of a picture is what is cut out of all of it resized, whichever axis Pillow begins with."""
    for image in (noise(*size), stripes(*size)):
        long = 224 * max(size) // min(size)
        resized = (long, 224) if size[0] > size[1] else (224, long)
        left, top = (resized[0] - 224) // 2, (resized[1] - 224) // 2
        expected = image.resize(resized, BICUBIC).crop((left, top, left + 224, top + 224))
        largest, mean = difference(Image.fromarray(CLIP(image)), expected)
        assert largest <= 2
        assert mean <= 0.6


def test_every_short_side_can_be_preprocessed() -> None:
    """No rounding of a box's sides takes it beyond its picture."""
    for short in range(1, 700, 3):
        for long in (short, short + 1, short * 3 // 2 + 1):
            assert CLIP(Image.new("RGB", (long, short), "red")).min(axis=(0, 1)).tolist() == [255, 0, 0]


def test_images_of_other_modes_are_resized_by_pillow() -> None:
    """Grey and transparent images keep their mode, to the last level."""
    for mode in ("L", "RGBA", "LA", "F"):
        image = noise(90, 70).convert(mode)
        resized, expected = resize(image, (30, 20), BICUBIC), image.resize((30, 20), BICUBIC)
        assert (resized.mode, resized.tobytes()) == (expected.mode, expected.tobytes())


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_resizing_starts_no_threads() -> None:
    """A process that has resized a large picture can be forked: no threads of a library's own are left."""
    before = set(Path("/proc/self/task").iterdir())
    resize(noise(3000, 2000), (224, 224), BICUBIC)
    assert set(Path("/proc/self/task").iterdir()) == before
