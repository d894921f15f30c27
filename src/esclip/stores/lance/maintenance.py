"""What keeps the embedded store fast: few fragments, indexes for many rows, no old versions.

rows outside of the vector index ≤ IndexThresholds.exact   each is compared
rows in it ≤ IndexThresholds.probed                        each is compared, by partition, from memory
rows in it > IndexThresholds.probed                        those in the partitions nearest to the query:
                                                           the more rows, the smaller their share
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from esclip._core.index_settings import BIT, FLOAT, INT8
from esclip._core.schema import Field
from esclip._errors import IndexMismatch
from esclip.stores.lance.rows import CONTENT, WORDS, optional_columns, read_schema

FRAGMENT_ROWS = 65_536
"""Fragments of fewer rows are joined; larger ones stay, so that a small ingest rewrites little."""

VERSION_RETENTION = timedelta(minutes=10)
"""Younger versions are kept for other processes that read them: far longer than a search takes.

Lance itself keeps files that belong to no version, which another process may be writing, for a week.
"""

VECTOR_INDEX_PREFIX = "esclip_vector_"
"""Begins the name of a vector index; its number of partitions, which each search needs, ends it."""

INDEX_KINDS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    FLOAT: ("IVF_SQ", {}),
    INT8: ("IVF_SQ", {}),
    BIT: ("IVF_RQ", {"num_bits": 5}),
}
"""Lance's index of each level, and its arguments. A byte for a number loses nothing that the whole vectors of
twice the hits don't give back, so that there is no larger index for float. One bit loses a tenth of what is
nearest to texts even of ten times the hits."""

BIT_DIM = 8
"""A vector's numbers of `BIT` must be a multiple of it."""

MAX_GROWTH = 1.5
"""How many times too few, or too many, partitions an index may have before it is made anew."""

PROBES_EXPONENT = 0.3
"""Measured with text-like queries (`scripts/cross_modal.py`), which lie in another cone than pictures:
partitions of 2,048 gave a recall@10 of .945 with 40 % of 100,000 vectors and .98 with 60 %, .942 with 20 %
of a million and .972 with 30 %. Queries like pictures need far less, and say nothing of this."""

ID_INDEX = "esclip_id"
CONTENT_INDEX = "esclip_content"
WORDS_INDEX = "esclip_words"

PAGE_ROWS = 512
"""Of an index of sorted values, of which a look-up compares those of some pages. Lance's default is 4,096."""


@dataclass(frozen=True, slots=True)
class IndexThresholds:
    """Numbers of rows above which an index is used; measured with 512 dimensions on 2 cores."""

    exact: int = 10_000
    """Vectors outside of the vector index, compared one by one (10 ms); so for the index of words."""
    scanned: int = 100_000
    """Ids and content fingerprints outside of their indexes, read for each batch of an ingest (4 ms each)."""
    partition: int = 2048
    """Rows of a partition of the vector index."""
    probed: int = 14_000
    """Vectors of an index of which a search compares all; see `share_probed`."""


def add_columns(dataset: Any, fields: Sequence[Field]) -> None:
    """Add missing columns, which rewrites nothing. Raises `IndexMismatch` for a column of another type."""
    columns = dataset.schema
    for column in optional_columns(fields):
        if column.name not in columns.names:
            dataset.add_columns(pa.schema([column]))
        elif (kind := columns.field(column.name).type) != column.type:
            raise IndexMismatch(
                f"{dataset.uri} has a column {column.name!r} of another type, {kind}; use another index"
            )


def join_fragments(dataset: Any, thresholds: IndexThresholds) -> None:
    """Join small fragments: each upsert adds one."""
    dataset.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)


