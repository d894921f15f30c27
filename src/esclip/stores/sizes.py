"""What a vector takes in each kind of store, in memory and on disk: formulas of the indexes as they are made.

layout_of("opensearch") ─► Layout ─► memory and disk of a vector of d dimensions, and how each is computed

Lucene's formulas are those of OpenSearch's and Elasticsearch's documentation, in page cache. Those of the
embedded index are measured (`docs/how-to/plan.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from esclip._core.index_settings import DEFAULTS
from esclip._core.settings import STORE_KINDS
from esclip.stores.lance.maintenance import IndexThresholds

EMBEDDED = STORE_KINDS[0]

FLOAT_BYTES = 4
EDGES = DEFAULTS.m or 0
CODE_BYTES = 6
"""Of the embedded index, beside a byte for each dimension: row id, and a share of the partition's data."""

JSON_BYTES = 8.4
"""Of a number in OpenSearch 2.19's `_source`, compressed: 4.3 kB for 512 dimensions."""


class Size(NamedTuple):
    """Bytes of a vector, and how they are computed."""

    bytes: float
    formula: str
    """In the symbols d, the dimension, and m, the edges of a node in HNSW's graph."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a kind of store keeps vectors."""

    engine: str
    """One of `STORE_KINDS`."""

    @property
    def embedded(self) -> bool:
        """Whether it is a folder, without shards and replicas."""
        return self.engine == EMBEDDED

    @property
    def shards(self) -> int:
        """The primary shards that an index is made with."""
        return 1 if self.embedded else DEFAULTS.shards or 1

    @property
    def scanned(self) -> int:
        """The most vectors that are compared one by one, without a vector index."""
        return IndexThresholds().exact if self.embedded else 0

    def memory(self, dim: int) -> Size:
        """What fast searches want to have in memory."""
        return Size(dim + CODE_BYTES, f"d + {CODE_BYTES}") if self.embedded else _lucene(dim)

    def disk(self, dim: int) -> Size:
        """On disk, without the rest of the document; for an embedded index without what is in `memory`."""
        return Size(FLOAT_BYTES * dim, "4 d") if self.embedded else _lucene(dim)

    def symbols(self, dim: int) -> str:
        """What the symbols of its formulas stand for."""
        return f"d = {dim}" if self.embedded else clustered_symbols(dim)


def layout_of(engine: str) -> Layout:
    """The layout of a kind of store, also by what a store calls itself: `OpenSearch 3.6.0`, `Lance 14.0`."""
    name = engine.partition(" ")[0].casefold()
    return Layout(name if name in STORE_KINDS else EMBEDDED)


def clustered_symbols(dim: int) -> str:
    """What the symbols stand for in formulas of HNSW."""
    return f"d = {dim}, m = {EDGES}"


def annlite_memory(dim: int) -> Size:
    """A vector in memory by AnnLite's formula, which is that of OpenSearch's native HNSW, too."""
    return Size(1.1 * (FLOAT_BYTES * dim + 8 * EDGES), "1.1 (4 d + 8 m)")


def old_opensearch_disk(dim: int) -> Size:
    """A vector on the disk of OpenSearch 2.19, which keeps it in `_source` and as doc values as well."""
    each = 2 * FLOAT_BYTES * dim + FLOAT_BYTES * EDGES + JSON_BYTES * dim
    return Size(each, f"4 d + 4 m + 4 d + {JSON_BYTES} d")


def _lucene(dim: int) -> Size:
    return Size(FLOAT_BYTES * (dim + EDGES), "4 d + 4 m")
