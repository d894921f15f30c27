"""What every store promises, as tests that each store's test class inherits.

    class TestMyStore(StoreContract):
        fixture store      a fresh store whose index does not exist yet
        plant(store, ...)  writes documents around the store: the raw table, raw HTTP
        peek(store, id)    reads one around the store
        plant_schema(store, schema), peek_schema(store)    the same for what the index remembers

A store that is wrong in both directions, writing and reading, can't pass: what it writes is read by `peek`,
and what it reads was written by `plant`. Writes that a search has to find are made in `loading()`;
`fingerprints` and `documents` see them at once.
"""

from __future__ import annotations

from tests.contracts.store_duplicates import StoreDuplicates
from tests.contracts.store_filters import StoreFilters
from tests.contracts.store_ids import StoreIds
from tests.contracts.store_labels import StoreLabels
from tests.contracts.store_lifecycle import StoreLifecycle
from tests.contracts.store_notes import StoreNotes
from tests.contracts.store_queries import StoreQueries
from tests.contracts.store_reads import StoreReads
from tests.contracts.store_relevance import StoreRelevance
from tests.contracts.store_search import StoreSearch
from tests.contracts.store_words import StoreWords
from tests.contracts.store_writes import StoreWrites

__all__ = ["StoreContract"]


class StoreContract(
    StoreLifecycle,
    StoreWrites,
    StoreIds,
    StoreReads,
    StoreSearch,
    StoreFilters,
    StoreNotes,
    StoreWords,
    StoreQueries,
    StoreDuplicates,
    StoreLabels,
    StoreRelevance,
):
    """Inherit, name the class Test..., and supply the fixture and the ways around the store."""
