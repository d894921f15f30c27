"""Parts of pictures, texts beside them, and documents taken out, on real engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from esclip.stores.engine.store import EngineStore
from tests.contracts.deletions import DeletionContract
from tests.contracts.listing import ListingContract
from tests.contracts.parts import PartsContract
from tests.contracts.texts import TextsContract
from tests.engines import engine_address, engine_products, opened_store

pytestmark = pytest.mark.engine


@pytest.fixture(params=engine_products())
def address(request: pytest.FixtureRequest) -> str:
    """The address of each engine that the contracts run on."""
    return engine_address(request.param)


@pytest.fixture
def engine_store(address: str) -> Iterator[EngineStore]:
    """A store on an index of its own, which is removed after with those beside it."""
    with opened_store(address, "_parts", "_texts") as store:
        yield store


class OfEngines:
    """On each engine."""

    @pytest.fixture
    def store(self, engine_store: EngineStore) -> EngineStore:
        """An empty store."""
        return engine_store


class TestPartsInEngines(OfEngines, PartsContract):
    pass


class TestTextsInEngines(OfEngines, TextsContract):
    pass


class TestDeletionsInEngines(OfEngines, DeletionContract):
    pass


class TestListingOfEngines(OfEngines, ListingContract):
    pass
