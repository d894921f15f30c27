"""The client of a search service: the facade over HTTP, CLIP-as-service's names, other servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from esclip import Client, ImageIndex
from tests.contracts.facade import Facade, FacadeContract, Serve
from tests.search_servers import searching


class TestClient(FacadeContract):
    @pytest.fixture(scope="class")
    @classmethod
    def serve(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
        """A client of a service of the index."""
        cache = tmp_path_factory.mktemp("thumbnails")
        with ExitStack() as stack:

            def serve(index: ImageIndex) -> Facade:
                server = stack.enter_context(searching(index, cache, show_paths=True, writable=True))
                return stack.enter_context(Client(server.address))

            yield serve
