"""Encoder servers in threads, and encoders that record or fail: small real implementations, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from esclip._protocols import Encoder
from esclip._server.encoder_app import EncoderApp, open_server
from esclip._server.http import Limits
from esclip._server.http_server import HttpServer
from esclip.encoders.palette import PaletteEncoder

__all__ = ["served"]


@contextmanager
def served(
    encoder: Encoder | None = None,
    *,
    token: str | None = None,
    port: int = 0,
    batch_size: int = 8,
    max_body: int = 1 << 20,
    limits: Limits | None = None,
) -> Iterator[HttpServer[EncoderApp]]:
    """A running server of `encoder`, palette by default."""
    encoder = encoder or PaletteEncoder()
    with open_server(
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