def index_vectors(dataset: Any, thresholds: IndexThresholds) -> None:
    """Put vectors into the vector index when too many are outside of it.

    They are added to the partitions that there are. Where rows have become too many or too few for these
    partitions, or the index has another level than its schema, it is made anew.
    """
    level, indexes = read_schema(dataset).settings.level, vector_indexes(dataset)
    rows, has_level = dataset.count_rows(), all(is_of_level(index, level) for index in indexes)
    # one that was killed can have left two, each with nearly all rows
    if (
        has_level
        and len(indexes) < 2
        and rows - sum(index.num_rows_indexed for index in indexes) <= thresholds.exact
    ):
        return
    wanted = max(1, rows // thresholds.partition)
    if has_level and len(indexes) == 1 and _fits(count_partitions(indexes[0]), wanted):
        (name,) = (index.name for index in indexes)
        # By default, small partitions would be joined to one or two, whatever the name says.
        dataset.optimize.optimize_indices(index_names=[name], num_indices_to_merge=1)
        return
    _rebuild(dataset, level, wanted, indexes)


def share_probed(rows: int, thresholds: IndexThresholds) -> float:
    """The share of an index's partitions that a search compares."""
    share: float = (thresholds.probed / max(1, rows)) ** PROBES_EXPONENT
    return min(1.0, share)


def _fits(partitions: int, wanted: int) -> bool:
    return partitions <= MAX_GROWTH * wanted and wanted <= MAX_GROWTH * partitions


def _rebuild(dataset: Any, level: str, partitions: int, indexes: Sequence[Any]) -> None:
    """Index all vectors; a search uses the former index until the new one is there."""
    name, (kind, options) = f"{VECTOR_INDEX_PREFIX}{partitions}", INDEX_KINDS[level]
    dataset.create_index(
        "vector", kind, name=name, metric="cosine", num_partitions=partitions, replace=True, **options
    )
    for index in indexes:
        if index.name != name:
            dataset.drop_index(index.name)


def index_ids(dataset: Any, thresholds: IndexThresholds) -> None:
    """Index ids, which an ingest looks up for each batch, when many are outside."""
    _index_column(dataset, "id", "BTREE", ID_INDEX, thresholds.scanned)


def index_contents(dataset: Any, thresholds: IndexThresholds) -> None:
    """Index content fingerprints, which an ingest looks up for each batch, when many are outside."""
    _index_column(dataset, CONTENT, "BTREE", CONTENT_INDEX, thresholds.scanned)


def index_words(dataset: Any, thresholds: IndexThresholds) -> None:
    """Index words when many documents are outside."""
    _index_column(dataset, WORDS, "LABEL_LIST", WORDS_INDEX, thresholds.exact)


def _index_column(dataset: Any, column: str, kind: str, name: str, max_outside: int) -> None:
    """Make the index, or add to it what is outside."""
    from lance.indices import IndexConfig  # a plan reads this module, without Lance

    indexes = [index for index in dataset.describe_indices() if index.name == name]
    outside = dataset.count_rows() - sum(index.num_rows_indexed for index in indexes)
    if outside <= max_outside or column not in dataset.schema.names:
        return
    if indexes:
        dataset.optimize.optimize_indices(index_names=[name], num_indices_to_merge=1)
    else:
        paged = IndexConfig("btree", {"zone_size": PAGE_ROWS})
        dataset.create_scalar_index(column, paged if kind == "BTREE" else kind, name=name)


def remove_old_versions(dataset: Any, thresholds: IndexThresholds) -> None:
    """Remove files of versions that no process reads any more."""
    dataset.cleanup_old_versions(older_than=VERSION_RETENTION)


def size_on_disk(folder: Path) -> int:
    """The bytes of all files in the folder, old versions included."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # another process removed it
            total += path.stat().st_size if path.is_file() else 0
    return total


def vector_indexes(dataset: Any) -> list[Any]:
    """Lance's descriptions of the indexes that `index_vectors` created."""
    return [index for index in dataset.describe_indices() if index.name.startswith(VECTOR_INDEX_PREFIX)]


def is_of_level(index: Any, level: str) -> bool:
    """Whether a vector index compares vectors as a level says; float and int8 are the same."""
    kind, _ = INDEX_KINDS[level]
    return bool(index.index_type == kind)


def count_partitions(index: Any) -> int:
    """The number of partitions of a vector index."""
    return int(index.name.removeprefix(VECTOR_INDEX_PREFIX))
