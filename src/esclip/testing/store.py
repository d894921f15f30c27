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

from esclip.testing.store_aliases import StoreAliases
from esclip.testing.store_duplicates import StoreDuplicates
from esclip.testing.store_facets import StoreFacets
from esclip.testing.store_filters import StoreFilters
from esclip.testing.store_ids import StoreIds
from esclip.testing.store_labels import StoreLabels
from esclip.testing.store_levels import StoreLevels
from esclip.testing.store_lifecycle import StoreLifecycle
from esclip.testing.store_notes import StoreNotes
from esclip.testing.store_order import StoreOrder
from esclip.testing.store_queries import StoreQueries
from esclip.testing.store_reads import StoreReads
from esclip.testing.store_relevance import StoreRelevance
from esclip.testing.store_search import StoreSearch
from esclip.testing.store_words import StoreWords
from esclip.testing.store_writes import StoreWrites


class StoreContract(
    StoreLifecycle,
    StoreAliases,
    StoreLevels,
    StoreWrites,
    StoreIds,
    StoreReads,
    StoreSearch,
    StoreFilters,
    StoreFacets,
    StoreOrder,
    StoreNotes,
    StoreWords,
    StoreQueries,
    StoreDuplicates,
    StoreLabels,
    StoreRelevance,
):
    """Inherit, name the class Test..., and supply the fixture and the ways around the store."""
