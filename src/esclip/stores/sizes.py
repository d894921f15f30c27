"""What a vector takes in each kind of store, in memory and on disk: formulas of the indexes as they are made.

layout_of("opensearch", "int8") ─► Layout ─► memory and disk of a vector of d dimensions, with the formulas

Lucene's formulas are those of OpenSearch's and Elasticsearch's documentation, in page cache, but for its
graph, which is computed as its file is written. Those of the embedded index are measured
(`docs/how-to/plan.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import NamedTuple

from esclip._core.index_settings import BIT, DEFAULTS, FLOAT, INT8
from esclip._core.settings import STORE_KINDS
from esclip.stores.engine.candidates import (
    COMPARED_WHOLE,
    MAX_CANDIDATES,
    MIN_CANDIDATES,
    PER_ROOT,
    SHARE,
    count_candidates,
)
from esclip.stores.lance.maintenance import IndexThresholds

EMBEDDED = STORE_KINDS[0]

FLOAT_BYTES = 4
EDGES = DEFAULTS.m or 0
CODE_BYTES = 6
"""Of the embedded index, beside a byte for each dimension: row id, and a share of the partition's data."""
BIT_CODE_BYTES = 24
"""The same beside five bits for each dimension, which is what an embedded index has for one bit."""
NEIGHBOURS = 1.25
"""Of a node in Lucene's graph, in edges: measured. It has up to twice `m` on the lowest level, and fewer
where one neighbour is nearer to another than to the node."""
NODE_BYTES = 5.0
"""Of a node in the graph's file beside its neighbours: how many they are, where they begin, a share of the
higher levels."""
INT8_BYTES, BIT_BYTES = 16, 14
"""Of Lucene's codes, beside a byte, or a bit, for each dimension: what corrects them."""

CLUSTER_VECTORS, POSTINGS_READ = 384, 0.1
"""Of a cluster of Elasticsearch's DiskBBQ; the share of all clusters that is planned in memory: by its
documentation 5 to 10 %."""

OLD_OPENSEARCH = 2
"""The last major version of OpenSearch that keeps vectors as JSON and as doc values, too."""
JSON_BYTES = 8.4
"""Of a number in OpenSearch 2.19's `_source`, compressed: 4.3 kB for 512 dimensions."""


class Size(NamedTuple):
    """Bytes of a vector, and how they are computed."""

    bytes: float
    formula: str
    """In the symbols d, the dimension, m, the edges of a node in HNSW's graph, and g, its bytes there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a kind of store keeps vectors."""

    engine: str
    """One of `STORE_KINDS`."""
    vectors: str = FLOAT
    """How vectors are compared first."""
    shard: int = 0
    """Vectors in a shard of a cluster's index."""
    old: bool = False
    """Whether it is an OpenSearch 2, which keeps vectors in `_source` and as doc values as well."""

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
        if self.embedded and self.vectors == BIT:
            return Size(5 * dim / 8 + BIT_CODE_BYTES, f"5 d / 8 + {BIT_CODE_BYTES}")
        if self.embedded:
            return Size(dim + CODE_BYTES, f"d + {CODE_BYTES}")
        if self.vectors == FLOAT:
            return _add(_raw(dim), _graph(self.shard))
        return (
            native_memory(dim, 1) if self._is_native else _add(_codes(dim, self.vectors), _graph(self.shard))
        )

    def disk(self, dim: int) -> Size:
        """On disk, without the rest of the document; for an embedded index without what is in `memory`."""
        if self.embedded:
            return _raw(dim)
        size = self.memory(dim) if self.vectors == FLOAT else _add(_raw(dim), self.memory(dim))
        return _add(size, _kept_twice(dim)) if self.old else size

    @property
    def _is_native(self) -> bool:
        """Whether the index is one of OpenSearch's native ones, not one of Lucene's."""
        return self.engine == "opensearch" and self.vectors == BIT

    def symbols(self, dim: int) -> str:
        """What the symbols of its formulas stand for."""
        if self.embedded:
            return f"d = {dim}"
        return clustered_symbols(dim) if self._is_native else f"d = {dim}, g = {_graph(self.shard).bytes:.1f}"

    @property
    def compared_whole(self) -> int:
        """The most vectors of a segment of which a search misses none, since it compares all; 0: none."""
        return 0 if self.embedded or self._is_native else COMPARED_WHOLE

    @property
    def candidates(self) -> tuple[int, str]:
        """How many vectors a search considers in a shard of a cluster, and how they are counted."""
        formula = (
            f"{PER_ROOT} sqrt({self.shard:,}), or {self.shard:,} / {SHARE} where that is more; at least "
            f"{MIN_CANDIDATES:,}, at most {MAX_CANDIDATES:,}"
        )
        return count_candidates(self.shard), formula


