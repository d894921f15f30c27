"""Encoder servers in threads, and encoders that record or fail: small real implementations, for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from esclip._core.schema import Space
from esclip._core.types import Pixels, Vectors
from esclip._protocols import Encoder
from esclip._server.encoder_server import EncoderServer, Limits
from esclip.encoders.palette import PaletteEncoder

__all__ = ["RecordingEncoder", "served"]


class RecordingEncoder(PaletteEncoder):
    """Palette, with the size of each batch recorded; takes `seconds` for one, and fails where `broken`."""

    def __init__(self, seconds: float = 0.0, model: str = "palette") -> None:
        self.seconds = seconds
        self.model = model
        self.broken = False
        self.batches: list[int] = []

    @property
    def space(self) -> Space:
        return replace(super().space, model=self.model)

    def encode_images(self, batch: Sequence[Pixels]) -> Vectors:
        self.batches.append(len(batch))
        time.sleep(self.seconds)
        if self.broken:
            raise RuntimeError("out of memory\non the device")
        return super().encode_images(batch)


@contextmanager
def served(
    encoder: Encoder | None = None,
    *,
    token: str | None = None,
    port: int = 0,
    batch_size: int = 8,
    max_body: int = 1 << 20,
    limits: Limits | None = None,
) -> Iterator[EncoderServer]:
    """A running server of `encoder`, palette by default."""
    encoder = encoder or PaletteEncoder()
    with EncoderServer(
        encoder,
        host="127.0.0.1",
        port=port,
        token=token,
        batch_size=batch_size,
        max_body=max_body,
        limits=limits,
    ) as server:
        running = threading.Thread(target=server.run)
        running.start()
        try:
            yield server
        finally:
            server.stop()
            running.join()
