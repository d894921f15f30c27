"""Plans an index: the lines of what it takes, each with its formula.

options, dimension ─► _Planner ─┬─► vectors ─► memory · disk ─► shards · nodes
                                ├─► hours of encoding, by a rate or a probe
                                ├─► bytes to fetch
                                ├─► cost, by prices
                                └─► an index that there is: its size beside the computed one
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from esclip._core.arguments import wrong_kind
from esclip._core.index_settings import BIT, FLOAT, INT8
from esclip._core.options import resolve
from esclip._core.other_names import check_names
from esclip._core.parts import GRID
from esclip._core.schema import Stats
from esclip._core.settings import DEFAULT_ENCODER, STORE_KINDS
from esclip._core.targets import CAPTIONS, CROPS
from esclip._errors import ConfigError
from esclip._errors.counts import pluralize
from esclip._files.locations import AnyPath
from esclip._plan.model import PlannedModel
from esclip._plan.options import PICTURE_COUNT, PROBED_SIZE, PlanOptions
from esclip._plan.probe import PROBED_PICTURES, measure_rate
from esclip._plan.value import Plan, PlanLine
from esclip._protocols import Encoder
from esclip.stores.sizes import (
    Layout,
    annlite_memory,
    clustered_symbols,
    disk_bbq_memory,
    layout_of,
)

GB = 10**9
SHARD_BYTES = 30 * GB
"""The most of a shard that is searched: recommendations for clusters are 10 to 30 GB."""
SHARD_VECTORS = 10_000_000
"""The most vectors of a shard: each query looks through the graphs of all of its segments."""
MEASURED_SEGMENT, MEASURED_RECALL = 150_000, ".932"
"""Vectors of the largest segment that recall of texts was measured in, with the most candidates there are."""
AUDITED = "`esclip audit` measures it in the index"
LARGE = 1_000_000
"""Vectors from which on the memory of float32 ones is worth a thought: 2 GB of 512 dimensions."""
LUCENE_DOCUMENTS = 2**31 - 129
MAX_HEAP_GB = 31.0
"""Of a node; the rest of its memory is the page cache, which vectors are read from."""
MEMORY_RESERVE = 1.2
DISK_WATERMARK = 0.85
"""Share of a disk above which a cluster puts no more shards on it."""
MONTH_HOURS = 730

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_MIN_SIDE, _MAX_SIDE = 16, 8192
_NOT_EMBEDDED = ("shards", "replicas")


@check_names()
def plan(
    pictures: int,
    *,
    encoder: AnyPath | Encoder | None = None,
    index: Stats | None = None,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Compute what an index of so many pictures takes: memory, disk, shards, nodes, hours, cost.

    Each line has its formula. Nothing is fetched, loaded or written, but for the model of a `probe`, or one
    that `models` doesn't list.

    Args:
        pictures: How many pictures there will be.
        encoder: As in `load_encoder`, or an `Encoder`. Default: that of `index`, else the default model.
        index: Of an index that there is, whose size is set beside the computed one.
        engine: `embedded`, `opensearch` or `elasticsearch`. Default: that of `index`, else `embedded`.
        parts: Parts of pictures with vectors of their own: `captions`, `crops`. All pictures count as having
            a caption and 13 crops.
        texts: Text documents beside the pictures.
        vectors: How vectors are compared first: `float`, `int8` or `bit`. Default: as in `index`, else
            `float`.
        shards: Primary shards of each index in a cluster. Default: 3, as indexes are made.
        replicas: Copies beside the primary shards. Default: 1 where one copy needs several nodes, else 0.
        document_bytes: Bytes on disk of a document without its vector. Default: 1,500.
        node_memory: Memory of a node in GB of 10^9 bytes. Default: nodes are not counted.
        picture_bytes: Bytes of a picture that has to be fetched, on average. Default: none is fetched.
        rate: Pictures that a machine encodes in a second, with their crops if they have some. Default: hours
            are not counted.
        probe: Measure that rate on this machine, with 64 drawn pictures. Default: False.
        picture_size: Width and height in pixels of these: `1080x720`, the default.
        price_node_hour: Price of an hour of a node.
        price_gb_month: Price of a GB of disk for a month.
        price_encoder_hour: Price of an hour of a machine that encodes.
        price_gb_fetched: Price of fetching a GB.

    Raises:
        ConfigError: An option lacks what it is computed with, or can't be used.
        EncoderError: The model can't be found or used.

    Example:
        million = esclip.plan(1_000_000, engine="opensearch", node_memory=8)
        print(million.values["memory"], million.values["nodes"])
    """
    if index is not None and not isinstance(index, Stats):
        raise wrong_kind("index", index, "the stats of an index")
    count = int(PICTURE_COUNT.check("pictures", pictures))
    chosen: Mapping[str, Any] = {**resolve(PlanOptions, options)}
    kept = layout_of(index.engine if index else STORE_KINDS[0])
    layout = kept if chosen["engine"] in (None, kept.engine) else layout_of(chosen["engine"])
    _check_options(chosen, layout.engine)
    if encoder is None and index is not None:
        model = PlannedModel.of_index(index)
    else:
        model = PlannedModel.of(DEFAULT_ENCODER if encoder is None else encoder)
    vectors = chosen["vectors"] or (index.vectors if index else FLOAT)
    planner = _Planner(count, model, replace(layout, vectors=vectors), chosen, index)
    lines = tuple(planner.lines())
    return Plan(count, layout.engine, model.name, model.dim, lines, tuple(planner.notes))


