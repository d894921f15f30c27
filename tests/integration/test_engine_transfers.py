"""Vector caches out of real engines, and into them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

import esclip
from esclip.stores.engine.store import EngineStore
from esclip.stores.lance.store import LanceStore
from tests.engines import engine_access, engine_address, engine_versions, http
from tests.transfers import COUNT, assert_equal, write_mixed_cache

pytestmark = pytest.mark.engine


@pytest.fixture(params=engine_versions())
def store(request: pytest.FixtureRequest) -> Iterator[EngineStore]:
    """A store of each engine, with an index of its own."""
    address = engine_address(request.param)
    with EngineStore(address, f"esclip-test-{uuid4().hex}", auth=engine_access(address)) as store:
        yield store
        http("DELETE", f"{address}/{store.index}", ok=(200, 404))


def test_from_an_embedded_index_and_back(store: EngineStore, tmp_path: Path) -> None:
    """Ids, fingerprints, contents, metadata and vectors are the same on the way and at its end."""
    first, last = LanceStore(tmp_path / "s", "first"), LanceStore(tmp_path / "s", "last")
    folder = write_mixed_cache(tmp_path / "cache")
    for one in (first, store, last):
        with esclip.open_index(one) as index:
            assert index.import_vectors(folder).written == COUNT
            assert index.import_vectors(folder).skipped == COUNT
            assert_equal(first, one)
            folder = tmp_path / f"of {one.index}"
            assert index.export(folder).documents == COUNT
