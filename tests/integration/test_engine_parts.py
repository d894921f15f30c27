"""Parts of pictures, texts beside them, and documents taken out, on real engines."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from esclip.stores.engine.store import EngineStore
from tests.contracts.deletions import DeletionContract
from tests.contracts.listing import ListingContract
from tests.contracts.parts import PartsContract
from tests.contracts.texts import TextsContract
from tests.engines import engine_access, engine_address, engine_kinds, http

pytestmark = pytest.mark.engine


@pytest.fixture(params=engine_kinds(locked=True))
def address(request: pytest.FixtureRequest) -> str:
    """The address of each engine that the contracts run on."""
    return engine_address(request.param)


@pytest.fixture
def engine_store(address: str) -> Iterator[EngineStore]:
    """A store on an index of its own, which is removed after with those beside it."""
    store = EngineStore(address, f"esclip-test-{uuid4().hex}", auth=engine_access(address))
    try:
        yield store
    finally:
        store.close()
        for name in (store.index, f"{store.index}_parts", f"{store.index}_texts"):
            http("DELETE", f"{address}/{name}", ok=(200, 404))


class TestPartsInEngines(PartsContract):
    @pytest.fixture
    def store(self, engine_store: EngineStore) -> EngineStore:
        """The store."""
        return engine_store


class TestTextsInEngines(TextsContract):
    @pytest.fixture
    def store(self, engine_store: EngineStore) -> EngineStore:
        """The store."""
        return engine_store


class TestDeletionsInEngines(DeletionContract):
    @pytest.fixture
    def store(self, engine_store: EngineStore) -> EngineStore:
        """The store."""
        return engine_store


class TestListingOfEngines(ListingContract):
    @pytest.fixture
    def store(self, engine_store: EngineStore) -> EngineStore:
        """The store."""
        return engine_store