def _check_options(options: Mapping[str, Any], engine: str) -> None:
    """Raise `ConfigError` for an option that would do nothing."""
    if engine == STORE_KINDS[0]:
        for name in _NOT_EMBEDDED:
            if options[name] is not None:
                raise ConfigError(f"{name}: an embedded index has none; leave it out, or name another engine")
    if options["probe"] and options["rate"] is not None:
        raise ConfigError("rate and probe at once; give one")
    needs = {
        "picture_size": ("probe", options["probe"]),
        "price_encoder_hour": ("a rate or a probe", options["probe"] or options["rate"]),
        "price_node_hour": ("node_memory", options["node_memory"]),
        "price_gb_fetched": ("picture_bytes", options["picture_bytes"]),
    }
    for name, (what, given) in needs.items():
        if options[name] is not None and not given:
            raise ConfigError(f"{name} goes with {what}; give that too")


@dataclass
class _Planner:
    """Computes the lines of one plan, in their order; later ones need the values of those before."""

    pictures: int
    model: PlannedModel
    layout: Layout
    options: Mapping[str, Any]
    index: Stats | None
    values: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        fullest = -(-max(self._counts.values(), default=0) // self._made_shards)
        self.layout = replace(self.layout, shard=fullest)

    def lines(self) -> Iterator[PlanLine]:
        """All lines that can be computed from what is given."""
        steps = (self._vectors, self._memory, self._disk, self._shards, self._nodes)
        for step in (*steps, self._encoding, self._fetching, self._cost, self._compare):
            for line in step():
                self.values[line.name] = line.value
                yield line

    @property
    def _counts(self) -> dict[str, int]:
        """Vectors of each index: of pictures, of their parts, of texts."""
        each = _parts_each(self.options["parts"])
        return {
            name: count
            for name, count in (
                ("pictures", self.pictures),
                ("parts", self.pictures * each),
                ("texts", self.options["texts"]),
            )
            if count
        }

    @property
    def _made_shards(self) -> int:
        """Primary shards of an index as it is made."""
        return int(self.options["shards"] or self.layout.shards)

    def _vectors(self) -> Iterator[PlanLine]:
        pictures, texts = self.pictures, self.options["texts"]
        formula = _vector_formula(pictures, self.options["parts"], texts)
        yield PlanLine("vectors", sum(self._counts.values()), "vectors", formula)

    def _memory(self) -> Iterator[PlanLine]:
        dim, vectors, copies = self.model.dim, sum(self._counts.values()), self._copies
        each, annlite = self.layout.memory(dim), annlite_memory(dim)
        indexed = sum(count for count in self._counts.values() if count > self.layout.scanned)
        value, formula = (
            _times(indexed, each.bytes),
            f"{indexed:,} * ({each.formula}), {self.layout.symbols(dim)}",
        )
        if not indexed:
            formula = f"up to {self.layout.scanned:,} vectors are compared one by one, without an index"
        if not self.layout.embedded:
            yield PlanLine("memory_per_copy", value, "bytes", formula)
            value, formula = value * copies, f"memory_per_copy * {_copies(copies)}: {self._copies_reason}"
        yield PlanLine("memory", value, "bytes", formula)
        formula = f"{vectors:,} * {annlite.formula}, {clustered_symbols(dim)}; one copy, for comparison"
        self._advise_int8(indexed, each.bytes)
        yield PlanLine("memory_annlite", _times(vectors, annlite.bytes), "bytes", formula)
        if self.layout.engine == "elasticsearch":
            size = disk_bbq_memory(vectors, dim)
            formula = f"{size.formula}, d = {dim}; one copy, with a licence, for comparison"
            yield PlanLine("memory_disk_bbq", round(size.bytes), "bytes", formula)

    def _advise_int8(self, indexed: int, each: float) -> None:
        """Note what a smaller level would take, where memory begins to count."""
        if self.layout.embedded or self.layout.vectors != FLOAT or indexed <= LARGE:
            return
        smaller = replace(self.layout, vectors=INT8).memory(self.model.dim).bytes
        self.notes.append(
            f"vectors compared as int8 take {smaller / each:.0%} of that memory, a little more disk, and "
            "give the same scores"
        )

    @property
    def _copies(self) -> int:
        """Of each shard, as esclip makes indexes where nothing else is asked for."""
        replicas = self.options["replicas"]
        if self.layout.embedded:
            return 1
        return 1 + replicas if replicas is not None else 2 if self._nodes_for(1) > 1 else 1

    @property
    def _copies_reason(self) -> str:
        if self.options["replicas"] is not None:
            return "the replicas and the primary"
        if self.options["node_memory"] is None:
            return "as on one node; on several, indexes are made with a replica"
        return "indexes are made with a replica where there is a second node"

    def _disk(self) -> Iterator[PlanLine]:
        dim, vectors, beside = self.model.dim, sum(self._counts.values()), self.options["document_bytes"]
        each, value = self.layout.disk(dim), self._disk_of(self._counts.values(), dim)
        formula = f"{vectors:,} * ({each.formula} + {beside:,})"
        if self.layout.embedded:
            yield PlanLine("disk", value, "bytes", f"{formula} + memory, {self.layout.symbols(dim)}")
            formula = (
                f"disk + {vectors:,} * (4 d + {beside:,}): an ingest joins what it has written, and the "
                "files before that stay for 10 minutes"
            )
            rewritten = vectors * (int(each.bytes) + beside)
            yield PlanLine("disk_after_ingest", value + rewritten, "bytes", formula)
            return
        copies = self._copies
        yield PlanLine("disk_per_copy", value, "bytes", f"{formula}, {self.layout.symbols(dim)}")
        yield PlanLine("disk", value * copies, "bytes", f"disk_per_copy * {_copies(copies)}")
        if self.layout.engine == "opensearch" and self.layout.vectors != BIT and not self.layout.old:
            old = replace(self.layout, old=True).disk(dim)
            formula = f"{vectors:,} * ({old.formula} + {beside:,}) * {_copies(copies)}"
            older = _times(vectors, old.bytes + beside) * copies
            yield PlanLine("disk_opensearch_2", older, "bytes", formula)
        needed = math.ceil(value * copies / DISK_WATERMARK)
        formula = f"disk / {DISK_WATERMARK}: above, a cluster puts no shard on a disk"
        yield PlanLine("disk_to_provide", needed, "bytes", formula)

    def _disk_of(self, counts: Iterable[int], dim: int) -> int:
        """Of one copy of indexes with so many vectors each."""
        counts, beside = list(counts), self.options["document_bytes"]
        stored = _times(sum(counts), self.layout.disk(dim).bytes + beside)
        indexed = sum(count for count in counts if count > self.layout.scanned)
        return stored + (_times(indexed, self.layout.memory(dim).bytes) if self.layout.embedded else 0)

    def _shards(self) -> Iterator[PlanLine]:
        if self.layout.embedded:
            return
        counts, made, fullest = self._counts, self._made_shards, self.layout.shard
        indexes = " and ".join(counts)
        formula = f"{made} * {len(counts)} (index of {indexes}) * {_copies(self._copies)}"
        yield PlanLine("shards", made * len(counts) * self._copies, "shards", formula)
        largest = max(counts.values())
        yield PlanLine("vectors_per_shard", fullest, "vectors", f"{largest:,} / {made} shards, rounded up")
        yield from self._candidates()
        needed = {name: self._shards_for(count) for name, count in counts.items()}
        formula = (
            f"for each index the larger of disk / {SHARD_BYTES // GB} GB and vectors / {SHARD_VECTORS:,}, "
            f"rounded up: {', '.join(f'{name} {n}' for name, n in needed.items())}; by size, not by recall"
        )
        yield PlanLine("primary_shards_advised", sum(needed.values()), "shards", formula)
        if fullest > LUCENE_DOCUMENTS:
            self.notes.append(f"a shard holds {LUCENE_DOCUMENTS:,} documents at most; these need more shards")
        elif max(needed.values()) > made:
            factor = 2 ** math.ceil(math.log2(max(needed.values()) / made))
            self.notes.append(
                f"{made} shards are few for an index of this size: make it with {max(needed.values())}, or "
                f"split one in the cluster (_split) into {made * factor}, while it is small"
            )

    def _candidates(self) -> Iterator[PlanLine]:
        """How many vectors a search looks at, and a note where texts need to be found by more."""
        shard, whole = self.layout.shard, self.layout.compared_whole
        candidates, formula = self.layout.candidates
        yield PlanLine("candidates_per_shard", candidates, "vectors", f"{formula}; what a search considers")
        if not whole:
            self.notes.append(f"recall was not measured at this level; {AUDITED}")
        elif shard > whole:
            self.notes.append(
                f"texts may miss pictures in shards of {shard:,}: a search compares all of a segment of up "
                f"to {whole:,}; in one of {MEASURED_SEGMENT:,} recall@10 of texts was {MEASURED_RECALL}, and "
                f"none larger was measured; {AUDITED}; more shards help"
            )

    def _shards_for(self, count: int) -> int:
        disk = self._disk_of([count], self.model.dim)
        return max(-(-disk // SHARD_BYTES), -(-count // SHARD_VECTORS))

    def _nodes(self) -> Iterator[PlanLine]:
        memory = self.options["node_memory"]
        if memory is None:
            return
        if self.layout.embedded:
            if self.values["memory"] * MEMORY_RESERVE > memory * GB:
                self.notes.append(
                    "the vector index does not fit into that memory; a cluster's nodes share it"
                )
            yield PlanLine("nodes", 1, "nodes", "an embedded index is on one machine")
            return
        formula = (
            f"{MEMORY_RESERVE} * memory / ({memory:g} GB - {_heap(memory):g} GB of heap), rounded up, and "
            "one for each copy"
        )
        yield PlanLine("nodes", self._nodes_for(self._copies), "nodes", formula)

    def _nodes_for(self, copies: int) -> int:
        memory = self.options["node_memory"]
        if memory is None:
            return 1
        each = self.layout.memory(self.model.dim).bytes * sum(self._counts.values())
        cache = (float(memory) - _heap(memory)) * GB
        return max(math.ceil(MEMORY_RESERVE * each * copies / cache), copies)

    def _encoding(self) -> Iterator[PlanLine]:
        rate, crops = self.options["rate"], CROPS in self.options["parts"]
        formula = "as given"
        if self.options["probe"]:
            width, height = _parse_size(self.options["picture_size"] or PROBED_SIZE)
            encoder = self.model.load()
            rate = measure_rate(encoder, width, height, crops=crops)
            formula = (
                f"measured here: {PROBED_PICTURES} pictures of {width} x {height} decoded, preprocessed and "
                f"encoded{', with their crops' if crops else ''}, by {encoder.runtime}"
            )
        if rate is None:
            return
        yield PlanLine("rate", float(rate), "pictures/s", formula)
        hours = self.pictures / rate / 3600
        formula = f"{self.pictures:,} / {rate:,.1f} / 3600, on one machine"
        if CAPTIONS in self.options["parts"] or self.options["texts"]:
            formula += "; captions and texts come on top"
        yield PlanLine("encoding_hours", hours, "hours", formula)

    def _fetching(self) -> Iterator[PlanLine]:
        if each := self.options["picture_bytes"]:
            formula = f"{self.pictures:,} * {each:,}"
            yield PlanLine("fetched", self.pictures * each, "bytes", formula)
        if sizes := self.model.download_megabytes:
            formula = f"{' + '.join(f'{size:,}' for size in sizes)} MB, once: the model, and that of queries"
            yield PlanLine("model_download", sum(sizes) * 10**6, "bytes", formula)

    def _cost(self) -> Iterator[PlanLine]:
        prices, values = self.options, self.values
        if (price := prices["price_node_hour"]) is not None:
            nodes = values["nodes"]
            formula = f"{pluralize(int(nodes), 'node')} * {MONTH_HOURS} hours * {price:g}"
            yield PlanLine("cost_nodes_month", nodes * MONTH_HOURS * price, "cost", formula)
        if (price := prices["price_gb_month"]) is not None:
            name = "disk_after_ingest" if self.layout.embedded else "disk_to_provide"
            formula = f"{name} in GB * {price:g}"
            yield PlanLine("cost_disk_month", values[name] / GB * price, "cost", formula)
        if (price := prices["price_encoder_hour"]) is not None:
            cost = values["encoding_hours"] * price
            yield PlanLine("cost_encoding", cost, "cost", f"encoding_hours * {price:g}")
        if (price := prices["price_gb_fetched"]) is not None:
            yield PlanLine(
                "cost_fetched", values["fetched"] / GB * price, "cost", f"fetched in GB * {price:g}"
            )

    def _compare(self) -> Iterator[PlanLine]:
        """What an index has, beside what is computed for as many documents."""
        index = self.index
        if index is None:
            return
        name = index.index
        yield PlanLine("index_documents", index.documents, "documents", f"counted in index {name!r}")
        if index.shards is not None:
            formula = "those of pictures, primaries and replicas, by the cluster"
            yield PlanLine("index_shards", index.shards, "shards", formula)
        if index.largest_segment is not None:
            yield from self._compare_segment(index, index.largest_segment)
        if index.bytes is None or not index.documents:
            return
        yield PlanLine("index_disk", index.bytes, "bytes", "measured, with old versions and replicas")
        yield from self._compare_disk(index, index.bytes)

    def _compare_segment(self, index: Stats, segment: int) -> Iterator[PlanLine]:
        """What of the index a search compares now, and a note where that isn't all."""
        whole = layout_of(index.engine, index.vectors).compared_whole
        formula = "by the cluster, as segments are merged now"
        if whole:
            formula += f"; a search compares all of one of up to {whole:,}"
        yield PlanLine("index_largest_segment", segment, "documents", formula)
        if segment > whole > 0:
            self.notes.append(
                f"texts may miss pictures in index {index.index!r}, whose largest segment has {segment:,}; "
                f"{AUDITED}"
            )

    def _compare_disk(self, index: Stats, measured: int) -> Iterator[PlanLine]:
        layout = layout_of(index.engine, index.vectors)
        copies = round(measured / index.primary_bytes) if index.primary_bytes else 1
        pictures = index.documents - index.texts
        parts = pictures * _parts_each(index.parts)
        planner = _Planner(pictures, self.model, layout, self.options, None)
        computed = planner._disk_of([pictures, parts, index.texts], index.dimension) * copies
        formula = (
            f"as disk, for its {_vector_formula(pictures, index.parts, index.texts)} vectors of "
            f"{index.dimension} dimensions * {_copies(copies)}"
        )
        yield PlanLine("index_disk_computed", computed, "bytes", formula)
        yield PlanLine(
            "index_difference", (measured / computed - 1) * 100, "%", "index_disk / index_disk_computed - 1"
        )
        total = self.pictures + self.options["texts"]
        formula = f"index_disk / {index.documents:,} documents * {total:,}"
        yield PlanLine("disk_by_index", round(measured / index.documents * total), "bytes", formula)


def _parts_each(parts: Collection[str]) -> int:
    """Vectors of a picture's parts, at most."""
    return (CAPTIONS in parts) + len(GRID) * (CROPS in parts)


def _vector_formula(pictures: int, parts: Collection[str], texts: int) -> str:
    each = f"{pictures:,}"
    if parts:
        captions = " + 1 caption" if CAPTIONS in parts else ""
        crops = f" + {len(GRID)} crops" if CROPS in parts else ""
        each = f"{pictures:,} * (1{captions}{crops})"
    return each + (f" + {texts:,} texts" if texts else "")


def _copies(number: int) -> str:
    return f"{number} {'copies' if number > 1 else 'copy'}"


def _times(count: int, each: float) -> int:
    """Whole bytes: exact where those of a vector are whole."""
    return count * int(each) if each == int(each) else round(count * each)


def _heap(memory: float) -> float:
    """What of a node's memory in GB its heap takes: half, and no more than a heap's pointers reach."""
    return min(memory / 2, MAX_HEAP_GB)


def _parse_size(text: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(text)
    sides = tuple(map(int, found.groups())) if found else (0, 0)
    if not all(_MIN_SIDE <= side <= _MAX_SIDE for side in sides):
        raise ConfigError(
            f"picture_size is {text!r}, not two sides of {_MIN_SIDE} to {_MAX_SIDE:,} pixels like "
            f"{PROBED_SIZE}"
        )
    return sides[0], sides[1]
