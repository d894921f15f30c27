"""How fast this machine encodes: pictures are drawn in memory, and go through the steps of an ingest.

drawn JPEGs ─► decode_picture (threads) ─► batches ─► encode_batch (the encoder's threads) ─► pictures/s

Fetching and writing are not measured: they run beside the encoder, and hardly ever hold it up.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import partial
from itertools import cycle, islice
from time import perf_counter

import numpy as np
from PIL import Image

from esclip._concurrency.streams import batches, parallel_map
from esclip._core.parts import GRID
from esclip._core.settings import BATCH_SIZE
from esclip._core.types import ImageRecord
from esclip._ingest.stages import Fetched, decode_picture, encode_batch
from esclip._protocols import Encoder

PROBED_PICTURES = 64
_DISTINCT = 8
_JPEG_QUALITY = 88


def measure_rate(encoder: Encoder, width: int, height: int, *, crops: bool) -> float:
    """Pictures of this size that are decoded, preprocessed and encoded in a second, with their crops.

    Loads the model before the clock starts. Raises `EncoderError` where it can't be loaded.
    """
    drawn = [_draw_jpeg(number, width, height) for number in range(_DISTINCT)]
    pictures = [
        _as_fetched(number, data) for number, data in enumerate(islice(cycle(drawn), PROBED_PICTURES))
    ]
    _encode(pictures[:BATCH_SIZE], encoder, crops=crops)
    started = perf_counter()
    _encode(pictures, encoder, crops=crops)
    return PROBED_PICTURES / (perf_counter() - started)


def _encode(pictures: Sequence[Fetched], encoder: Encoder, *, crops: bool) -> None:
    """As the pipeline does it: with as many threads, in as large batches."""
    each = 1 + len(GRID) if crops else 1
    decode = partial(decode_picture, encoder=encoder, crops=crops)
    decoded = parallel_map(decode, pictures, workers=os.cpu_count() or 1)
    batched = batches(decoded, max(1, BATCH_SIZE // each))
    for _ in parallel_map(
        partial(encode_batch, encoder=encoder), batched, workers=encoder.encode_concurrency
    ):
        pass


def _as_fetched(number: int, data: bytes) -> Fetched:
    id = f"drawn-{number}"
    return Fetched(ImageRecord(id=id, location=id, picture=b"", image_version=""), data, content=id)


def _draw_jpeg(seed: int, width: int, height: int) -> bytes:
    """Soft colours with some noise: a JPEG about as long as one of a photo."""
    random = np.random.default_rng(seed)
    rough = random.integers(0, 256, (max(2, height // 32), max(2, width // 32), 3), dtype=np.uint8)
    soft = Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)
    noise = random.integers(-12, 13, (height, width, 1), dtype=np.int16)
    pixels = (np.asarray(soft, dtype=np.int16) + noise).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()
