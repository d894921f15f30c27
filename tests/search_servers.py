"""Search services in threads, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from esclip import ImageIndex
from esclip._server.http import Limits
from esclip._server.http_server import HttpServer
from esclip._server.search_app import SearchApp
from esclip._server.search_service import ServiceOptions


@contextmanager
def searching(
    index: ImageIndex, cache: Path, *, limits: Limits | None = None, **options: Any
) -> Iterator[HttpServer[SearchApp]]:
    """A running service of an index, which it closes; thumbnails are kept in `cache`."""
    app = SearchApp(index, ServiceOptions(picture_cache=cache, **options), limits)
    with HttpServer(app, host="127.0.0.1", port=0, limits=limits) as server:
        running = threading.Thread(target=server.run)
        running.start()
        try:
            yield server
        finally:
            server.stop()
            running.join()
