"""A server with one picture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fetching import PICTURE
from tests.servers import PictureServer, body


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with PictureServer({"/a.jpg": body(PICTURE)}) as running:
        yield running
