"""How much faster an ingest by Ray is with two workers than with one, where the encoder is another machine's.

    python -m scripts.bench_workers [--pictures 1024] [--rounds 3] [--seconds 2]

The encoder server sleeps for each batch of 32, so that the processors here read, send and write
only. Pictures are 32 x 32, the index is embedded, parts are of 128. One and two workers take turns,
each in an index of its own. Ray and its workers are started before. Prints a line of JSON for each
round, and one of medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from esclip import open_index, write_manifest
from esclip._core.settings import BATCH_SIZE
from esclip._core.types import Pixels, Vectors
from esclip._ingest.ray_workers import connected
from esclip._server.encoder_app import open_server
from esclip.encoders.palette import PaletteEncoder

__all__ = ["main"]

PART = 4 * BATCH_SIZE
"""As many as a worker has at the server at once."""


class SleepingEncoder(PaletteEncoder):
    """Takes so long for a batch, however many are encoded at once."""

    encode_concurrency = 64

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        """The vectors, later."""
        time.sleep(self._seconds)
        return super().encode_images(batch)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each round, and one of medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="which a batch takes")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch, _served(options.seconds) as address, connected():
        folder = Path(scratch)
        _draw(folder / "pictures", options.pictures)
        write_manifest(folder / "pictures", out=folder / "manifest", records=PART)
        _measure(folder, address, "warm", 2)
        rounds = [
            [_measure(folder, address, f"of-{number}-{workers}", workers) for workers in (1, 2)]
            for number in range(options.rounds)
        ]
    for one, two in rounds:
        print(json.dumps({"one": round(one, 2), "two": round(two, 2), "times": round(one / two, 2)}))
    medians = [statistics.median(seconds) for seconds in zip(*rounds, strict=True)]
    print(json.dumps({"pictures": options.pictures, "times": round(medians[0] / medians[1], 2)}))


def _measure(folder: Path, address: str, name: str, workers: int) -> float:
    """Seconds of an ingest into a new index."""
    with open_index(folder / "store", name, address) as index:
        report = index.ingest(folder / "manifest", on="ray", workers=workers, show_progress=False)
    assert report.written == report.read, report
    return report.seconds


@contextmanager
def _served(seconds: float) -> Iterator[str]:
    encoder = SleepingEncoder(seconds)
    with open_server(
        encoder, host="127.0.0.1", port=0, token=None, batch_size=BATCH_SIZE, max_body=64 << 20
    ) as server:
        running = threading.Thread(target=server.run)
        running.start()
        try:
            yield server.address
        finally:
            server.stop()
            running.join()


def _draw(folder: Path, pictures: int) -> None:
    folder.mkdir()
    chance = np.random.default_rng(1)
    for number in range(pictures):
        pixels = chance.integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06}.png")


if __name__ == "__main__":
    main()