def layout_of(engine: str, vectors: str = FLOAT) -> Layout:
    """The layout of a kind of store, also by what a store calls itself: `OpenSearch 3.6.0`, `Lance 14.0`."""
    name, _, version = engine.casefold().partition(" ")
    old = name == "opensearch" and version.partition(".")[0] == str(OLD_OPENSEARCH)
    return Layout(name if name in STORE_KINDS else EMBEDDED, vectors, old=old)


def clustered_symbols(dim: int) -> str:
    """What the symbols stand for in formulas of HNSW."""
    return f"d = {dim}, m = {EDGES}"


def native_memory(dim: int, bits: int) -> Size:
    """A vector in the memory of OpenSearch's native HNSW, whose numbers take so many bits."""
    numbers = {32: "4 d", 16: "2 d", 1: "d / 8"}.get(bits, f"{bits} d / 8")
    return Size(1.1 * (bits * dim / 8 + 8 * EDGES), f"1.1 ({numbers} + 8 m)")


def annlite_memory(dim: int) -> Size:
    """A vector in memory by AnnLite's formula, which is that of OpenSearch's native HNSW, too."""
    return native_memory(dim, 32)


def disk_bbq_memory(vectors: int, dim: int) -> Size:
    """All of so many vectors by Elasticsearch's DiskBBQ, which needs a licence and is not made by esclip.

    Each vector is in two clusters at most; the share of these that is read often wants to be in memory.
    """
    centroids = -(-vectors // CLUSTER_VECTORS) * (dim + INT8_BYTES)
    postings = 2 * vectors * (-(-dim // 8) + INT8_BYTES)
    formula = (
        f"ceil({vectors:,} / {CLUSTER_VECTORS}) * (d + {INT8_BYTES}) + {POSTINGS_READ} * 2 * {vectors:,} * "
        f"(ceil(d / 8) + {INT8_BYTES})"
    )
    return Size(centroids + POSTINGS_READ * postings, formula)


def _graph(vectors: int) -> Size:
    """A node in the file of Lucene's graph of so many vectors, as versions from 10.3 write it.

    The numbers of a node's neighbours stand in order, as differences of 1 to 4 bytes, four of which share a
    byte that says how long they are (group varint). Neighbours are anywhere, and so the differences are
    spread exponentially: the share of those that need more than i bytes is exp(-256^i / their mean).
    """
    neighbours = NEIGHBOURS * EDGES
    each = 1.25 + sum(exp(-(256**i) * neighbours / max(1, vectors)) for i in (1, 2, 3))
    return Size(NODE_BYTES + neighbours * each, "g")


def _kept_twice(dim: int) -> Size:
    """The doc values and the JSON of an OpenSearch 2."""
    return Size(FLOAT_BYTES * dim + JSON_BYTES * dim, f"4 d + {JSON_BYTES} d")


def _raw(dim: int) -> Size:
    """The float32 numbers, which every index keeps."""
    return Size(FLOAT_BYTES * dim, "4 d")


def _codes(dim: int, vectors: str) -> Size:
    """What Lucene compares in their place."""
    if vectors == INT8:
        return Size(dim + INT8_BYTES, f"d + {INT8_BYTES}")
    return Size(8 * -(-dim // 64) + BIT_BYTES, f"8 ceil(d / 64) + {BIT_BYTES}")


def _add(*sizes: Size) -> Size:
    return Size(sum(size.bytes for size in sizes), " + ".join(size.formula for size in sizes))
